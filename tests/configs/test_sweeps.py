"""The points of the paper's studies."""

import importlib
import re

import numpy as np
import pytest

from configs import (
    checks,
    default,
    label_noise,
    paper,
    preprocessing,
    reliability,
    sweeps,
)
from configs.keys import values_of
from configs.tasks import TASKS

# Studies that look at points of some names alone.
OF_NAMES = [name for name, one in TASKS.items() if one.points != ("",)]


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
    seeds = {name.split("-")[1]: one.num_seeds for name, one in points.items()}
    assert seeds == {"db": 5, "linear": 5, "stft": 3}
    quick = at_points(paper.get_config("quick"))
    assert {one.num_seeds for one in quick.values()} == {2, 15}
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


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("train.learning_rte", "train.learning_rate or"),
        ("trai.learning_rate", "train.learning_rate?"),
        ("seeds", "seed or"),
        ("train", "train.init_bundle or train.freeze or train.labels?"),
        ("seed.x", "seed"),
    ],
)
def test_a_point_that_changes_no_key_is_refused(key, meant):
    message = f"point typo changes {key}: there is no such key; did you mean {meant}"
    with pytest.raises(ValueError, match=re.escape(message)):
        sweeps.at(paper.get_config(), ("typo", ((key, 1.0),)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_seeds", "3"),
        ("train.fraction", "0.5"),
        ("train.augmentations", "mixup"),
        ("train.optimiser", 3),
        ("train.fraction", 0.0),
        ("train.fraction", -0.5),
        ("train.fraction", None),
        ("seed", None),
        ("num_seeds", 10**12),
    ],
)
def test_a_value_of_a_point_that_cannot_be_is_refused(key, value):
    config = make_sweep(("a", ()), ("b", ((key, value),)), task="sweep")
    with pytest.raises(ValueError, match=f"point b: .*{key}="):
        checks.check_for_mode(config, "run")


def test_epochs_that_a_point_sets_are_as_it_says():
    changes = ("train.max_epochs", 10.0), ("train.fraction", 0.5)
    found = [
        sweeps.at(paper.get_config(), ("a", order)).train.max_epochs
        for order in (changes, changes[::-1])
    ]
    assert found == [10.0, 10.0]


def test_references_follow_the_keys_of_a_point():
    config = default.get_config(train__batch_size=8)
    train = config.train
    train.learning_rate = train.get_ref("batch_size").to_float() * 1e-4
    sixteen = ("train.batch_size", 16)
    assert sweeps.at(config, ("a", (sixteen,))).train.learning_rate == 16e-4
    own = ("train.learning_rate", 0.5)
    assert sweeps.at(config, ("b", (sixteen, own))).train.learning_rate == 0.5
    assert train.learning_rate == 8e-4


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
        (((201 * "a", ()),), "at most 200 bytes"),
        ((("a*", ()),), r"called 'a\*'"),
        (("a",), "'a' is not a point; a sweep is written as"),
        ((("a", ("seed", 1)),), "is not a point"),
        ((("a", ()), ("a", ())), "two points are called a"),
        ((("a", ((1, 2),)),), "is not a point"),
        (((1, ()),), "is not a point"),
        ((("a", (("train.fraction", 0.1),) * 2),), "a sets train.fraction twice"),
        ((("a", (("train.deterministic", False),)),), "changes train.deterministic"),
    ],
)
def test_a_sweep_that_is_written_wrongly_is_refused(sweep, message):
    with pytest.raises(ValueError, match=message):
        sweeps.check(sweep)
    with pytest.raises(ValueError, match=message):
        sweeps.obey(sweep, {"seed": 1})


def test_values_of_points_may_be_lists():
    sweep = [["a", [["model.pools", [[4, 4]]]]], ["b", []]]
    assert sweeps.obey(sweep, {"seed": 1})[0] == ("a", (("model.pools", [[4, 4]]),))
    with pytest.raises(ValueError, match="points a and b"):
        sweeps.obey(sweep, {"model.pools": ((2, 2),)})


def test_what_the_user_gives_overrides_points():
    config = paper.get_config()
    given = {"num_seeds": 3, "train.max_epochs": 5.0}
    config.num_seeds = 3
    config.sweep = sweeps.obey(config.sweep, given)
    assert {one.num_seeds for one in at_points(config).values()} == {3}
    assert len(config.sweep) == 29


