"""A table of embeddings: one row for each excerpt of each file and each seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from msd_tagger.common import files
from msd_tagger.common.text import text_path

if TYPE_CHECKING:  # It brings JAX, which is not set up when a command line is checked.
    from msd_tagger.tagging.songs import Embedding

# Which layers of `Tagger.features` [..., L, C] become one vector.
LAYERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "last": lambda features: features[..., -1, :],
    "all": lambda features: features.reshape(*features.shape[:-2], -1),
}


class Table(NamedTuple):
    """Columns of R rows; seeds change fastest, then excerpts, then files.

    Attributes:
        track_id: Name of the file without folder and ending.
        path: Of the file.
        start_s: Begin of the excerpt.
        duration_s: Of the file.
        seed: Of the network; features of different seeds cannot be compared.
        features: float32 `[R, D]`.
    """

    track_id: np.ndarray
    path: np.ndarray
    start_s: np.ndarray
    duration_s: np.ndarray
    seed: np.ndarray
    features: np.ndarray


def to_table(
    embeddings: Iterable[Embedding], layers: str, seeds: tuple[int, ...]
) -> Table:
    """Puts embeddings one below the other.

    Args:
        embeddings: At least one.
        layers: One of `LAYERS`.
        seeds: S numbers.
    """
    parts = [_rows(one, layers, seeds) for one in embeddings]
    return Table(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rows(one: Embedding, layers: str, seeds: tuple[int, ...]) -> Table:
    # [S, E, D] -> [E, S, D] -> [E * S, D]
    features = LAYERS[layers](one.features).swapaxes(0, 1)
    rows = features.reshape(-1, features.shape[-1]).astype(np.float32)
    count, path = len(rows), text_path(one.path)
    return Table(
        track_id=np.full(count, Path(path).stem),
        path=np.full(count, path),
        start_s=np.repeat(one.starts_s, len(seeds)),
        duration_s=np.full(count, one.duration_s),
        seed=np.tile(np.array(seeds, np.int64), len(one.starts_s)),
        features=rows,
    )


def write_npz(path: Path, table: Table) -> None:
    """Writes an array for each column; `numpy.load` reads it."""
    with path.open("xb") as file:
        np.savez_compressed(file, **table._asdict())


def write_parquet(path: Path, table: Table) -> None:
    """Writes a Parquet file; `features` holds a list of D numbers in each row."""
    import pyarrow
    from pyarrow import parquet

    columns = table._asdict()
    features = pyarrow.array(columns.pop("features").ravel())
    arrays = {name: pyarrow.array(values) for name, values in columns.items()}
    arrays["features"] = pyarrow.FixedSizeListArray.from_arrays(
        features, table.features.shape[1]
    )
    with path.open("xb") as file:
        parquet.write_table(pyarrow.table(arrays), file)


FORMATS: dict[str, Callable[[Path, Table], None]] = {
    ".npz": write_npz,
    ".parquet": write_parquet,
}


def write(path: Path, table: Table) -> None:
    """Writes a table whole or not at all.

    Args:
        path: A new file; its ending says which of `FORMATS`.
        table: What to write.
    """
    with files.replacing(path) as temporary:
        FORMATS[path.suffix](temporary, table)


def check_format(path: Path) -> None:
    """Checks that a file of this name can be written.

    Raises:
        ValueError: The ending is not known, or its package is not installed.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"--out={path} must end in {' or '.join(FORMATS)}")
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError as error:
            raise ValueError(
                f"--out={path} needs pyarrow, which is not installed. Write an .npz, "
                'or in the repository: pip install -e ".[parquet]"'
            ) from error


def of_songs(embeddings: Iterable[Embedding], layers: str) -> np.ndarray:
    """One vector per song and seed, the mean over its excerpts: `[S, N, D]`."""
    return np.stack(
        [LAYERS[layers](one.features).mean(1) for one in embeddings], axis=1
    )
