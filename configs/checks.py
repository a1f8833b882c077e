"""What values a configuration may hold, checked before any work is done."""

import difflib
import hashlib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from configs import default

# What --mode=run does beside training: the studies of the paper.
STUDIES = (
    "network",
    "tags",
    "groundtruth",
    "variance",
    "data_size",
    "preprocessing",
    "reliability",
    "label_vectors",
    "paper",
)
CHOICES = {
    "task": ("train", *STUDIES),
    "corpus.name": ("synthetic", "folder", "msd", "magnatagatune", "mtg_jamendo"),
    "corpus.labels": ("auto", "split_files", "lastfm", "pickles"),
    "corpus.subset": (
        "autotagging_top50tags",
        "autotagging",
        "autotagging_genre",
        "autotagging_instrument",
        "autotagging_moodtheme",
    ),
    "clip.offset": ("start", "centre"),
    "spectrogram.kind": ("mel", "stft"),
    "preprocessing.magnitude": ("db", "linear"),
    "preprocessing.frequency_weighting": (
        "bypass",
        "a_weighting",
        "per_frequency",
        "per_frequency_dataset",
    ),
    "model.dtype": ("float32", "bfloat16"),
    "train.freeze": ("nothing", "features"),
    "train.optimiser": ("adam", "sgd"),
    "train.parallel": ("data", "seeds"),
    "analysis.similarity": ("cosine", "dot"),
    "input.reader": ("tf.data", "plain"),
}

# Key: smallest and largest value allowed, and whether the smallest itself is.
RANGES = {
    "seed": (0, 2**31, True),
    "num_seeds": (1, 10_000, True),
    "data_seed": (0, 2**31, True),
    "corpus.num_clips": (18, math.inf, True),
    "corpus.seed": (0, 2**31, True),
    "corpus.tagability_exponent": (0, 1, False),
    "corpus.num_tags": (1, 1000, True),
    "corpus.fold": (0, 4, True),
    "corpus.excerpts_per_track": (1, 1000, True),
    "clip.duration_s": (0, 3600, False),
    "spectrogram.sample_rate_hz": (1000, 192_000, True),
    "spectrogram.dft_size_samples": (16, 2**16, True),
    "spectrogram.hop_samples": (1, 2**16, True),
    "spectrogram.num_mel_bands": (1, 2**10, True),
    "preprocessing.scale": (0, 1e6, False),
    "model.channels": (1, 4096, True),
    "model.batch_norm_momentum": (0, 1, True),
    "model.batch_norm_epsilon": (0, 1, False),
    "train.batch_size": (0, 2**16, True),
    "train.learning_rate": (0, 10, False),
    "train.fraction": (0, 1, False),
    "train.max_epochs": (0, 1e6, False),
    "train.max_steps": (0, 10**9, True),
    "train.patience_epochs": (0, 1e6, True),
    "train.evaluate_every_epochs": (0, 1e6, False),
    "train.evaluation_batch_size": (0, 2**16, True),
    "train.statistics_clips": (0, 10**7, True),
    "train.log_every_steps": (1, 10**6, True),
    "train.checkpoint_every_minutes": (0, 1e6, True),
    "train.num_devices": (0, 4096, True),
    "train.seeds_per_chunk": (0, 10_000, True),
    "analysis.subset100_clips": (2, 10**6, True),
    "analysis.subset400_clips": (1, 10**6, True),
    "analysis.subset_seed": (0, 2**31, True),
    "analysis.bootstrap_samples": (10, 10**6, True),
    "analysis.num_resamples": (10, 10**6, True),
    "analysis.label_only_clips": (0, 10**7, True),
    "process_count": (0, 10**5, True),
    "process_index": (0, 10**5, True),
    "prepare.num_processes": (0, 4096, True),
    "prepare.worker": (0, 10**5, True),
    "prepare.num_workers": (1, 10**5, True),
    "prepare.clips_per_shard": (1, 10**6, True),
    "prepare.max_bad_share": (0, 1, True),
    "stall_warning_s": (0, 1e6, True),
}

