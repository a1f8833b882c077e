import numpy as np
import pytest

from msd_tagger.training import canary


def test_the_installed_compiler_passes():
    canary.check()


@pytest.mark.parametrize(
    "pattern", ["_matrix_vector", "_windowed_maximum", "_one_by_one"]
)
def test_a_wrong_result_stops(monkeypatch, pattern):
    found, expected = getattr(canary, pattern)()
    wrong = lambda: (np.asarray(found) * 1.5, expected)  # noqa: E731
    monkeypatch.setattr(canary, pattern, wrong)
    with pytest.raises(RuntimeError, match="miscomputes"):
        canary.check()
