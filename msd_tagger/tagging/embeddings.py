"""A table of embeddings: one row for each excerpt of each file and each seed."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msd_tagger.common import files
from msd_tagger.common.errors import check_installed
from msd_tagger.common.text import text_path
from msd_tagger.tagging.songs import Embedding

# Which layers of `Tagger.features` [..., L, C] become one vector.
LAYERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "last": lambda features: features[..., -1, :],
    "all": lambda features: features.reshape(*features.shape[:-2], -1),
}


class Rows(NamedTuple):
    """Columns of R rows; seeds change fastest, then excerpts, then files."""

    track_id: np.ndarray  # Name of the file without folder and ending.
    path: np.ndarray
    start_s: np.ndarray  # Of the excerpt.
    duration_s: np.ndarray  # Of the file.
    seed: np.ndarray  # Features of different seeds cannot be compared.
    features: np.ndarray  # float32 `[R, D]`.


def to_rows(
    embeddings: Iterable[Embedding], layers: str, seeds: tuple[int, ...]
) -> Rows:
    """Puts embeddings, at least one, below each other; `layers` is one of `LAYERS`."""
    parts = [_rows(one, layers, seeds) for one in embeddings]
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rows(one: Embedding, layers: str, seeds: tuple[int, ...]) -> Rows:
    # [S, E, D] -> [E, S, D] -> [E * S, D]
    features = LAYERS[layers](one.features).swapaxes(0, 1)
    flat = features.reshape(-1, features.shape[-1]).astype(np.float32)
    count, path = len(flat), text_path(one.path)
    return Rows(
        track_id=np.full(count, Path(path).stem),
        path=np.full(count, path),
        start_s=np.repeat(one.starts_s, len(seeds)),
        duration_s=np.full(count, one.duration_s),
        seed=np.tile(np.array(seeds, np.int64), len(one.starts_s)),
        features=flat,
    )


def write_npz(path: Path, rows: Rows) -> None:
    """Writes an array for each column; `numpy.load` reads it."""
    with path.open("xb") as file:
        np.savez_compressed(file, **rows._asdict())


def write_parquet(path: Path, rows: Rows) -> None:
    """Writes a Parquet file; `features` holds a list of D numbers in each row."""
    import pyarrow
    from pyarrow import parquet

    columns = rows._asdict()
    features = pyarrow.array(columns.pop("features").ravel())
    arrays = {name: pyarrow.array(values) for name, values in columns.items()}
    arrays["features"] = pyarrow.FixedSizeListArray.from_arrays(
        features, rows.features.shape[1]
    )
    with path.open("xb") as file:
        parquet.write_table(pyarrow.table(arrays), file)


FORMATS: dict[str, Callable[[Path, Rows], None]] = {
    ".npz": write_npz,
    ".parquet": write_parquet,
}


def write(path: Path, rows: Rows) -> Path:
    """Writes rows as `files.write_new`; the file's ending says which of `FORMATS`."""
    return files.write_new(path, lambda new: FORMATS[path.suffix](new, rows))


def check_format(path: Path) -> None:
    """Checks that a file of this name can be written.

    Raises:
        ValueError: The ending is not known, or its package is not installed.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"--out={path} must end in {' or '.join(FORMATS)}")
    if path.suffix == ".parquet":
        check_installed(f"--out={path}, in place of an .npz,", "parquet", "pyarrow")


def of_songs(embeddings: Iterable[Embedding], layers: str) -> np.ndarray:
    """Gives a vector for each song and seed, the mean over excerpts: `[S, N, D]`."""
    return np.stack(
        [LAYERS[layers](one.features).mean(1) for one in embeddings], axis=1
    )