def test_epochs_that_points_set_are_the_users():
    tenth = (("train.fraction", 0.1),)
    rates = [
        (f"rate-{rate}", (*tenth, ("train.learning_rate", rate)))
        for rate in (0.001, 0.01)
    ]
    own = [
        (f"share-{share}", (("train.fraction", share), ("train.max_epochs", 20.0)))
        for share in (0.1, 0.2)
    ]
    for points, key, value, epochs in (
        (rates, "fraction", 0.1, [120.0, 120.0]),  # As without it.
        (rates, "max_epochs", 6.0, [60.0, 60.0]),  # Of all clips, as everywhere.
        (own, "max_epochs", 5.0, [5.0, 5.0]),
    ):
        config = make_sweep(*points, train__max_epochs=12.0)
        config.train[key] = value
        sweeps.settle(config, {f"train.{key}": value})
        assert [one.train.max_epochs for one in sweeps.runs(config)] == epochs


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
        sweeps.obey(paper.get_config().sweep, {key: None})


def make_sweep(*points, **changes):
    return default.get_config(sweep=points, **changes)


@pytest.mark.parametrize(
    ("fraction", "epochs"), [(1e-9, r"2\.5e\+10"), (1e-320, "inf")]
)
def test_a_share_that_would_take_too_many_epochs_is_refused_by_name(fraction, epochs):
    config = make_sweep(("a", (("train.fraction", fraction),)), task="sweep")
    with pytest.raises(
        ValueError, match=rf"point a: train\.fraction={fraction:g} .* {epochs} epochs"
    ):
        checks.check_for_mode(config, "run")


def test_a_config_that_trains_and_has_points_is_a_study_of_them():
    config = make_sweep(("a", (("seed", 1),)), ("b", (("num_seeds", 3),)))
    sweeps.settle(config, {"num_seeds": 1})
    assert (config.task, config.sweep[1]) == ("sweep", ("b", ()))
    assert [one.seed for one in sweeps.runs(config)] == [1, 0]
    assert [one.seed for one in sweeps.runs(config, "b")] == [0]
    for other in (default.get_config(), paper.get_config()):
        task = other.task
        sweeps.settle(other, {})
        assert other.task == task


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([("a", ()), ("b", (("train.fraction", 1.0),))], "a and b .* with seed 0;"),
        ([("a", ()), ("b", (("num_seeds", 2),))], "a and b would be the same run"),
        ([("a", (("seed", 2),)), ("b", (("num_seeds", 3),))], "a and b .* seed 2;"),
        (
            [("a", (("corpus.seed", 1),))],
            "a changes corpus.seed, which is the same for all",
        ),
        (
            [("a", (("input.threads", 1),))],
            "a changes input.threads, which is the same",
        ),
        (
            [("a", ()), ("b", (("train.learning_rate", np.float64(0.005)),))],
            "a and b would be the same run",
        ),
        ([("a", (("train.noise_seed", 1),))], "point a: .*noise_seed=1: no labels are"),
        ([], "task=sweep: there are no points to train"),
    ],
)
def test_points_that_cannot_be_compared_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        checks.check_for_mode(make_sweep(*points, task="sweep"), "run")


@pytest.mark.parametrize("task", OF_NAMES)
def test_a_study_without_points_is_refused(task):
    with pytest.raises(
        ValueError, match=rf"task={task}: .* --config=configs/{task}\.py"
    ):
        checks.check_for_mode(make_sweep(task=task), "run")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("variance", "called variance…, not mine"),
        ("paper", "called variance…, size-…, pre-…, not mine"),
    ],
)
def test_points_that_a_study_of_the_paper_does_not_look_at_are_refused(task, said):
    config = make_sweep(("variance", ()), ("mine", (("seed", 9),)), task=task)
    with pytest.raises(ValueError, match=f"task={task} only uses points {said}"):
        checks.check_for_mode(config, "run")


@pytest.mark.parametrize("task", OF_NAMES)
def test_the_studies_look_at_their_own_points(task):
    made = importlib.import_module(f"configs.{task}").get_config()
    assert checks.check_for_mode(made, "run")
    used = {name for name, _ in made.sweep}
    assert all(name.startswith(TASKS[task].points) for name in used)


def test_a_key_that_makes_points_of_one_figure_alike_is_refused():
    config = importlib.import_module("configs.preprocessing").get_config()
    config.spectrogram.kind = "stft"
    sweeps.settle(config, {"spectrogram.kind": "stft"})
    said = "pre-db-bypass-x1 and pre-stft-db would be the same run with seed 0"
    with pytest.raises(ValueError, match=said):
        checks.check_for_mode(config, "run")
    # Those of other figures of the paper may be: they are trained once.
    config = paper.get_config()
    config.num_seeds = 3
    sweeps.settle(config, {"num_seeds": 3})
    checks.check_for_mode(config, "run")


def test_points_may_differ_in_their_seeds():
    points = ("a", ()), ("b", (("seed", 1), ("num_seeds", 4))), ("c", (("seed", 5),))
    assert len(checks.check_for_mode(make_sweep(*points, task="sweep"), "run")) == 3
