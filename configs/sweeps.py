"""The points of studies: names, and the keys that each changes.

A study of several runs lists them in `config.sweep`; each becomes a run of its own in
`points/<name>` of the study's folder. A config that trains and has points is a study of
them. What is wrong with a point is a ValueError that names it.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, cast

from ml_collections import ConfigDict

from configs import default
from configs.keys import (
    KEYS,
    Range,
    is_name,
    no_such_key,
    no_value,
    settle_places,
    values_of,
)
from configs.tasks import SWEEP, TRAIN

Point = tuple[str, tuple[tuple[str, object], ...]]

SIZES_PERCENT = (2, 4, 8, 16, 32, 64, 100)  # Fig. 5.
INITIALISATIONS = 15  # Fig. 4.
# Seeds of each point of the grid of Fig. 7, whose claims are about single pairs of
# points: one of twelve has to differ by 0.051 to be told from chance with three seeds,
# and by 0.017 with five (`studies.foresight`, a deviation of 0.004).
PAIRED_SEEDS = 5
MAGNITUDES = ("db", "linear")
WEIGHTINGS = ("per_frequency", "a_weighting", "bypass")
SCALES = (1, 10)

# Where corrections of label noise take their rates from.
CORRECTIONS = {
    "true": "true",
    "annotated": "annotated",
    "half": "true*0.5",
    "twice": "true*2",
}

# What is one for a whole study, as are the corpus and all keys that change no result;
# flags of XLA are set once for a process.
FIXED = ("name", "task", "sweep", "train.deterministic")
SEEDS = ("seed", "num_seeds")
SHARE = "train.fraction"
# Keys of `train` that count epochs.
EPOCHS = ("max_epochs", "warmup_epochs", "patience_epochs", "evaluate_every_epochs")


def study(task: str, *points: Point) -> ConfigDict:
    """Makes a study of several runs: what all have in common, and what each changes."""
    return default.get_config(
        name=task,
        task=task,
        sweep=points,
        num_seeds=3,
        corpus__train_clips=900,
        corpus__valid_clips=500,
        corpus__test_clips=2000,
        train__max_epochs=12.0,
        train__patience_epochs=4.0,
        analysis__linear_baseline=False,
    )


def variance() -> list[Point]:
    """Lists the point of Fig. 4: one run of 15 initialisations."""
    return [_point("variance", num_seeds=INITIALISATIONS)]


def sizes(percents: tuple[int, ...] = SIZES_PERCENT) -> list[Point]:
    """Lists the points of Fig. 5: mel and STFT on nested shares of the clips."""
    return [
        _point(
            f"size-{kind}-{percent:03d}",
            spectrogram__kind=kind,
            train__fraction=percent / 100,
        )
        for kind in ("mel", "stft")
        for percent in percents
    ]


def preprocessing(num_seeds: int = PAIRED_SEEDS) -> list[Point]:
    """Lists the points of Fig. 7: magnitudes, weightings, scales, STFT (footnote 5).

    Points on STFT bins, which take long, have the seeds of their study.
    """
    grid = [
        _point(
            f"pre-{magnitude}-{weighting}-x{scale}",
            num_seeds=num_seeds,
            preprocessing__magnitude=magnitude,
            preprocessing__frequency_weighting=weighting,
            preprocessing__scale=float(scale),
        )
        for magnitude in MAGNITUDES
        for scale in SCALES
        for weighting in WEIGHTINGS
    ]
    stft = [
        _point(
            f"pre-stft-{magnitude}",
            preprocessing__magnitude=magnitude,
            spectrogram__kind="stft",
        )
        for magnitude in MAGNITUDES
    ]
    return grid + stft


def label_noise(knows_truth: bool = True) -> list[Point]:
    """Lists points of several kinds of noise, smaller training sets, and corrections.

    Without a truth the labels as they are take its place, and those with half of the
    positives missing that of the weak labels.
    """
    clean: dict[str, object] = {"train__labels": "true"} if knows_truth else {}
    weak: dict[str, object] = {} if knows_truth else {"train__drop_positives": 0.5}
    points = {"clean": clean}
    for rate in (0.5, 0.75):
        points[f"drop-{100 * rate:02.0f}"] = clean | {"train__drop_positives": rate}
    for rate in (0.05, 0.1):
        points[f"flip-{100 * rate:02.0f}"] = clean | {"train__flip_labels": rate}
    if knows_truth:
        points |= {"weak": weak, "weak-drop-50": {"train__drop_positives": 0.5}}
    for share in (0.5, 0.2):
        points[f"size-{100 * share:02.0f}"] = clean | {"train__fraction": share}
    for name, rates in CORRECTIONS.items():
        points[f"fix-{name}"] = weak | {"train__label_noise": rates}
    return [_point(f"noise-{name}", **changes) for name, changes in points.items()]


def check(sweep: Sequence[Point]) -> None:
    """Checks how a sweep is written."""
    shape = '(("name", (("key", value), …)), …)'
    names = []
    for point in sweep:
        try:
            name, changes = point
            keys = [key for key, _ in changes]
            if not all(isinstance(one, str) for one in (name, *keys)):
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError(
                f"sweep: {point!r} is not a point; a sweep is written as {shape}"
            ) from None
        if not is_name(name) or name.isdecimal():
            raise ValueError(
                f"sweep: a point is called {name!r}; a name has letters, digits, '_', "
                "'-' and '.', at most 200 bytes, and is not a number, because --point "
                "also takes numbers"
            )
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"sweep: the point {name} sets {twice[0]} twice")
        if fixed := [key for key in keys if _is_fixed(key)]:
            raise ValueError(
                f"sweep: the point {name} changes {fixed[0]}, which is the same for "
                "all points; give it on the command line"
            )
        names.append(name)
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"sweep: two points are called {twice[0]}")


def _is_fixed(key: str) -> bool:
    changes_nothing = key in KEYS and not KEYS[key].matters
    return key in FIXED or key.startswith("corpus.") or changes_nothing


def settle(config: ConfigDict, given: Mapping[str, object]) -> None:
    """Lets keys that the command line gives, with their values, override points.

    A config that trains and has points becomes a study of them.
    """
    if config.sweep is None:
        raise ValueError("sweep is None; write () for no points")
    config.sweep = obey(config.sweep, given)
    if config.sweep and config.task == TRAIN:
        config.task = SWEEP


def obey(sweep: Sequence[Point], given: Mapping[str, object]) -> tuple[Point, ...]:
    """Returns the points without the keys that the command line gives.

    Points override defaults, and the user overrides points. Of shares and epochs, by
    which a point says how they go together (`at`), they have the user's values.

    >>> obey([("many", (("num_seeds", 15),)), ("few", ())], {"seed": 1})[0]
    ('many', (('num_seeds', 15),))
    """
    if not given:
        return tuple(sweep)
    check(sweep)
    dropped = {*given} - {SHARE, *(f"train.{one}" for one in EPOCHS)}
    found: list[Point] = []
    known: dict[str, Point] = {}
    for name, changes in sweep:
        kept = tuple(change for change in changes if change[0] not in given)
        other, before = known.setdefault(repr(sorted(kept, key=str)), (name, changes))
        old, new = dict(before), dict(changes)
        differ = [key for key in given if old.get(key) != new.get(key)]
        if differ:
            shown = " and ".join(f"--config.{key}" for key in sorted(differ))
            raise ValueError(
                f"{shown}: the points {other} and {name} differ in nothing else, so "
                "they would be the same run; leave it out, or train one such run with "
                "configs/db_mel.py"
            )
        changed = ((key, given.get(key, value)) for key, value in changes)
        found.append((name, tuple(one for one in changed if one[0] not in dropped)))
    return tuple(found)


def at(config: ConfigDict, point: Point) -> ConfigDict:
    """Makes the configuration of one point: an ordinary run.

    The epochs of a study are those of its whole training set. A point that trains on a
    share of it takes as many steps as all clips would, unless validation stops
    improving: the rule for stopping is the same at every size, counted in steps.
    Epochs that the point sets itself are as it says. What a config's file makes of
    other keys by references follows those of the point.
    """
    changed = copy.deepcopy(config)
    name, changes = point
    for key, given in changes:
        # NumPy's numbers, as of `np.logspace`, are Python's of the same value.
        value = given
        if getattr(given, "shape", None) == ():
            value = cast("Any", given).item()
        if key not in KEYS:
            raise no_such_key(f"point {name} changes {key}", key)
        if value is None:
            raise no_value(f"point {name}: {key}", key)
        section, _, last = key.rpartition(".")
        try:
            (changed[section] if section else changed)[last] = value
        except TypeError as error:
            raise ValueError(f"point {name}: {key}={value!r}: {error}") from None
    changed = changed.copy_and_resolve_references()
    settle_places(changed)
    changed.task, changed.sweep = TRAIN, ()
    share = changed.train.fraction
    if SHARE in dict(changes) and share > 0:  # `checks` refuses others.
        for counted in EPOCHS:
            if f"train.{counted}" not in dict(changes):
                changed.train[counted] = _as_many_steps(changed.train, counted, name)
    return changed.lock()


def _as_many_steps(train: ConfigDict, counted: str, point: str) -> float:
    """Counts the epochs of a share that take as many steps as those of all clips."""
    allowed, whole = KEYS[f"train.{counted}"].allowed, train[counted]
    epochs = whole / train.fraction
    if isinstance(allowed, Range) and whole in allowed and epochs not in allowed:
        raise ValueError(
            f"point {point}: train.fraction={train.fraction:g} is too small: it makes "
            f"{epochs:g} epochs of train.{counted}={whole:g}, to take as many steps as "
            f"all clips would, and more than {allowed.high:g} are refused; train on a "
            f"larger share, or set train.{counted} in the point"
        )
    return epochs


@contextmanager
def naming(point: Point) -> Iterator[None]:
    """Says of which point an error is."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"point {point[0]}: {error}") from error


