"""What reads which keys: a wish that nothing would read is refused."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from ml_collections import ConfigDict

from configs import sweeps
from configs.keys import ANNOTATED, CONVNET, KEYS, label_noise_of, values_of
from configs.tasks import TASKS

_RUN = ("name", "task", "sweep", "resume", "compilation_cache_dir")
_SOUND = ("clip", "spectrogram.sample_rate_hz")
_SPECTROGRAM = (*_SOUND, "spectrogram.kind")
_RECORDS = (*_SPECTROGRAM, "corpus.excerpts_per_track")
_READING = ("input.local_dir", "input.threads", "input.window_shards")
_SUBSET = (
    *("analysis.annotated_labels", "analysis.subset_seed"),
    "analysis.subset400_clips",
)
_ANSWERS = (*_SUBSET, "analysis.annotations")
STEPS = "the steps of a training"  # Which an evaluation of its run does not take.

# What each takes, by names that people know: keys, or whole sections.
READERS: dict[str, tuple[str, ...]] = {
    "a training": (
        *(*_RUN, *_RECORDS, "prepare", "input", "preprocessing", "train"),
        *("model.network", "model.dtype", "model.precision"),
        "model.batch_norm_momentum",
        *("seed", "num_seeds", "data_seed"),
        *("distributed", "process_count", "process_index", "analysis.linear_baseline"),
    ),
    STEPS: (
        *("resume", "stall_warning_s", "profile_steps", "train.tensorboard"),
        *("train.log_every_steps", "train.checkpoint_every_minutes"),
    ),
    f"a training with model.network={CONVNET}": (
        *("model.channels", "model.pools", "model.batch_norm_epsilon"),
    ),
    "configs/network.py": (*_RUN, *_SPECTROGRAM, "model.channels", "model.pools"),
    "configs/tags.py": (
        *(*_RUN, *_RECORDS, "prepare", *_READING, "preprocessing.magnitude"),
        *("train.batch_size", "train.fraction", "train.deterministic"),
    ),
    "configs/groundtruth.py": (
        *(*_RUN, *_ANSWERS, "analysis.subset100_clips", "analysis.bootstrap_samples"),
    ),
    "configs/reliability.py": (*_ANSWERS, "analysis.num_resamples"),
    "configs/label_vectors.py": ("analysis.similarity",),
    f"train.label_noise={ANNOTATED}": (
        "analysis.subset100_clips",
        "analysis.subset_seed",
    ),
    "--mode=prepare": (*_RECORDS, "prepare"),
    "--mode=audit": ("task", "sweep", *_RECORDS, "prepare.kinds"),
    "--mode=annotate": (
        *("task", *_SOUND, *_SUBSET, "analysis.subset100_clips"),
        "analysis.label_studio",
    ),
    "--mode=evaluate of a bundle": (
        *("task", "compilation_cache_dir", *_RECORDS, "prepare", *_READING),
        *("train.batch_size", "train.evaluation_batch_size", "train.parallel"),
        *("train.seeds_per_chunk", "train.num_devices", "train.deterministic"),
    ),
    "mel and STFT spectrograms": (
        "spectrogram.dft_size_samples",
        "spectrogram.hop_samples",
    ),
    "mel spectrograms": ("spectrogram.num_mel_bands",),
    "labels sampled without audio": (
        *("corpus.name", "corpus.seed", "analysis.label_only_clips"),
    ),
}


def check(
    config: ConfigDict,
    mode: str,
    bundle: str = "",
    given: Collection[str] = (),
    of_corpora: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Checks that all that somebody wishes is read; the error says what reads a key.

    `of_corpora` are the keys that the readers of corpora take, by their names.

    Wishes are the keys that the command line gives and, where a run is asked for, those
    that the file sets to another value than the default. A file may have keys of
    another corpus: each of ours is for all of them.
    """
    values, active = values_of(config), readers_of(config, mode, bundle)
    taken = {name: keys_of(name) for name in READERS}
    taken |= {
        _corpus(name): {"corpus.name", *keys} for name, keys in of_corpora.items()
    }
    wishes = set(given)
    if mode in ("run", "prepare"):
        wishes |= {
            key
            for key, value in values.items()
            if value != KEYS[key].default and not key.startswith("corpus.")
        }
    what = f"--mode={mode} of {'a bundle' if bundle else config.name}"
    _check_read(wishes, active, taken, values, what)
    for point in config.sweep if mode in ("run", "prepare") else ():
        run = sweeps.at(config, point)
        active = readers_of(run, mode)
        with sweeps.naming(point):
            _check_read({*dict(point[1])}, active, taken, values_of(run), "it")


