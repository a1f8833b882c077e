"""The points of the paper's studies."""

import pytest

from configs import checks, paper, preprocessing, reliability, sweeps
from configs.keys import values_of


def at_points(config):
    return {point[0]: sweeps.at(config, point) for point in config.sweep}


def test_the_paper_is_all_of_its_studies():
    names = [point[0] for point in paper.get_config().sweep]
    assert len(names) == len(set(names)) == 1 + 14 + 12 + 2
    assert set(names) == {
        "variance",
        *(point[0] for point in reliability.get_config().sweep),
    }
    quick = [point[0] for point in paper.get_config("quick").sweep]
    assert set(quick) < set(names)


@pytest.mark.parametrize("size", ["full", "quick"])
def test_every_point_is_a_run_that_passes_the_checks(size):
    for point in at_points(paper.get_config(size)).values():
        checks.check(point)
        assert (point.task, point.sweep) == ("train", ())


def test_other_sizes_of_the_paper_are_refused():
    with pytest.raises(ValueError, match=r"paper\.py:tiny"):
        paper.get_config("tiny")


def test_the_grid_is_the_papers():
    points = at_points(preprocessing.get_config())
    mel = [p for p in points.values() if p.spectrogram.kind == "mel"]
    found = {tuple(sorted(p.preprocessing.items())) for p in mel}
    assert len(mel) == len(found) == 12
    point = points["pre-linear-a_weighting-x10"].preprocessing
    assert (point.magnitude, point.frequency_weighting) == ("linear", "a_weighting")
    assert point.scale == 10.0
    assert points["pre-stft-db"].spectrogram.kind == "stft"


def test_a_smaller_training_set_takes_as_many_steps():
    config = reliability.get_config()
    config.train.max_epochs = 7.0  # As on a command line, which is read last.
    points = at_points(config)
    for number in sweeps.EPOCHS:
        clips = [
            points[f"size-stft-{percent:03d}"].train[number] * percent / 100
            for percent in sweeps.SIZES_PERCENT
        ]
        assert clips == pytest.approx([config.train[number]] * len(clips))
        assert points["pre-db-bypass-x1"].train[number] == config.train[number]


def test_points_differ_in_what_the_sweep_says_alone():
    config = paper.get_config()
    everything = values_of(config)
    for name, changes in config.sweep:
        of_point = values_of(sweeps.at(config, (name, changes)))
        differing = {k for k in everything if everything[k] != of_point[k]}
        scaled = {f"train.{key}" for key in sweeps.EPOCHS}
        allowed = scaled if "train.fraction" in dict(changes) else set()
        assert differing <= {"task", "sweep", *dict(changes), *allowed}


@pytest.mark.parametrize("key", ["train.learning_rte", "trai.learning_rate", "seeds"])
def test_a_point_that_changes_no_key_is_refused(key):
    with pytest.raises(ValueError, match=rf"point typo changes {key}, which is"):
        sweeps.at(paper.get_config(), ("typo", ((key, 1.0),)))


def test_a_point_is_found_by_name_and_by_number():
    sweep = paper.get_config().sweep
    assert sweeps.find(sweep, "variance") is sweeps.find(sweep, "0")
    with pytest.raises(ValueError, match=r"--point=size-mel-003.*1 size-mel-002, 2 "):
        sweeps.find(sweep, "size-mel-003")
