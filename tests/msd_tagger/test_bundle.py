import numpy as np
import pytest

from msd_tagger.bundle import read_bundle, write_bundle
from tests import bundles


def assert_same(a, b):
    import jax

    assert a._replace(bands=0, weights=0, thresholds=0) == b._replace(
        bands=0, weights=0, thresholds=0
    )
    for part in ("bands", "weights"):
        jax.tree.map(np.testing.assert_array_equal, getattr(a, part), getattr(b, part))
    assert a.thresholds.split == b.thresholds.split
    np.testing.assert_array_equal(a.thresholds[1:], b.thresholds[1:])


def test_what_was_written_is_read(tmp_path):
    bundle = bundles.make_bundle()
    write_bundle(tmp_path / "bundle", bundle)
    assert_same(read_bundle(tmp_path / "bundle"), bundle)
    with pytest.raises(ValueError, match=r"bundle holds files \(bundle.json, …\)"):
        write_bundle(tmp_path / "bundle", bundle)
    write_bundle(tmp_path / "bundle", bundle, replace=True)
    assert_same(read_bundle(tmp_path / "bundle"), bundle)
