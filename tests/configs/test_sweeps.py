"""The points of the paper's studies."""

import re

import pytest

from configs import checks, label_noise, paper, preprocessing, reliability, sweeps
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


@pytest.mark.parametrize("what", label_noise.SIZES)
def test_label_noise_has_clean_noisy_smaller_and_corrected_sets(what):
    config = label_noise.get_config(what)
    points = at_points(config)
    names = {name.split("-")[1] for name in points}
    assert names == {
        *("clean", "drop", "flip", "size", "fix"),
        *["weak"] * (what != "own"),
    }
    for point in points.values():
        checks.check(point)
    knows = {one.train.labels for one in points.values()}
    assert knows == ({"weak"} if what == "own" else {"weak", "true"})
    fixed = [one.train for name, one in points.items() if "-fix-" in name]
    assert {(one.labels, one.drop_positives) for one in fixed} == {
        ("weak", 0.5 if what == "own" else 0.0)
    }
    if what == "full":
        seen = config.corpus.train_clips * config.train.max_epochs * config.num_seeds
        assert 200_000 < seen * len(points) < 250_000


def test_other_sizes_of_a_study_are_refused():
    with pytest.raises(ValueError, match=r"label_noise\.py:tiny: choose .*py:quick or"):
        label_noise.get_config("tiny")


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


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ("", range(29)),
        ("variance", [0]),
        ("0", [0]),
        ("28,1,0", [0, 1, 28]),
        ("pre-db-*", range(15, 21)),
        ("size-*-00?,variance", [0, 1, 2, 3, 8, 9, 10]),
        ("pre-stft-db,pre-stft-*", [27, 28]),
        ("[!s]*-x10", [*range(18, 21), *range(24, 27)]),
    ],
)
def test_points_are_chosen_by_name_number_and_pattern(wanted, numbers):
    sweep = paper.get_config().sweep
    assert sweeps.choose(sweep, wanted) == [sweep[n] for n in numbers]


@pytest.mark.parametrize("wrong", ["size-mel-003", "29", "PRE-*", "variance,", "-1"])
def test_what_is_no_point_is_refused_with_the_names(wrong):
    word = wrong.split(",")[-1]
    with pytest.raises(ValueError, match=rf"--point={re.escape(word)}: .*0 variance, "):
        sweeps.choose(paper.get_config().sweep, wrong)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ((("1", ()), ("2", ())), "called '1'; a name has letters"),
        ((("a,b", ()),), "called 'a,b'"),
        ((("a*", ()),), r"called 'a\*'"),
        (("a",), "'a' is no point; a sweep is written as"),
        ((("a", ("seed", 1)),), "is no point"),
        ((("a", ()), ("a", ())), "two points are called a"),
        ((("a", (("train.deterministic", False),)),), "changes train.deterministic"),
    ],
)
def test_a_sweep_that_is_written_wrongly_is_refused(sweep, message):
    with pytest.raises(ValueError, match=message):
        sweeps.check(sweep)
    with pytest.raises(ValueError, match=message):
        sweeps.obey(sweep, ["seed"])


def test_values_of_points_may_be_lists():
    sweep = [["a", [["model.pools", [[4, 4]]]]], ["b", []]]
    assert sweeps.obey(sweep, ["seed"])[0] == ("a", (["model.pools", [[4, 4]]],))
    with pytest.raises(ValueError, match="points a and b"):
        sweeps.obey(sweep, ["model.pools"])


def test_what_the_user_gives_overrides_points():
    config = paper.get_config()
    config.num_seeds = 3
    config.sweep = sweeps.obey(config.sweep, ["num_seeds", "train.max_epochs"])
    assert {one.num_seeds for one in at_points(config).values()} == {3}
    assert len(config.sweep) == 29


@pytest.mark.parametrize(
    ("key", "points"),
    [
        ("train.fraction", "size-mel-002 and size-mel-004"),
        ("preprocessing.magnitude", "pre-db-per_frequency-x1 and pre-linear-per_freq"),
        ("spectrogram.kind", "size-mel-002 and size-stft-002"),
    ],
)
def test_what_makes_points_alike_is_refused(key, points):
    with pytest.raises(ValueError, match=rf"--config\.{key}: the points {points}"):
        sweeps.obey(paper.get_config().sweep, [key])
