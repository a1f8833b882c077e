import numpy as np
import pytest

from msd_tagger.training import canary


def test_the_installed_compiler_passes():
    canary.check()


@pytest.mark.parametrize("name", canary.PATTERNS)
def test_a_wrong_result_stops(monkeypatch, name):
    found, expected = canary.PATTERNS[name]()
    wrong = lambda: (np.asarray(found) * 1.5, expected)  # noqa: E731
    monkeypatch.setitem(canary.PATTERNS, name, wrong)
    with pytest.raises(RuntimeError, match=f"miscomputes {name}"):
        canary.check()