# Directories that a corpus is read from; the others make their own in --data_dir.
PLACES = {
    "folder": ("audio_dir",),
    "msd": ("audio_dir", "label_dir"),
    "magnatagatune": ("audio_dir", "label_dir"),
    "mtg_jamendo": ("audio_dir", "label_dir"),
}

# Corpora whose labels can be looked at where nobody has the audio.
LABELS_ALONE = ("msd",)

# Keys that change how a run is carried out, not its result.
INCIDENTAL = (
    "resume",
    "distributed",
    "process_count",
    "process_index",
    "name",
    "prepare",
    "input",
    "analysis",
    "compilation_cache_dir",
    "stall_warning_s",
    "profile_steps",
    "corpus.audio_dir",
    "corpus.label_dir",
    "train.checkpoint_every_minutes",
    "train.evaluation_batch_size",
    "train.log_every_steps",
    "train.num_devices",
    "train.parallel",
    "train.seeds_per_chunk",
)

# What training takes from a bundle; "sha256" is that of its weights.
OF_BUNDLE = ("tags", "recipe", "preprocessing", "network", "sha256")


def check_keys(arguments: Sequence[str]) -> None:
    """Checks the keys of `--config.KEY=VALUE` arguments.

    Raises:
        ValueError: Names a key that is not in `default.py`, and the nearest that is.
    """
    known = list(flatten(default.get_config().to_dict()))
    for argument in arguments:
        if not argument.lstrip("-").startswith("config.") or argument[:1] != "-":
            continue
        key = argument.lstrip("-").removeprefix("config.").partition("=")[0]
        if key in known:
            continue
        # A key is known by its last part too: --config.batch_size, say.
        near = [name for name in known if name.split(".")[-1] == key.split(".")[-1]]
        near = near or [name for name in known if name.startswith(f"{key}.")]
        near = near or difflib.get_close_matches(key, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise ValueError(
            f"--config.{key}: there is no such key{hint} All keys are in "
            "configs/default.py"
        )


def check(config: ConfigDict, needs_audio: bool = True) -> None:
    """Checks every value and every combination.

    Args:
        config: all keys.
        needs_audio: whether what is to be done needs audio, besides labels.

    Raises:
        ValueError: Names the key, the value given and what is allowed.
    """
    for key, allowed in CHOICES.items():
        if _get(config, key) not in allowed:
            raise ValueError(
                f"--config.{key}={_get(config, key)!r}: must be one of "
                f"{', '.join(map(repr, allowed))}"
            )
    for key, (low, high, closed) in RANGES.items():
        value = _get(config, key)
        if not (low <= value <= high) or (value == low and not closed):
            bound = "at least" if closed else "more than"
            raise ValueError(
                f"--config.{key}={value}: must be {bound} {low} and at most {high}"
            )
    for kind in config.prepare.kinds:
        if kind not in CHOICES["spectrogram.kind"]:
            raise ValueError(
                f"--config.prepare.kinds={config.prepare.kinds}: {kind!r} must be one "
                f"of {', '.join(map(repr, CHOICES['spectrogram.kind']))}"
            )
    _check_combinations(config)
    _check_places(config.corpus, needs_audio)


def _check_combinations(config: ConfigDict) -> None:
    spectrogram = config.spectrogram
    if not re.fullmatch(r"\w[\w.-]*", config.name):
        raise ValueError(
            f"--config.name={config.name!r}: it names a folder, so it must be letters, "
            "digits, '_', '-' and '.'"
        )
    if spectrogram.dft_size_samples % 2:
        raise ValueError(
            f"--config.spectrogram.dft_size_samples={spectrogram.dft_size_samples}: "
            "must be even"
        )
    if spectrogram.hop_samples > spectrogram.dft_size_samples:
        raise ValueError(
            f"--config.spectrogram.hop_samples={spectrogram.hop_samples} skips samples "
            f"between frames of {spectrogram.dft_size_samples}: it must be at most "
            "spectrogram.dft_size_samples"
        )
    _check_jobs(config)
    _check_start(config.train)
    steps = config.profile_steps
    if steps and not (_is_pair(steps) and steps[0] <= steps[1]):
        raise ValueError(
            f"--config.profile_steps={steps}: must be the first and the last step, "
            "counted from 1, such as (100, 110)"
        )
    _check_processes(config)
    for file in config.analysis.annotations:
        if not Path(file).is_file():
            raise ValueError(f"--config.analysis.annotations: there is no file {file}")
    for pool in config.model.pools:
        if not _is_pair(pool):
            raise ValueError(
                f"--config.model.pools={config.model.pools}: each entry must be two "
                "positive whole numbers, bands and frames, such as (2, 4)"
            )


def _check_places(corpus: ConfigDict, needs_audio: bool) -> None:
    needed = PLACES.get(corpus.name, ())
    may_lack = () if needs_audio or corpus.name not in LABELS_ALONE else ("audio_dir",)
    for key in ("audio_dir", "label_dir"):
        place = corpus[key]
        if key in needed and key not in may_lack and not place:
            raise ValueError(
                f"--config.corpus.name={corpus.name} needs --config.corpus.{key}=DIR "
                f"(docs/{corpus.name}_corpus.md describes it)"
            )
        if place and key not in needed:
            users = [name for name, keys in PLACES.items() if key in keys]
            raise ValueError(
                f"--config.corpus.{key}={place} goes with --config.corpus.name="
                f"{' or '.join(users)}, not with {corpus.name}"
            )
        if place and not Path(place).is_dir():
            raise ValueError(f"--config.corpus.{key}={place}: no such directory")


def _check_start(train: ConfigDict) -> None:
    if train.init_bundle and not Path(train.init_bundle).is_dir():
        raise ValueError(
            f"--config.train.init_bundle={train.init_bundle}: no such directory; a "
            "training leaves its bundle in <workdir>/bundle"
        )
    if train.freeze != "nothing" and not train.init_bundle:
        raise ValueError(
            f"--config.train.freeze={train.freeze} needs --config.train.init_bundle=DIR"
            ": weights that only just began are not worth keeping"
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
            f"--config.prepare.num_workers={num_workers} with the synthetic corpus, "
            "which the first job that needs it makes alone; array jobs read one that "
            "exists: --config.corpus.name=folder --config.corpus.audio_dir=DIR"
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
            "and --config.process_index, which is less than that and counts from 0 "
            f"(here {config.process_index})"
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


def digest(matter: dict) -> str:
    """Eight hexadecimal digits of what a result depends on.

    >>> digest({"num_seeds": 1}) == digest({"num_seeds": 2})
    False
    """
    text = json.dumps(matter, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def matter(config: ConfigDict) -> dict:
    """The keys that change a result, as a flat dict of dotted names.

    Of a bundle that is started from, its content matters and not its place.

    Raises:
        ValueError: The bundle cannot be read.
    """
    flat = flatten(config.to_dict())
    if config.train.init_bundle:
        flat["train.init_bundle"] = bundle_digest(Path(config.train.init_bundle))
    else:
        del flat["train.init_bundle"], flat["train.freeze"]
    return {k: v for k, v in flat.items() if not k.startswith(INCIDENTAL)}


def bundle_digest(directory: Path) -> str:
    """Digest of what training takes from a bundle: not of when it was written.

    Raises:
        ValueError: There is no bundle.
    """
    try:
        content = json.loads((directory / "bundle.json").read_text(encoding="utf-8"))
        return digest({key: content[key] for key in OF_BUNDLE})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--config.train.init_bundle={directory} holds no bundle ({error!r}); a "
            "training leaves its bundle in <workdir>/bundle"
        ) from error


def flatten(tree: dict, prefix: str = "") -> dict:
    """Nested dicts as one dict of dotted names.

    >>> flatten({"a": {"b": 1}, "c": (2, 3)})
    {'a.b': 1, 'c': (2, 3)}
    """
    flat = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, name + ".") if isinstance(value, dict) else {name: value}
    return flat


def _get(config: ConfigDict, key: str) -> object:
    for part in key.split("."):
        config = config[part]
    return config
