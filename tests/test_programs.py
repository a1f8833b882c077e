import pytest

from msd_tagger.training import setup as build
from tests import fakes, programs


def update(**changes):
    return build.set_up(fakes.small_config(**changes), fakes.FakeData()).programs.update


@pytest.mark.parametrize(
    "changes",
    [
        {"num_seeds": 2},
        {"model__channels": 5},
        {"model__precision": "highest"},
        {"preprocessing__magnitude": "linear"},
        {"preprocessing__frequency_weighting": "per_frequency_dataset"},
        {"train__learning_rate": 0.1},
        {"train__optimiser": "sgd"},
    ],
)
def test_what_is_equal_is_shared_and_nothing_else(changes):
    with programs.shared():
        assert update(**changes) is update(**changes)
        assert update(**changes) is not update()
    assert update() is not update()