def _check_read(
    wishes: Collection[str],
    active: Collection[str],
    taken: Mapping[str, Collection[str]],
    values: Mapping[str, object],
    what: str,
) -> None:
    """Checks that what is active takes all wishes."""
    known = {key for name in active for key in taken.get(name, ())}
    for key in sorted({*wishes} - known):
        readers = [name for name, keys in taken.items() if key in keys]
        raise ValueError(
            f"--config.{key}={values[key]}: {what} does not read this key; it is for "
            f"{', '.join(readers)}. Leave it out"
        )


def readers_of(config: ConfigDict, mode: str, bundle: str = "") -> list[str]:
    """Names what reads a configuration; preparation takes all that its run does."""
    is_run = mode in ("run", "prepare") or (mode == "evaluate" and not bundle)
    found = _of_task(config.task) if is_run else []
    if bundle:
        found.append("--mode=evaluate of a bundle")
    elif mode != "run" and f"--mode={mode}" in READERS:
        found.append(f"--mode={mode}")
    runs = sweeps.runs(config)
    if is_run and any(
        label_noise_of(run.train.label_noise)[0] == ANNOTATED for run in runs
    ):
        found.append(f"train.label_noise={ANNOTATED}")
    trains = "a training" in found
    if trains and mode != "evaluate":
        found.append(STEPS)
    if trains and any(run.model.network == CONVNET for run in runs):
        found.append(f"a training with model.network={CONVNET}")
    kinds = {run.spectrogram.kind for run in runs}
    both = config.task == "network" or mode == "annotate"
    kinds |= {*config.prepare.kinds, *(("mel", "stft") if both else ())}
    if kinds & {"mel", "stft"}:
        found.append("mel and STFT spectrograms")
    if "mel" in kinds:
        found.append("mel spectrograms")
    needs_corpus = config.task != "network" or mode != "run"
    is_sampled = config.corpus.name == "synthetic" and not config.analysis.annotations
    if is_run and TASKS[config.task].reads_labels and is_sampled:
        found.append("labels sampled without audio")
        if config.analysis.label_only_clips and config.task == "groundtruth":
            needs_corpus = mode == "prepare"
    return [*found, _corpus(config.corpus.name)] if needs_corpus else found


def _of_task(name: str) -> list[str]:
    """Names what the run of a task does, beside loading its corpus."""
    studies = [one for one in READERS if one.endswith(".py")]
    own = studies if name == "paper" else [f"configs/{name}.py"]
    trains = ["a training"] if TASKS[name].trains else []
    return [*trains, *(one for one in own if one in studies)]


def _corpus(name: str) -> str:
    return f"corpus.name={name}"


def keys_of_mode(mode: str) -> list[str]:
    """Lists the keys that a mode reads, of any task and corpus."""
    does_run = mode in ("run", "prepare", "evaluate")
    names = [
        name
        for name in READERS
        if name.split()[0] == f"--mode={mode}"
        or name.endswith(" spectrograms")
        or (does_run and not name.startswith("--mode="))
    ]
    if mode == "evaluate":
        names.remove(STEPS)
    taken = {key for name in names for key in keys_of(name)}
    return [key for key in KEYS if key in taken or key.startswith("corpus.")]


def keys_of(reader: str) -> set[str]:
    """Lists the keys that a reader takes, one by one."""
    taken = READERS[reader]
    found = {key for key in KEYS if key in taken or key.rpartition(".")[0] in taken}
    return found - {*READERS[STEPS]} if reader == "a training" else found
