"""What values a configuration may hold, checked before any work is done.

Each check raises a ValueError that names the key or the flag, the value given, and what
is allowed.
"""

import ast
import difflib
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from configs import sweeps
from configs.keys import (
    CONVNET,
    KEYS,
    KNOWN_WEIGHTS,
    Range,
    did_you_mean,
    file_of_rates,
    file_of_weights,
    is_name,
    label_noise_of,
    no_such_key,
    no_value,
    values_of,
)
from configs.tasks import SWEEP, TASKS, TRAIN

# Positions in one pooling window. The paper's have 20 at most; 256 compile for 20 s on
# two cores, a window of 96 x 47 for a quarter of an hour and to 23 GB.
MAX_WINDOW = 256

TUPLES_OF_TEXT = (
    *("train.augmentations", "prepare.kinds"),
    *("analysis.annotations", "analysis.annotated_labels"),
)
FOLDERS = ("input.local_dir", "compilation_cache_dir")
# What absl says of a key whose value cannot be read.
_UNREADABLE = re.compile(r"flag --config\.([\w.]+)=(.*?): ", re.DOTALL)


def check_keys(arguments: Sequence[str]) -> None:
    """Checks the keys of `--config.KEY=VALUE` arguments."""
    for argument in arguments:
        if not argument.lstrip("-").startswith("config.") or argument[:1] != "-":
            continue
        key = argument.lstrip("-").removeprefix("config.").partition("=")[0]
        if key not in KEYS:
            raise no_such_key(f"--config.{key}", key)


def in_words(error: Exception) -> Exception:
    """Says what a key takes whose value on the command line cannot be read.

    Other errors stay as they are.
    """
    found = _UNREADABLE.match(str(error))
    key = KEYS.get(found[1]) if found else None
    if found is None or key is None:
        return error
    kinds = {
        int: "a whole number, ",
        float: "a number, ",
        tuple: "written as Python's ",
    }
    kind = kinds.get(type(key.default), "")
    return ValueError(
        f"--config.{key.name}={found[2]}: must be {kind}{key.allowed} (docs/keys.md)"
    )


def check_file(arguments: Sequence[str]) -> None:
    """Checks the file that `--config=FILE` names, which may end in `:variant`."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    before = ""
    for argument, after in pairs:
        flag, is_whole, value = argument.partition("=")
        if flag not in ("--config", "-config"):
            continue
        value = value if is_whole else after
        if before:
            raise ValueError(
                f"--config is given twice, as {before} and as {value}; give one file"
            )
        before = value
        name, _, variant = value.partition(":")
        file = Path(name)
        if file.is_file():
            _check_get_config(file, variant)
            continue
        folders = {Path("configs"), file.parent} - {Path()}
        there = [one for folder in folders for one in folder.glob("*.py")]
        names = {path.stem: str(path) for path in there if path.is_file()}
        near = difflib.get_close_matches(file.stem, list(names), n=2)
        hint = did_you_mean([names[one] for one in near])
        raise ValueError(
            f"--config={value}: there is no such file{hint} docs/commands.md and "
            "docs/studies.md list the configs"
        )


def _check_get_config(file: Path, variant: str) -> None:
    """Checks that a config's file has a `get_config`, with or without a word."""
    what = f"--config={file}{variant and ':'}{variant}"
    text = file.read_bytes()
    body: list[ast.stmt] = []
    with suppress(SyntaxError, ValueError):  # Which are told when the file is read.
        body = ast.parse(text).body
    has_name = re.search(rb"\bget_config\b|import \*", text)
    if not has_name or any(_gives_it_a_value(one) for one in body):
        raise ValueError(
            f"{what}: the file has no function get_config(); start from "
            "configs/default.py, as configs/db_mel.py does"
        )
    for one in body:
        if not (isinstance(one, ast.FunctionDef) and one.name == "get_config"):
            continue
        words = [*one.args.posonlyargs, *one.args.args]
        if variant and not (words or one.args.vararg):
            raise ValueError(f"{what}: {file} has no variants; give --config={file}")
        if not variant and len(words) > len(one.args.defaults):
            raise ValueError(
                f"{what}: its get_config() needs an argument, {words[0].arg}; give "
                f"--config={file}:VALUE"
            )


