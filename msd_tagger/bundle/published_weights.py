"""The weights that the paper's first author published, as this network's.

https://github.com/keunwoochoi/music-auto_tagging-keras, compact_cnn (MIT licence,
copyright 2016 Keunwoo Choi): Keras 1.2 on Theano, front end by kapre. Constants and
comments here hold what the code there says and the file does not.
"""

from __future__ import annotations

import hashlib
import math
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from msd_tagger.common.errors import check_installed, reason_of
from msd_tagger.common.tags import TAGS

if TYPE_CHECKING:
    import h5py

SOURCE = "https://github.com/keunwoochoi/music-auto_tagging-keras, compact_cnn"
NAME = "weights_layer4_theano.hdf5"
URL = (  # At a commit, as branches may be renamed.
    "https://raw.githubusercontent.com/keunwoochoi/music-auto_tagging-keras/"
    f"a3e105d0c4c529c512cc197ad8770ff1cc52aa32/compact_cnn/{NAME}"
)
SHA256 = "caf89f811415691fbb245be7eef394b9cebd787d7e3f78e29695972141cf2a08"
SIZE_BYTES = 1_329_264
TIMEOUT_S = 30
LICENCE = "MIT, copyright 2016 Keunwoo Choi"
CORPUS = "Million Song Dataset with Last.fm tags, 201,680 training clips"
LAYERS, CHANNELS, BANDS, DFT_SIZE = 5, 32, 96, 512
EPSILON = 1e-3  # Keras 1's default.

# Front ends may differ by rounding. Beyond this share of the largest value, the network
# would get other inputs than those it was trained on.
FRONT_END_TOLERANCE = 1e-4

_BLOCK = "ConvBNEluDr"


class WeightsError(ValueError):
    """The file is not that network's; the message says why."""


class Published(NamedTuple):
    """What the file holds, named and shaped as `ConvNet` does."""

    params: dict
    batch_stats: dict  # Mean 0 and variance 1, never updated.
    mel_filters: np.ndarray  # `[M, bins]`, on powers.
    dft_kernels: np.ndarray  # Complex `[512, bins]`, times the window.


def array_shapes() -> dict[str, tuple[int, ...]]:
    """Lists the names and shapes of the arrays that are read."""
    bins = 1 + DFT_SIZE // 2
    shapes: dict[str, tuple[int, ...]] = {
        "melgram/param_0": (DFT_SIZE, 1, 1, bins),
        "melgram/param_1": (DFT_SIZE, 1, 1, bins),
        "melgram/param_2": (bins, BANDS),
        "dense_1/dense_1_W": (CHANNELS, len(TAGS)),
        "dense_1/dense_1_b": (len(TAGS),),
    }
    for i in range(1, LAYERS + 1):
        inputs = 1 if i == 1 else CHANNELS
        shapes[f"{_BLOCK}/convolution2d_{i}_W"] = (CHANNELS, inputs, 3, 3)
        shapes[f"{_BLOCK}/convolution2d_{i}_b"] = (CHANNELS,)
        for name in ("gamma", "beta", "running_mean", "running_std"):
            shapes[f"{_BLOCK}/batchnormalization_{i}_{name}"] = (CHANNELS,)
    return shapes


def fetch(folder: Path) -> Path:
    """Fetches the file from where its author put it, `URL`, into a folder.

    Raises:
        ValueError: It cannot be fetched or is another file, and what to do.
    """
    by_hand = (
        f"Download {URL} by hand, for example with a browser, and say where it is: "
        f"--keras=/path/to/{NAME}"
    )
    check_installed("import", "import", "h5py")  # Before anything is fetched.
    try:
        with urllib.request.urlopen(URL, timeout=TIMEOUT_S) as answer:
            content = answer.read(SIZE_BYTES + 1)
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)  # An answer has words for a reason.
        told = reason_of(cause if isinstance(cause, Exception) else error)
        raise ValueError(
            f"the published weights cannot be fetched ({told}). {by_hand}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise WeightsError(
            f"{URL} gave another file, with SHA-256 {found} after {len(content):,} "
            f"bytes; expected {SHA256} after {SIZE_BYTES:,}. {by_hand}"
        )
    path = folder / NAME
    path.write_bytes(content)
    return path


