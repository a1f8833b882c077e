"""What is read of an HDF5 file, and what is refused."""

import sys

import h5py
import jax
import numpy as np
import pytest

from msd_tagger.bundle import published_weights
from msd_tagger.frontend.recipe import Recipe
from tests import keras_file

KERNEL = "ConvBNEluDr/convolution2d_3_W"
SIMILAR = "ConvBNEluDr/convolution2d_2_W"


def test_layers_are_mapped_and_kernels_flipped(tmp_path):
    arrays = keras_file.arrays()
    found = published_weights.read_keras(keras_file.write(tmp_path / "a.hdf5"))
    for row, column in ((0, 0), (1, 2)):
        expected = arrays[KERNEL][:, :, 2 - row, 2 - column].T
        kernel = found.params["conv3_kernel"][row, column]
        np.testing.assert_array_equal(kernel, expected)
    norm = "ConvBNEluDr/batchnormalization_5_"
    np.testing.assert_array_equal(
        found.params["norm5"]["scale"], arrays[norm + "gamma"]
    )
    np.testing.assert_array_equal(found.params["norm5"]["bias"], arrays[norm + "beta"])
    assert sum(leaf.size for leaf in jax.tree.leaves(found.params)) == 39_282


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dense_1/dense_1_W": None},
            r"no array 'dense_1/dense_1_W', but 'dense_1_b';",
        ),
        (
            {name: None for name in keras_file.arrays() if "melgram" in name},
            r"no array 'melgram/param_0', but 'ConvBNEluDr', 'dense_1'; expected",
        ),
        (
            {KERNEL: None, f"{KERNEL}:0": np.zeros(3)},
            r"no array '.*convolution2d_3_W', but .* and 18 more",
        ),
        (
            {KERNEL: np.zeros((64, 32, 3, 3), "f4")},
            r"2d_3_W is float32 \(64, 32, 3, 3\); expected .* \(32, 32, 3, 3\)",
        ),
        (
            {KERNEL: np.zeros((32, 32, 3, 3), "i8")},
            r"2d_3_W is int64 .* expected float32",
        ),
        ({"dense_1/dense_1_b": np.full(50, np.nan)}, "dense_1_b has values that are"),
        (
            {"ConvBNEluDr/batchnormalization_2_running_std": np.full(32, 1.5)},
            "normalization_2_running_std are not all 0 and 1",
        ),
        # Both lead to an array of the right kind.
        ({KERNEL: h5py.SoftLink(f"/{SIMILAR}")}, r"no array '.*2d_3_W'"),
        ({KERNEL: h5py.ExternalLink("whole.hdf5", KERNEL)}, r"no array '.*2d_3_W'"),
    ],
)
def test_another_file_is_refused(tmp_path, changes, message):
    keras_file.write(tmp_path / "whole.hdf5")
    path = keras_file.write(tmp_path / "other.hdf5", changes)
    with pytest.raises(ValueError, match=message):
        published_weights.read_keras(path)


def test_arrays_in_other_files_are_not_read(tmp_path):
    shape = published_weights.array_shapes()[KERNEL]
    (tmp_path / "raw").write_bytes(bytes(4 * int(np.prod(shape))))
    path = keras_file.write(tmp_path / "external.hdf5", {KERNEL: None})
    with h5py.File(path, "a") as file:
        external = [("raw", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset(KERNEL, shape, "f4", external=external)
    with pytest.raises(ValueError, match=r"no array '.*2d_3_W'"):
        published_weights.read_keras(path)


def test_chunks_larger_than_their_array_are_not_unpacked(tmp_path):
    path = keras_file.write(tmp_path / "bomb.hdf5", {"dense_1/dense_1_b": None})
    with h5py.File(path, "a") as file:
        options = {"maxshape": (None,), "chunks": (2**28,), "compression": 9}
        file.create_dataset("dense_1/dense_1_b", (50,), "f4", **options)
    with pytest.raises(ValueError, match=r"dense_1_b is stored in chunks of \(2684354"):
        published_weights.read_keras(path)


@pytest.mark.parametrize("content", [b"", b"not HDF5" * 1000])
def test_what_is_not_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.hdf5 is not an HDF5 file"):
        published_weights.read_keras(path)


def test_a_cut_file_is_refused(tmp_path):
    path = keras_file.write(tmp_path / "cut.hdf5")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"cut\.hdf5 is not an HDF5 .* or is damaged"):
        published_weights.read_keras(path)


def test_a_missing_file_or_package_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"--keras=.*nowhere\.hdf5: there is no such"):
        published_weights.read_keras(tmp_path / "nowhere.hdf5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r'h5py.*pip install -e "\.\[import\]"'):
        published_weights.read_keras(tmp_path / "nowhere.hdf5")


def test_front_ends_are_compared(tmp_path):
    filters = Recipe("mel").mel_filters()
    path = keras_file.write(tmp_path / "same.hdf5")
    published = published_weights.read_keras(path)
    shares = published_weights.compare_front_end(published, filters)
    assert shares["mel filters"] == 0
    assert 0 < shares["DFT kernels"] < 1e-6  # float32.
    other = published._replace(mel_filters=1.01 * published.mel_filters)
    with pytest.raises(ValueError, match=r"mel filters of the file .* by 0.01 of"):
        published_weights.compare_front_end(other, filters)