def _gives_it_a_value(line: ast.stmt) -> bool:
    """Whether `get_config` is set to something that nobody can call."""
    if not isinstance(line, ast.Assign | ast.AnnAssign):
        return False
    targets = line.targets if isinstance(line, ast.Assign) else [line.target]
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    values = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.JoinedStr)
    return "get_config" in names and isinstance(line.value, values)


def check_names(config: object) -> None:
    """Checks that a configuration has the keys of `keys.py`, and no others."""
    if not isinstance(config, ConfigDict):
        raise ValueError(
            f"the configuration is a {type(config).__name__}; get_config() of its file "
            "must return a ConfigDict: start from configs/default.py"
        )
    found = set(_names(config))
    missing = sorted(KEYS.keys() - found)
    if missing:
        some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise ValueError(
            f"the configuration lacks {len(missing)} of {len(KEYS)} keys ({some}); "
            "start from configs/default.py, as configs/db_mel.py does, and change what "
            "differs"
        )
    for name in sorted(found - KEYS.keys()):
        raise no_such_key(f"the configuration has {name}", name)


def _names(section: ConfigDict, prefix: str = "") -> Iterator[str]:
    """Yields the dotted names of all keys."""
    for key in section:
        value = section[key]
        if isinstance(value, ConfigDict):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def check_for_mode(
    config: ConfigDict, mode: str, bundle: str = "", point: str = ""
) -> list[ConfigDict]:
    """Checks a configuration for what the flags --mode, --bundle and --point ask for.

    It returns the configurations of all points; of a single run, its own.
    """
    check_names(config)
    check(config)
    workers = config.prepare.num_workers
    if workers > 1 and mode not in ("prepare", "audit", "annotate"):
        raise ValueError(
            f"--mode={mode} with --config.prepare.num_workers={workers}: jobs of an "
            "array can only prepare; use --mode=prepare, then run without "
            "prepare.worker and prepare.num_workers"
        )
    is_training = config.task == TRAIN or config.sweep
    trains = mode in ("run", "evaluate") and not bundle and is_training
    if config.distributed and not trains:
        raise ValueError(
            f"--config.distributed={config.distributed} with --mode={mode} of "
            f"{config.name}: several processes can only train and evaluate; leave it "
            "out (array jobs prepare together: docs/preparation.md)"
        )
    if point and not config.sweep:
        raise ValueError(
            f"--point={point}: {config.name} is not a study of several runs; leave "
            "--point out, or choose a study's config (docs/studies.md)"
        )
    sweeps.check(config.sweep)
    sweeps.choose(config.sweep, point)
    points = sweeps.runs(config)
    _check_sweep(config)
    for of_sweep, one in zip(config.sweep, points, strict=False):  # Or there are none.
        with sweeps.naming(of_sweep):
            check(one)
            if "train.noise_seed" in dict(of_sweep[1]):
                _check_noise_seed(one.train, [one])
    sweeps.check_different(config)  # It counts seeds, of which there may be too many.
    _check_noise_seed(config.train, points)
    return points


def _check_noise_seed(train: ConfigDict, runs: Sequence[ConfigDict]) -> None:
    adds_noise = [one.train.drop_positives or one.train.flip_labels for one in runs]
    if train.noise_seed and not any(adds_noise):
        raise ValueError(
            f"--config.train.noise_seed={train.noise_seed}: no labels are "
            "changed without --config.train.drop_positives or "
            "--config.train.flip_labels; give one of them, or leave noise_seed out"
        )


def _check_sweep(config: ConfigDict) -> None:
    task = TASKS[config.task]
    if config.sweep and not task.trains:
        raise ValueError(
            f"--config.task={config.task} trains nothing, so it has no use for the "
            "points of `sweep`; leave one of the two out"
        )
    known = task.points
    if strange := [name for name, _ in config.sweep if not name.startswith(known)]:
        raise ValueError(
            f"--config.task={config.task} only uses points called "
            f"{', '.join(f'{one}…' for one in known)}, not {strange[0]}; list points "
            "of your own in a config that trains, such as configs/db_mel.py "
            "(docs/studies.md#a-study-of-your-own)"
        )
    if task.trains and config.task != TRAIN and not config.sweep:
        ours = f"use --config=configs/{config.task}.py, or list them"
        listed = "list them" if config.task == SWEEP else ours
        raise ValueError(
            f"--config.task={config.task}: there are no points to train; {listed} in "
            "`sweep` of the config's file (docs/studies.md#a-study-of-your-own)"
        )