def runs(config: ConfigDict, wanted: str = "") -> list[ConfigDict]:
    """Lists the configurations of the points that --point asks for, or a run's own."""
    return [at(config, point) for point in choose(config.sweep, wanted)] or [config]


def check_different(config: ConfigDict) -> None:
    """Checks that no run is done twice; points may differ in the seed alone.

    A study of several parts, which tell their points by the start of a name, may have
    the same run in two of them.
    """
    known: dict[str, dict[int, str]] = {}
    for point in config.sweep:
        own = at(config, point)
        values = values_of(own).items()
        alike = [one for one in values if KEYS[one[0]].matters and one[0] not in SEEDS]
        part = "" if config.task == SWEEP else point[0].partition("-")[0]
        before = known.setdefault(repr((part, alike)), {})
        for seed in range(own.seed, own.seed + own.num_seeds):
            other = before.setdefault(seed, point[0])
            if other != point[0]:
                raise ValueError(
                    f"sweep: the points {other} and {point[0]} would be the same run "
                    f"with seed {seed}; leave one of them out, or change a key that "
                    "they or the command line set"
                )


def choose(sweep: Sequence[Point], wanted: str) -> list[Point]:
    """Finds the points that --point asks for, in the order of the study; "" for all.

    Names, numbers from 0, and patterns such as `pre-db-*` are separated by commas.
    """
    if not wanted:
        return list(sweep)
    found = {number for word in wanted.split(",") for number in _find(sweep, word)}
    return [sweep[number] for number in sorted(found)]


def _find(sweep: Sequence[Point], word: str) -> list[int]:
    """Finds the numbers of the points of a name, a number, or a pattern."""
    names = [point[0] for point in sweep]
    if word in names:
        return [names.index(word)]
    if word.isdecimal() and int(word) < len(names):
        return [int(word)]
    found = [n for n, name in enumerate(names) if fnmatchcase(name, word)]
    if not found:
        listed = ", ".join(f"{number} {name}" for number, name in enumerate(names))
        raise ValueError(
            f"--point={word}: there is no such point; choose from {listed}"
        )
    return found


def _point(name: str, **changes: object) -> Point:
    """Makes a point; keys are given as `train__fraction`."""
    return name, tuple((key.replace("__", "."), v) for key, v in changes.items())
