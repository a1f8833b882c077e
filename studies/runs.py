"""Runs to be compared: which can be, what they differ in, which are one point.

Two runs can be compared if they are complete, of the same corpus, and were scored on
the same test clips with the same labels.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import metrics
from msd_tagger.common.files import flatten
from msd_tagger.common.provenance import environment
from studies.comparison import LABEL_ARRAYS, seed_numbers
from studies.records import (
    POINTS,
    RunRecord,
    SweepRecord,
    labels_of,
    read_json,
    read_run_record,
)

SEEDS = ("seed", "num_seeds")
# What a run's result depends on (`workspace.begin`).
MATTER = "matter.json"


def gather(folders: Sequence[str], out: Path) -> SweepRecord:
    """Reads runs as if they were the points of one study, in the folder `out`.

    Its sweep lists what the runs differ in, and its configuration what all share.

    Raises:
        ValueError: A folder holds no complete run, or one that cannot be compared with
            the first.
    """
    read = {name: _read(Path(folder)) for name, folder in _named(folders).items()}
    first = next(iter(read))
    for run in read.values():
        _check_comparable(run, read[first])
    keys = differing_keys({name: run.workdir for name, run in read.items()})
    configs = {name: flatten(run.config) for name, run in read.items()}
    matter = {name: read_json(run.workdir / MATTER) for name, run in read.items()}
    # Of a file or bundle, configurations have the name and `matter` the content.
    alike = [
        key
        for key in keys
        if len({repr(config.get(key)) for config in configs.values()}) == 1
    ]
    values = {
        name: matter[name] | {k: v for k, v in config.items() if k not in alike}
        for name, config in configs.items()
    }
    sweep = [(name, [(k, one.get(k)) for k in keys]) for name, one in values.items()]
    usual = configs[first]
    unequal = [
        k for k in usual if any(one.get(k) != usual[k] for one in configs.values())
    ]
    shared = _without(read[first].config, unequal)
    config = shared | {"name": out.name, "task": "sweep", "sweep": sweep}
    return SweepRecord(out, config, environment([]), read)


def differing_keys(folders: Mapping[str, Path]) -> list[str]:
    """Lists what the results of runs depend on and is not the same in all.

    What follows from other keys, such as the folder of the shards, is left out, unless
    it alone tells two runs apart.
    """
    matter = [read_json(folder / MATTER) for folder in folders.values()]
    config = flatten(read_json(next(iter(folders.values())) / "config.json"))
    found = [
        key
        for key in sorted({key for one in matter for key in one})
        if len({repr(one.get(key)) for one in matter}) > 1
    ]
    given = [key for key in found if key in config]

    def kinds(keys: Sequence[str]) -> int:
        return len({repr([one.get(key) for key in keys]) for one in matter})

    return given if kinds(given) == kinds(found) else found


def join(runs: Mapping[str, RunRecord]) -> RunRecord:
    """Joins runs that differ in their seeds alone into one of all seeds.

    Raises:
        ValueError: Two of them have the same seed.
    """
    first, *others = runs.values()
    if not others:
        return first
    owner: dict[int, str] = {}
    for name, run in runs.items():
        for seed in seed_numbers(run):
            if seed in owner:
                raise ValueError(
                    f"{owner[seed]} and {name} are the same run: both have seed {seed} "
                    "and differ in nothing that a result depends on; leave one out"
                )
            owner[seed] = name
    summary = first.summary | {
        "seeds": list(owner),
        "num_seeds": len(owner),
        "scores": {"test": _join_scores([run.summary for run in runs.values()])},
    }
    # Those that stopped early were not best at their end.
    last, seconds, steps = (
        [one[key] for one in (run.summary for run in runs.values()) if one.get(key)]
        for key in ("best_step", "train_seconds", "steps")
    )
    is_known = len(seconds) == len(runs)
    summary["best_step"] = [step for of_run in last for step in of_run]
    summary["train_seconds"] = sum(seconds) if is_known else None
    summary["steps"] = max(steps, default=None)
    arrays = dict(first.arrays)
    known = [run.arrays.get("predictions_test") for run in runs.values()]
    if all(known):
        scores = np.concatenate([one["scores"] for one in known if one])
        arrays["predictions_test"] = arrays["predictions_test"] | {"scores": scores}
    return dataclasses.replace(first, summary=summary, arrays=arrays)


def _join_scores(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    scores = [one["scores"]["test"] for one in summaries]
    joined = scores[0] | {"num_seeds": sum(one["num_seeds"] for one in scores)}
    for labels in labels_of(scores[0]):
        seeds = [seed for one in scores for seed in one[labels]["per_seed"]]
        joined[labels] = metrics.over_seeds(seeds)
    return joined


def _named(folders: Sequence[str]) -> dict[str, str]:
    """Names folders by their last part, or as they were given where that is not one."""
    places = [Path(folder).resolve() for folder in folders]
    if twice := [one for one in places if places.count(one) > 1]:
        raise ValueError(f"{twice[0]} is named twice; name each run once")
    if len(places) < 2:
        raise ValueError(
            "there is nothing to compare: name two or more folders of runs, such as "
            "runs/a runs/b, or runs/paper/points/*"
        )
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        names = list(folders)
    return dict(zip(names, folders, strict=True))


def _read(folder: Path) -> RunRecord:
    """Reads a run that is complete and whose predictions are there."""
    if (folder / POINTS).is_dir():
        raise ValueError(
            f"{folder} is a study; name its runs, such as {folder / POINTS}/*"
        )
    run = read_run_record(folder)
    if not run.summary.get("complete"):
        raise ValueError(
            f"{folder} is not complete; give its command again, which goes on where it "
            "stopped"
        )
    if "predictions_test" not in run.arrays:
        raise ValueError(
            f"{folder} has no predictions_test.npz, which says what it was tested on; "
            "give its command again with --mode=evaluate"
        )
    return run


def _check_comparable(run: RunRecord, first: RunRecord) -> None:
    """Refuses a run whose scores mean something else than those of the first."""
    start = f"{run.workdir} cannot be compared with {first.workdir}"
    ours, theirs = (
        " ".join(str(one.summary["corpus"].get(key, "")) for key in ("name", "version"))
        for one in (run, first)
    )
    if ours != theirs:
        raise ValueError(f"{start}: its corpus is {ours} and not {theirs}")
    tags, known = run.summary["tags"], first.summary["tags"]
    if tags != known:
        apart = sorted({*tags} ^ {*known})
        which = f"only one of the two has {apart[0]}" if apart else "they are reordered"
        raise ValueError(f"{start}: its {len(tags)} tags differ, {which}")
    own, other = (one.arrays["predictions_test"] for one in (run, first))
    if not np.array_equal(own["track_id"], other["track_id"]):
        shared = len({*own["track_id"]} & {*other["track_id"]})
        raise ValueError(
            f"{start}: it was tested on {len(own['track_id'])} clips, the other on "
            f"{len(other['track_id'])}, of which {shared} are in both"
        )
    for key in LABEL_ARRAYS.values():
        if key in own and key in other and not np.array_equal(own[key], other[key]):
            raise ValueError(f"{start}: its test clips have other labels")


def _without(config: Mapping[str, Any], keys: Sequence[str], at: str = "") -> dict:
    """Leaves dotted keys out of a nested configuration."""
    return {
        key: _without(value, keys, f"{at}{key}.")
        if isinstance(value, Mapping)
        else value
        for key, value in config.items()
        if f"{at}{key}" not in keys
    }