def check(config: ConfigDict) -> None:
    """Checks every value and every combination, but for those of a corpus's reader."""
    values: dict[str, Any] = values_of(config)
    for name, value in values.items():
        if value is None:
            raise no_value(f"--config.{name}", name)
        allowed = KEYS[name].allowed
        if not isinstance(allowed, str) and value not in allowed:
            shown, words = repr(value), f"one of {', '.join(map(repr, allowed))}"
            if isinstance(allowed, Range):
                shown, words = str(value), str(allowed)
            raise ValueError(f"--config.{name}={shown}: must be {words}")
    for name in TUPLES_OF_TEXT:
        value = values[name]
        if not all(isinstance(one, str) for one in value):
            raise ValueError(
                f"--config.{name}={value}: each entry must be a text in quotes"
            )
    for name in FOLDERS:
        if "://" in values[name]:
            raise ValueError(
                f"--config.{name}={values[name]}: must be a folder of this machine; "
                "only --data_dir may be an address"
            )
    _check_name(config.name)
    _check_annotations(config.analysis)
    _check_spectrogram(config.spectrogram)
    _check_network(config)
    _check_pools(config.model)
    _check_start(config.train)
    _check_frozen(config)
    _check_label_noise(config.train)
    _check_class_weights(config.train)
    _check_profile(config.profile_steps)
    _check_jobs(config)
    _check_processes(config)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise ValueError(
            f"--config.name={name!r}: it names a folder, so it must consist of "
            "letters, digits, '_', '-' and '.', at most 200 bytes"
        )


def _check_annotations(analysis: ConfigDict) -> None:
    labels = analysis.annotated_labels
    if not labels or len({*labels}) < len(labels):
        raise ValueError(
            f"--config.analysis.annotated_labels={labels}: must have labels, each once"
        )
    for file in analysis.annotations:
        if not Path(file).is_file():
            raise ValueError(f"--config.analysis.annotations: there is no file {file}")


def _check_spectrogram(spectrogram: ConfigDict) -> None:
    size, hop = spectrogram.dft_size_samples, spectrogram.hop_samples
    if size % 2:
        raise ValueError(f"--config.spectrogram.dft_size_samples={size}: must be even")
    if hop > size:
        raise ValueError(
            f"--config.spectrogram.hop_samples={hop} skips samples between frames of "
            f"{size}: it must be at most spectrogram.dft_size_samples"
        )


def _check_pools(model: ConfigDict) -> None:
    for pool in model.pools:
        if not _is_pair(pool):
            raise ValueError(
                f"--config.model.pools={model.pools}: each entry must be two positive "
                "whole numbers, bands and frames, such as (2, 4)"
            )
        if math.prod(pool) > MAX_WINDOW:
            raise ValueError(
                f"--config.model.pools={model.pools}: {pool[0]} x {pool[1]} positions "
                f"in one window are more than {MAX_WINDOW}, which would compile for "
                "many minutes; use more layers with smaller poolings"
            )


def _check_start(train: ConfigDict) -> None:
    if train.warmup_epochs >= train.max_epochs:
        raise ValueError(
            f"--config.train.warmup_epochs={train.warmup_epochs:g}: must be less than "
            f"train.max_epochs, {train.max_epochs:g}"
        )
    if train.init_bundle and not Path(train.init_bundle).is_dir():
        raise ValueError(
            f"--config.train.init_bundle={train.init_bundle}: no such directory; a "
            "training leaves its bundle in <workdir>/bundle"
        )
    if train.freeze != "nothing" and not train.init_bundle:
        raise ValueError(
            f"--config.train.freeze={train.freeze} needs "
            "--config.train.init_bundle=DIR, which gives the weights to keep"
        )


def _check_frozen(config: ConfigDict) -> None:
    """Refuses what makes batch statistics where those of the bundle stay."""
    if config.train.freeze != "features":
        return
    made_by = {
        "train.statistics_clips": config.train.statistics_clips,
        "model.batch_norm_momentum": config.model.batch_norm_momentum,
    }
    for key, value in made_by.items():
        if value != KEYS[key].default:
            raise ValueError(
                f"--config.{key}={value}: with train.freeze=features the batch "
                "statistics of the bundle stay as they are; leave it out"
            )


