"""Every key of a configuration, once; all else that is said of keys comes from here.

The defaults (`default.py`), the checks (`checks.py`), what names a run (`identity.py`)
and docs/keys.md, which `python -m configs.keys` prints.
"""

import difflib
import math
import os
import re
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from configs.tasks import TASKS, TRAIN

CONVNET = "convnet"  # The network of the paper.
# What `train.class_weights` may be besides a file.
KNOWN_WEIGHTS = ("none", "inverse_frequency")
# What `train.label_noise` may be besides a file.
ANNOTATED = "annotated"
KNOWN_RATES = ("true", ANNOTATED)

# Names end in their unit.
UNITS = ("batch_size", "clips", "epochs", "hz", "minutes", "s", "samples", "steps")
SPELLED = {"batch_size": "clips", "hz": "Hz"}


class Range(NamedTuple):
    """Numbers from `low` to `high`; `above` leaves `low` itself out."""

    low: float
    high: float
    above: bool = False

    def __contains__(self, value: object) -> bool:
        """Tells whether a number is allowed; NaN never is."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        is_within = self.low <= value <= self.high
        return is_within and not (self.above and value == self.low)

    def __str__(self) -> str:
        """Says in words what is allowed."""
        low = f"{'more than' if self.above else 'at least'} {self.low}"
        return low if math.isinf(self.high) else f"{low} and at most {self.high}"


class Key(NamedTuple):
    """One key."""

    name: str  # Sections and key, with dots.
    default: object
    # The choices, or a range, or in words where `checks.py` looks closer.
    allowed: tuple[str, ...] | Range | str
    meaning: str  # What it does, and what it costs where that is known.
    # Whether the result of a training depends on it. If so, another value is another
    # run, in another folder.
    matters: bool = True

    @property
    def unit(self) -> str:
        """Of its value; "" where it has none."""
        last = f"_{self.name.split('.')[-1]}"
        ends = [unit for unit in UNITS if last.endswith(f"_{unit}")]
        return SPELLED.get(ends[0], ends[0]) if ends else ""


BOOLEAN = "True or False"
SEED = Range(0, 2**31)
Aside = partial(Key, matters=False)

# fmt: off
_KEYS = (
    Aside("name", "default", "letters, digits, _, - and .", "Names the run's folder."),
    Key("task", TRAIN, (*TASKS,), "A training, or a study (docs/studies.md)."),
    Key("sweep", (), "(name, ((key, value), …)), …",
        "The points of a study (docs/studies.md#a-study-of-your-own)."),
    Key("seed", 0, SEED, "First initialisation; S seeds are seed, seed + 1, …"),
    Key("num_seeds", 1, Range(1, 10_000),
        "S. Time grows with it; reading the input costs the same."),
    Key("data_seed", 0, SEED, "Order of the training clips, the same for all seeds."),
    Key("corpus.name", "synthetic",
        '"synthetic", "folder", "msd", "magnatagatune", "mtg_jamendo" or a reader of '
        "your own (docs/extending.md#a-corpus-reader-of-your-own)",
        "Which corpus."),
    Aside("corpus.audio_dir", "", "a folder",
          "Audio files; in a folder corpus also tags.csv."),
    Aside("corpus.label_dir", "", "a folder", "Label files of published corpora."),
    Key("corpus.train_clips", 600, Range(12, math.inf),
        "Synthetic: clips of the training split. Writing 100 takes 8 s on 2 cores."),
    Key("corpus.valid_clips", 100, Range(2, math.inf),
        "Synthetic: clips for validation."),
    Key("corpus.test_clips", 200, Range(4, math.inf),
        "Synthetic: test clips. More leave less to chance."),
    Key("corpus.seed", 0, SEED, "Synthetic: another seed is another corpus."),
    Key("corpus.tagability_exponent", 0.5, Range(0, 1, above=True),
        "Synthetic: 1 makes tags as sparse as Last.fm's (docs/synthetic_corpus.md)."),
    Key("corpus.num_tags", 0, Range(0, 10**5),
        "K, the number of most frequent tags: in a folder (over its "
        "training clips), MagnaTagATune, and MSD from Last.fm without tags.txt. 0 "
        "means all of a folder's, else 50."),
    Key("corpus.merge_synonyms", False, BOOLEAN,
        "MagnaTagATune: merges synonyms before tags are counted."),
    Key("corpus.labels", "auto", ("auto", "split_files", "lastfm", "pickles"),
        'MSD: which label files; "auto" takes those that label_dir has.'),
    Key("corpus.subset", "autotagging_top50tags",
        ("autotagging_top50tags", "autotagging", "autotagging_genre",
         "autotagging_instrument", "autotagging_moodtheme"),
        'MTG-Jamendo: which tags; "autotagging" has all.'),
    Key("corpus.fold", 0, Range(0, 4), "MTG-Jamendo: which of its five splits."),
    Key("corpus.excerpts_per_track", 1, Range(1, 1000),
        "Clips of a track, spread evenly over it: an epoch learns from one of them, "
        "drawn at random, and a track's score is the mean over all. Disk and reading "
        "grow with it."),
    Key("clip.duration_s", 29.0, Range(0, 3600, above=True),
        "Shorter audio is padded with zeros."),
    Key("clip.offset", "start", ("start", "centre"), "Which part of a longer track."),
    Key("spectrogram.kind", "mel",
        '"mel", "stft" or a front end of your own '
        "(docs/extending.md#a-front-end-of-your-own)",
        '"stft" is 2.7 times larger.'),
    Key("spectrogram.sample_rate_hz", 12_000, Range(1000, 192_000),
        "Audio is resampled to it."),
    Key("spectrogram.dft_size_samples", 512, Range(16, 2**16),
        "Length of a frame; an even number."),
    Key("spectrogram.hop_samples", 256, Range(1, 2**16),
        "From one frame to the next; at most dft_size_samples."),
    Key("spectrogram.num_mel_bands", 96, Range(1, 2**10),
        "M for mel; STFT has dft_size_samples / 2 + 1, 257."),
    Key("preprocessing.magnitude", "db", ("db", "linear"),
        'Decibels, or "linear" power.'),
    Key("preprocessing.frequency_weighting", "bypass",
        ("bypass", "a_weighting", "per_frequency", "per_frequency_dataset"),
        '"per_frequency" standardises each clip\'s bands over time, '
        '"per_frequency_dataset" by statistics of the training clips.'),
    Key("preprocessing.standardise_clip", True, BOOLEAN,
        "Standardises each clip over all bands and frames."),
    Key("preprocessing.scale", 1.0, Range(0, 1e6, above=True),
        "Factor on the input; the paper tries 10."),
    Key("model.network", CONVNET, '"convnet" or "package.module:Name"',
        'The paper\'s network, or a Flax module of your own, perhaps with arguments: '
        '"examples.residual:ResNet(channels=16)" (docs/extending.md).'),
    Key("model.channels", 32, Range(1, 4096), "C, feature maps of each layer."),
    Key("model.pools", (), "((bands, frames), …)",
        "Pooling of each layer; () for the paper's, which fit 96 mel bands or 257 bins "
        "and 29 s. Others are proposed where these do not fit."),
    Key("model.batch_norm_momentum", 0.99, Range(0, 1),
        "Share that running statistics keep at a step."),
    Key("model.batch_norm_epsilon", 1e-3, Range(0, 1, above=True),
        "Added to the variance."),
    Key("model.dtype", "float32", ("float32", "bfloat16"),
        '"bfloat16" halves memory on accelerators.'),
    Key("model.precision", "default", ("default", "highest"),
        'What float32 numbers are rounded to before they are multiplied: "default" '
        'is TF32 on NVIDIA GPUs and bfloat16 on TPUs, "highest" is float32. No '
        "difference on a CPU."),
    Key("train.init_bundle", "", "a bundle's folder",
        "Starts from the weights of this bundle, which may have other tags "
        '(docs/transfer.md); "" starts from scratch. Its path does not matter.'),
    Key("train.freeze", "nothing", ("nothing", "features"),
        'With init_bundle: "features" trains the last layer only; all else stays as '
        "it is, also the batch statistics."),
    Key("train.labels", "weak", ("weak", "true"),
        'Learns from the corpus\'s own labels, or from the "true" ones where it knows '
        "them. Validation and test keep both."),
    Key("train.drop_positives", 0.0, Range(0, 0.99),
        "Makes training labels noisier: this share of the positives is removed at "
        "random (docs/label_noise.md#noise-on-purpose)."),
    Key("train.flip_labels", 0.0, Range(0, 0.49),
        "After that, this share of all training labels is flipped."),
    Key("train.noise_seed", 0, SEED, "Chooses which labels are changed."),
    Key("train.label_noise", "", '"true", "annotated" or a file, perhaps "*2"',
        "Corrects the loss for error rates of each tag (docs/label_noise.md): those of "
        'a CSV or JSON file, "true" for those counted against the truth, "annotated" '
        "for those estimated from analysis.subset100_clips clips of each tag, compared "
        'with the truth. "*2" doubles the odds of all rates.'),
    Key("train.batch_size", 0, Range(0, 2**16),
        "B; 0 means 32 on accelerators and 8 on a CPU."),
    Key("train.optimiser", "adam", 'a name of optax, "adamw(weight_decay=0.01)"',
        "How weights are updated, perhaps with arguments (docs/extending.md)."),
    Key("train.weight_decay", 0.0, Range(0, 1e3),
        "Each kernel times this is added to its gradient; biases are left alone."),
    Key("train.class_weights", "none", '"none", "inverse_frequency" or a CSV file',
        "How much clips with a tag and clips without it weigh in the loss; "
        '"inverse_frequency" makes both groups weigh the same for every tag '
        "(docs/extending.md)."),
    Key("train.augmentations", (), '("spec_augment", "mixup(alpha=0.2)", …)',
        "How training clips are changed at random, in this order: spec_augment, mixup, "
        "random_gain, or functions of your own (docs/extending.md)."),
    Key("train.learning_rate", 5e-3, Range(0, 10, above=True),
        'Of every step; with a warm-up or "cosine" it is the highest.'),
    Key("train.learning_rate_schedule", "constant", ("constant", "cosine"),
        '"cosine" falls towards 0 at the end.'),
    Key("train.warmup_epochs", 0.0, Range(0, 1e6),
        "How long the learning rate rises at the start; less than max_epochs."),
    Key("train.fraction", 1.0, Range(0, 1, above=True),
        "Share of the training clips; larger shares contain smaller ones."),
    Key("train.max_epochs", 25.0, Range(0, 1e6, above=True),
        "Training ends here. 9 to 18 s an epoch of 600 clips on 2 cores."),
    Key("train.max_steps", 0, Range(0, 10**9),
        "Ends earlier than max_epochs if not 0."),
    Key("train.patience_epochs", 0.0, Range(0, 1e6),
        "Stops when the best score is older than this; 0 never stops early."),
    Key("train.evaluate_every_epochs", 1.0, Range(0, 1e6, above=True),
        "How often the validation split is scored; at least 10 steps apart."),
    Key("train.deterministic", True, BOOLEAN,
        "On GPUs: only operations that give the same bits each time, and compiled "
        "programs are kept in the run's folder, so that a run that goes on ends with "
        "the bits of one that was not cut. What it costs has not been measured. No "
        "difference on CPUs and TPUs (docs/resume.md)."),
    Aside("train.evaluation_batch_size", 0, Range(0, 2**16),
          "0 means as batch_size. It changes scores by rounding."),
    Key("train.statistics_clips", 128, Range(0, 10**7),
        "Training clips over which batch statistics are estimated anew before an "
        "evaluation; 0 uses the running statistics as they are."),
    Aside("train.log_every_steps", 20, Range(1, 10**6),
          "How often metrics.jsonl gets a line."),
    Aside("train.tensorboard", False, BOOLEAN,
          "Writes the lines of metrics.jsonl as events too, into "
          "<workdir>/tensorboard (docs/watching.md)."),
    Aside("train.checkpoint_every_minutes", 10.0, Range(0, 1e6),
          "How often a checkpoint is saved, besides after every evaluation: a kill "
          "costs at most this time."),
    Aside("train.parallel", "auto", ("auto", "data", "seeds"),
          'Over several devices "data" splits batches, "seeds" splits seeds; "auto" is '
          '"seeds" where there are as many seeds as devices or more, or where a batch '
          'cannot be split among them, else "data".'),
    Aside("train.num_devices", 0, Range(0, 4096),
          "How many devices each process uses; 0 means all."),
    Aside("train.seeds_per_chunk", 0, Range(0, 10_000),
          "How many seeds train at once; the others follow on the same batch. 0 means "
          "1. Memory grows with it."),
    Aside("prepare.num_processes", 0, Range(0, 4096), "0 means one per core."),
    Aside("prepare.worker", 0, Range(0, 10**5),
          "With --mode=prepare, in array jobs that share a file system: the number of "
          "this job, from 0. It writes its part of the shards (docs/preparation.md)."),
    Aside("prepare.num_workers", 1, Range(1, 10**5), "How many such jobs there are."),
    Aside("prepare.beam", "", '"--runner=…"',
          'Options of an Apache Beam pipeline that writes the shards; "" for '
          "processes of this machine."),
    Aside("prepare.kinds", (), '("mel", "stft")',
          "Kinds of spectrogram to make in one pass; () for the run's alone."),
    Aside("prepare.clips_per_shard", 64, Range(1, 10**6),
          "How many clips a file of the shards holds."),
    Aside("prepare.max_bad_share", 0.1, Range(0, 1),
          "A larger share of unreadable files is an error."),
    Aside("input.cache", "auto", ("auto", "none", "memory", "device"),
          'Where training clips are kept: "none" reads them from the shards each time, '
          '"memory" once into the memory of each process, "device" once into that of '
          'the accelerators; "auto" is "device" where they take at most half of what '
          'is free there, else "none" (docs/speed.md).'),
    Aside("input.local_dir", "", "a folder",
          "On a disk of this machine: the prepared set is copied there and read there; "
          '"" reads it where it is (docs/cluster.md#folders).'),
    Aside("input.threads", 0, Range(0, 1024),
          "How many threads read shards; 0 means half of the cores, 2 to 16. More help "
          "where a store answers slowly. They change no result."),
    Key("input.window_shards", 0, Range(0, 10**6),
        "How many shards of an epoch are shuffled together; 0 means as many as 256 MB "
        "hold. Two windows are in memory at once."),
    Aside("analysis.similarity", "cosine", ("cosine", "dot"),
          "How label vectors are compared."),
    Aside("analysis.label_only_clips", 200_000, Range(0, 10**7),
          "Synthetic: label statistics are of this many clips, whose labels are "
          "sampled without rendering audio, as sparse as Last.fm's; 0 for the clips "
          "of the corpus."),
    Aside("analysis.annotated_labels",
          ("female vocalists", "male vocalists", "instrumental", "guitar"),
          "tags of the corpus",
          "Labels to judge by listening or by the truth (docs/studies.md)."),
    Aside("analysis.subset100_clips", 100, Range(2, 10**6),
          "About this many training clips are judged for each label, half with it."),
    Aside("analysis.subset400_clips", 400, Range(1, 10**6),
          "About this many test clips are judged too, chosen at random."),
    Aside("analysis.subset_seed", 0, SEED, "Other seeds choose other clips."),
    Aside("analysis.annotations", (), '("FILE", …)',
          "Answers of listeners: CSV files, or Label Studio's JSON."),
    Aside("analysis.label_studio", False, BOOLEAN,
          "--mode=annotate writes tasks for Label Studio too."),
    Aside("analysis.bootstrap_samples", 2000, Range(10, 10**6),
          "Random draws for intervals of counts; they take a second."),
    Aside("analysis.num_resamples", 200, Range(10, 10**6),
          "Random draws for the intervals of Fig. 2; they take about a minute."),
    Aside("analysis.linear_baseline", True, BOOLEAN,
          "Scores a logistic regression beside the network; it reads all clips "
          "once more, a few seconds for a thousand."),
    Aside("compilation_cache_dir", "", "a folder",
          "Keeps compiled programs, so that the next start need not compile them "
          'again; "" for no folder. Different processors need different folders.'),
    Aside("stall_warning_s", 120.0, Range(0, 1e6),
          "Logs what a step waits for if it waits longer; 0 means never."),
    Aside("profile_steps", (), "(first, last), from 1",
          "Steps during which JAX's profiler writes <workdir>/profile."),
    Aside("distributed", "", '"auto" or "host:port"',
          'Several processes for one run (docs/processes.md): "auto" under SLURM, '
          "Open MPI, Kubernetes or on a TPU pod; elsewhere host and port of process 0, "
          'with the next two keys. "" for one process.'),
    Aside("process_count", 0, Range(0, 2**16 - 1),
          'With "host:port": how many processes.'),
    Aside("process_index", 0, Range(0, 2**16 - 1),
          'With "host:port": which of them this is, from 0.'),
    Aside("resume", True, BOOLEAN,
          "Goes on in the run's folder; False starts anew in another."),
)
# fmt: on
KEYS = {key.name: key for key in _KEYS}
# Keys that name folders or files, or several.
PLACES = (
    *("corpus.audio_dir", "corpus.label_dir", "train.init_bundle"),
    *("train.label_noise", "train.class_weights", "analysis.annotations"),
    *("input.local_dir", "compilation_cache_dir"),
)


def settle_places(config: ConfigDict) -> None:
    """Puts the home folder for a `~` in all places of a configuration."""
    for name in PLACES:
        section, _, last = name.rpartition(".")
        part = config.get(section) if section else config
        if isinstance(part, ConfigDict) and last in part:
            part[last] = _with_home(part[last])


def _with_home(value: Any) -> Any:
    """Puts it for a `~` that begins a place, or one of several."""
    if isinstance(value, str):
        return os.path.expanduser(value)  # noqa: PTH111 (keeps "./" as given)
    if isinstance(value, tuple | list):
        return type(value)(map(_with_home, value))
    return value


def label_noise_of(value: str) -> tuple[str, float]:
    """Splits `train.label_noise` into what gives the rates and a factor on their odds.

    >>> label_noise_of("true*0.5"), label_noise_of("rates.csv")
    (('true', 0.5), ('rates.csv', 1.0))
    """
    found = re.fullmatch(r"(.*)\*(\d+(?:\.\d+)?)", value)
    return (found[1], float(found[2])) if found else (value, 1.0)


def file_of_rates(label_noise: str) -> Path | None:
    """Returns the file that `train.label_noise` names, if it names one.

    >>> file_of_rates("rates.csv*2"), file_of_rates("true*2"), file_of_rates("")
    (PosixPath('rates.csv'), None, None)
    """
    source, _ = label_noise_of(label_noise)
    return Path(source) if label_noise and source not in KNOWN_RATES else None


def file_of_weights(class_weights: str) -> Path | None:
    """Returns the file that `train.class_weights` names, if it names one."""
    return Path(class_weights) if class_weights not in KNOWN_WEIGHTS else None


def no_value(given: str, key: str) -> ValueError:
    """Makes the error for None in place of a value."""
    return ValueError(
        f"{given}=None: must have a value, such as its default, "
        f"{KEYS[key].default!r} (docs/keys.md)"
    )


def no_such_key(what: str, key: str) -> ValueError:
    """Makes the error that `what` names no key, with those that may be meant."""
    # A key is known by its last part too: --config.batch_size, say.
    near = [name for name in KEYS if name.split(".")[-1] == key.split(".")[-1]]
    near = near or [name for name in KEYS if name.startswith(f"{key}.")]
    near = near or difflib.get_close_matches(key, list(KEYS), n=3)
    return ValueError(
        f"{what}: there is no such key{did_you_mean(near[:3])} docs/keys.md lists all "
        "keys"
    )


def is_name(text: str) -> bool:
    """Tells whether a text can name the folder of a run or of a point.

    Of the 255 bytes of a file's name some are left for what is added to it.
    """
    return bool(re.fullmatch(r"\w[\w.-]*", text)) and len(text.encode()) <= 200


def did_you_mean(near: Sequence[str]) -> str:
    """Ends a sentence with what may be meant, if anything."""
    return f"; did you mean {' or '.join(near)}?" if near else "."


def values_of(config: ConfigDict) -> dict[str, object]:
    """Lists the value of every key in a configuration, by dotted name, in order."""
    return {name: attrgetter(name)(config) for name in sorted(KEYS)}


def markdown() -> str:
    """Writes the page of all keys."""
    lines = [
        "# Keys of a configuration",
        "",
        "Printed by `python -m configs.keys` from `configs/keys.py`. On the command "
        "line: `--config.train.max_epochs=20`.",
        "A result depends on the keys marked ●: another value is another run, in "
        "another folder.",
        "",
        "| key | default | unit | allowed | result | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for key in KEYS.values():
        allowed = key.allowed
        if isinstance(allowed, tuple) and not isinstance(allowed, Range):
            allowed = ", ".join(map(repr, allowed))
        cells = (
            *(f"`{key.name}`", f"`{key.default!r}`", key.unit, str(allowed)),
            *("●" if key.matters else "", key.meaning),
        )
        row = f"| {' | '.join(cells)} |".replace("<", "&lt;")
        lines.append(re.sub(r"docs/(\w+\.md)(#[\w-]+)?", r"[\1](\1\2)", row))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