def read_keras(path: Path) -> Published:
    """Reads the file of the Theano network.

    Only the arrays of `array_shapes` are read: the file may come from anywhere, so
    nothing in it is executed and none of its links is followed.

    Raises:
        WeightsError: The file is not that network's.
        ValueError: There is no such file, or h5py is missing.
    """
    arrays = _read_arrays(Path(path))
    kernel, bias = (arrays[f"dense_1/dense_1_{name}"] for name in "Wb")
    params: dict[str, Any] = {"tags": {"kernel": kernel, "bias": bias}}
    batch_stats = {}
    for i in range(1, LAYERS + 1):
        layer = f"{_BLOCK}/convolution2d_{i}_"
        params[f"conv{i}_kernel"] = to_correlation(arrays[layer + "W"])
        params[f"conv{i}_bias"] = arrays[layer + "b"]
        layer = f"{_BLOCK}/batchnormalization_{i}_"
        scale, bias = arrays[layer + "gamma"], arrays[layer + "beta"]
        params[f"norm{i}"] = {"scale": scale, "bias": bias}
        mean, var = arrays[layer + "running_mean"], arrays[layer + "running_std"]
        # The batch normalisation of mode 2 of Keras 1 has no use for them.
        if np.any(mean != 0) or np.any(var != 1):
            raise WeightsError(
                f"{path}: {layer}running_mean and {layer}running_std are not all 0 and "
                "1, as in the published network, which normalises by each batch's "
                "statistics; one that keeps running statistics is another network"
            )
        batch_stats[f"norm{i}"] = {"mean": mean, "var": var, "count": np.float32(0)}
    # Real and imaginary parts as one; the sign of the latter changes no power.
    real, imaginary = (arrays[f"melgram/param_{k}"][:, 0, 0] for k in (0, 1))
    mel_filters = arrays["melgram/param_2"].T
    return Published(params, batch_stats, mel_filters, real + 1j * imaginary)


def to_correlation(kernel: np.ndarray) -> np.ndarray:
    """Converts Theano's kernels `[out, in, 3, 3]` to ours, `[3, 3, in, out]`.

    Theano convolves and XLA correlates, so both axes are flipped.

    >>> to_correlation(np.arange(9.0).reshape(1, 1, 3, 3))[..., 0, 0].tolist()
    [[8.0, 7.0, 6.0], [5.0, 4.0, 3.0], [2.0, 1.0, 0.0]]
    """
    return np.ascontiguousarray(kernel[:, :, ::-1, ::-1].transpose(2, 3, 1, 0))


def compare_front_end(
    published: Published, mel_filters: np.ndarray
) -> dict[str, float]:
    """Compares the network's own front end with ours, of filters `[M, bins]`.

    Returns:
        The largest difference of "mel filters" and "DFT kernels", each as a share of
        the largest value.

    Raises:
        ValueError: A share is above `FRONT_END_TOLERANCE`.
    """
    samples, bins = np.ogrid[:DFT_SIZE, : 1 + DFT_SIZE // 2]
    phase = 2 * np.pi * samples * bins / DFT_SIZE
    window = 0.5 - 0.5 * np.cos(2 * np.pi * samples / DFT_SIZE)
    pairs = {
        "mel filters": (published.mel_filters, mel_filters),
        "DFT kernels": (published.dft_kernels, window * np.exp(1j * phase)),
    }
    shares = {
        name: float(np.abs(theirs - ours).max() / np.abs(ours).max())
        for name, (theirs, ours) in pairs.items()
    }
    for name, share in shares.items():
        if not share <= FRONT_END_TOLERANCE:
            raise ValueError(
                f"the {name} of the file differ from ours by {share:.1g} of the "
                f"largest value, more than {FRONT_END_TOLERANCE:.0e}: the network was "
                "trained on another kind of spectrogram and cannot be used here"
            )
    return shares


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    check_installed("import", "import", "h5py")
    import h5py

    if not path.is_file():
        raise ValueError(f"--keras={path}: there is no such file")
    shapes = array_shapes()
    try:
        with h5py.File(path, "r") as file:
            return {name: _read(path, file, name, shapes[name]) for name in shapes}
    except WeightsError:
        raise
    except Exception as error:  # Damage makes HDF5 raise errors of a dozen kinds.
        reason = str(error).strip()[:200] or type(error).__name__
        raise WeightsError(
            f"{path} is not an HDF5 file or is damaged ({reason}); "
            f"--keras takes {NAME} of {SOURCE}"
        ) from error


def _read(path: Path, file: h5py.File, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Reads one array as float32, after checking all that can be checked before."""
    array = _find(file, name)
    if not hasattr(array, "dtype"):
        raise WeightsError(
            f"{path} has no array {name!r}, but {_contents(file, name)}; expected the "
            f"Theano network with its last layer, {NAME} of {SOURCE}"
        )
    if array.shape != shape or array.dtype.kind != "f":
        raise WeightsError(
            f"{path}: {name} is {array.dtype} {array.shape}; expected float32 {shape}"
        )
    # A chunk is unpacked as a whole, however little of it belongs to the array.
    if array.chunks and math.prod(array.chunks) > array.size:
        raise WeightsError(
            f"{path}: {name} is stored in chunks of {array.chunks}, larger than itself"
        )
    values = np.asarray(array[()], np.float32)
    if not np.isfinite(values).all():
        raise WeightsError(f"{path}: {name} has values that are not finite")
    return values


def _find(file: h5py.File, name: str) -> Any:
    """Finds the group or array of that name, None if it is not in this very file.

    Soft and external links, external and virtual arrays could lead anywhere.
    """
    import h5py

    node = file
    for part in name.split("/"):
        is_group = isinstance(node, h5py.Group)
        if not is_group or not isinstance(node.get(part, getlink=True), h5py.HardLink):
            return None
        node = node[part]
    if isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
        return None
    return node


def _contents(file: h5py.File, name: str) -> str:
    """Describes what a file holds where an array is missing."""
    group = _find(file, name.split("/")[0])
    names = sorted(getattr(group, "keys", file.keys)())
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(map(repr, names[:12])) or "nothing") + more