def _check_label_noise(train: ConfigDict) -> None:
    _, factor = label_noise_of(train.label_noise)
    if train.label_noise and not 0 < factor < math.inf:
        raise ValueError(
            f"--config.train.label_noise={train.label_noise}: the factor must be more "
            "than 0, and finite"
        )
    path = file_of_rates(train.label_noise)
    if path and not path.is_file():
        raise ValueError(
            f"--config.train.label_noise={train.label_noise}: there is no such file; "
            'give a CSV or JSON file, "true" or "annotated" (docs/label_noise.md), '
            'each perhaps followed by a factor such as "*2"'
        )


def _check_class_weights(train: ConfigDict) -> None:
    weights, path = train.class_weights, file_of_weights(train.class_weights)
    if path and not path.is_file():
        raise ValueError(
            f"--config.train.class_weights={weights}: there is no such file; give "
            f"{' or '.join(KNOWN_WEIGHTS)}, or a CSV file with the columns tag, "
            "positive and negative"
        )
    if weights != "none" and train.label_noise:
        raise ValueError(
            f"--config.train.class_weights={weights} with "
            f"--config.train.label_noise={train.label_noise}: scores of a weighted "
            "loss are not probabilities, which the correction needs; leave one of the "
            "two out"
        )


def _check_network(config: ConfigDict) -> None:
    network, task = config.model.network, config.task
    if network != CONVNET and ":" not in network:
        raise ValueError(
            f"--config.model.network={network}: must be {CONVNET}, or a Flax module of "
            "your own as package.module:Name (docs/extending.md)"
        )
    if network != CONVNET and TASKS[task].reads_layers:
        raise ValueError(
            f"--config.model.network={network}: the study {task} looks at the layers "
            "of the paper's network; leave model.network out, or choose another study"
        )


def _check_profile(steps: Sequence[int]) -> None:
    if steps and not (_is_pair(steps) and steps[0] <= steps[1]):
        raise ValueError(
            f"--config.profile_steps={steps}: must be the first and the last step, "
            "counted from 1, such as (100, 110)"
        )


def _check_jobs(config: ConfigDict) -> None:
    worker, num_workers = config.prepare.worker, config.prepare.num_workers
    if worker >= num_workers:
        raise ValueError(
            f"--config.prepare.worker={worker}: must be less than "
            f"--config.prepare.num_workers={num_workers}, as workers count from 0"
        )
    if num_workers > 1 and config.prepare.beam:
        raise ValueError(
            f"--config.prepare.num_workers={num_workers} with --config.prepare.beam: "
            "a Beam pipeline shares the work itself; give one of the two"
        )
    if num_workers > 1 and config.corpus.name == "synthetic":
        raise ValueError(
            f"--config.prepare.num_workers={num_workers} with the synthetic corpus: "
            "one job makes it; array jobs need a corpus that exists: "
            "--config.corpus.name=folder --config.corpus.audio_dir=DIR"
        )


def _check_processes(config: ConfigDict) -> None:
    where, count = config.distributed, config.process_count
    port = re.fullmatch(r"[^\s/]+:(\d{1,5})", where)
    if where not in ("", "auto") and not (port and 0 < int(port[1]) < 2**16):
        raise ValueError(
            f"--config.distributed={where}: must be auto, or host:port of process 0, "
            "such as node17:12355"
        )
    if port and not config.process_index < count:
        raise ValueError(
            f"--config.distributed={where} needs --config.process_count (here {count}) "
            "and a smaller --config.process_index, counted from 0 (here "
            f"{config.process_index})"
        )
    if not port and (count or config.process_index):
        raise ValueError(
            f"--config.process_count={count} and --config.process_index="
            f"{config.process_index} go with --config.distributed=host:port of process "
            "0; with auto the launcher knows them"
        )


def _is_pair(pool: object) -> bool:
    if not isinstance(pool, (tuple, list)) or len(pool) != 2:
        return False
    return all(isinstance(size, int) and size > 0 for size in pool)
