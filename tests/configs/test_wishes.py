"""Nothing that somebody asks for is ignored: all keys, all configs, all modes."""

import importlib
import re
from pathlib import Path

import pytest

from configs import checks, default, keys, wishes
from input_pipeline import corpora
from modes.command_line import MODES
from msd_tagger.common.facts import SPLITS
from tests import fakes

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    path.stem
    for path in (ROOT / "configs").glob("*.py")
    if "def get_config(" in path.read_text("utf-8")
)
ASK_FOR_CONFIG = [name for name, mode in MODES.items() if mode.needs_config]
# Where what reads a key has to name it.
RECIPE = "msd_tagger/frontend/recipe.py"
PLACES = {
    "a training": "modes msd_tagger input_pipeline",
    wishes.STEPS: "modes msd_tagger",
    f"a training with model.network={keys.CONVNET}": "msd_tagger/training/setup.py",
    "configs/network.py": f"main.py modes/study.py modes/corpus.py modes/training.py "
    f"{RECIPE}",
    "configs/tags.py": f"main.py modes input_pipeline {RECIPE} "
    "msd_tagger/training/input_statistics.py",
    "configs/groundtruth.py": "main.py modes studies/annotation "
    "studies/sections/groundtruth.py",
    "configs/reliability.py": "studies/sections/reliability.py studies/comparison.py "
    "modes/study.py",
    "configs/label_vectors.py": "studies/sections/label_vectors.py",
    "--mode=prepare": f"modes/corpus.py {RECIPE}",
    "--mode=audit": f"main.py modes/audit.py modes/corpus.py configs {RECIPE}",
    "--mode=annotate": f"main.py modes/annotate.py studies/annotation {RECIPE}",
    "--mode=evaluate of a bundle": f"main.py modes {RECIPE}",
    "mel and STFT spectrograms": RECIPE,
    "mel spectrograms": RECIPE,
    "train.label_noise=annotated": "modes/training_labels.py",
    "labels sampled without audio": "modes/study_labels.py",
}
OF_CORPORA = {
    name: corpora.keys_of(name, keys.KEYS) | {"corpus.name"} for name in corpora.READERS
}


def check(config, mode, bundle="", given=()):
    wishes.check(config, mode, bundle, given, OF_CORPORA)


def words_in(places):
    """The words of some source files, or of all in some folders."""
    files = [one for place in places.split() for one in sources(ROOT / place)]
    text = " ".join(file.read_text(encoding="utf-8") for file in files)
    spelled = " ".join(f"{split}_clips" for split in SPLITS)
    return set(re.findall(r"\w+", text.replace("{split}_clips", spelled)))


def sources(path):
    return [path] if path.suffix else path.rglob("*.py")


@pytest.mark.parametrize("reader", wishes.READERS)
def test_what_reads_a_key_names_it(reader):
    words = words_in(PLACES[reader])
    taken = wishes.keys_of(reader)
    assert taken >= {one for one in wishes.READERS[reader] if "." in one}
    assert {key for key in taken if key.rpartition(".")[2] not in words} == set()


def test_every_key_has_a_reader():
    read = {key for reader in wishes.READERS for key in wishes.keys_of(reader)}
    assert read.union(*OF_CORPORA.values()) == keys.KEYS.keys()


def test_corpora_take_what_their_loaders_do():
    assert OF_CORPORA["folder"] == {
        "corpus.name",
        "corpus.audio_dir",
        "corpus.num_tags",
    }
    assert "clip.duration_s" in OF_CORPORA["mtg_jamendo"]
    assert "prepare.num_processes" in OF_CORPORA["synthetic"]
    known = {key for key in keys.KEYS if key.startswith("corpus.")}
    assert set().union(*OF_CORPORA.values()) >= known


@pytest.mark.parametrize("mode", ASK_FOR_CONFIG)
@pytest.mark.parametrize("name", CONFIGS)
def test_no_key_is_ignored_in_silence(name, mode, monkeypatch):
    """One that nothing reads is an error that names it, and our files have none."""
    config = config_of(name, {})
    check(config, mode)
    readers = wishes.readers_of(config, mode)
    # They are the same for every key, and take 10 ms to find for a study.
    monkeypatch.setattr(wishes, "readers_of", lambda *_: readers)
    ours = [name for name in readers if name in wishes.READERS]
    read = set().union(*map(wishes.keys_of, ours))
    if len(ours) < len(readers):
        read |= OF_CORPORA[config.corpus.name]
    check(config, mode, given=read & keys.KEYS.keys())
    for key in keys.KEYS.keys() - read:
        with pytest.raises(ValueError, match=rf"--config\.{key}=.* does not read "):
            check(config, mode, given=[key])


def config_of(name, changes):
    return fakes.override(
        importlib.import_module(f"configs.{name}").get_config(), changes
    )


@pytest.mark.parametrize(
    ("name", "changes", "mode", "message"),
    [
        (
            "network",
            {"num_seeds": 3},
            "run",
            "num_seeds=3: .* of network .*training. ",
        ),
        (
            "variance",
            {"analysis__similarity": "dot"},
            "run",
            "it is for configs/label_v",
        ),
        (
            "tags",
            {"model__channels": 8},
            "run",
            "it is for a training with model.network=convnet, configs/network",
        ),
        ("groundtruth", {"corpus__train_clips": 99}, "run", "name=synthetic. "),
        (
            "db_stft",
            {"spectrogram__num_mel_bands": 48},
            "run",
            "it is for mel spectro",
        ),
        (
            "db_mel",
            {"analysis__label_studio": True},
            "run",
            "it is for --mode=annotate. ",
        ),
        (
            "db_mel",
            {"train__max_epochs": 9.0},
            "audit",
            ": --mode=audit of db_mel does",
        ),
        (
            "db_mel",
            {"corpus__fold": 2},
            "prepare",
            "it is for corpus.name=mtg_jamendo. ",
        ),
        ("db_mel", {"num_seeds": 2}, "annotate", "it is for a training. "),
    ],
)
def test_what_nothing_reads_is_named_with_what_does(name, changes, mode, message):
    given = [key.replace("__", ".") for key in changes]
    with pytest.raises(ValueError, match=message):
        check(config_of(name, changes), mode, given=given)


def test_what_nothing_in_a_point_reads_is_refused():
    bands = ("spectrogram.num_mel_bands", 48)
    points = ("mel", (bands,)), ("stft", (bands, ("spectrogram.kind", "stft")))
    check(default.get_config(sweep=points[:1]), "run")
    with pytest.raises(
        ValueError, match=r"point stft: .*num_mel_bands=48: it does not"
    ):
        check(default.get_config(sweep=points), "run")


@pytest.mark.parametrize(
    ("name", "changes", "mode"),
    [
        (
            "groundtruth",
            {"corpus__train_clips": 99, "analysis__label_only_clips": 0},
            "run",
        ),
        (
            "db_stft",
            {"spectrogram__num_mel_bands": 48, "prepare__kinds": ("mel",)},
            "run",
        ),
        ("variance", {"num_seeds": 3, "train__max_epochs": 2.0}, "prepare"),
        (
            "network",
            {"model__pools": ((2, 4),), "spectrogram__num_mel_bands": 8},
            "run",
        ),
    ],
)
def test_what_is_read_is_taken(name, changes, mode):
    given = [key.replace("__", ".") for key in changes]
    check(config_of(name, changes), mode, given=given)


def test_a_file_is_for_every_corpus_and_else_wishes_what_it_sets():
    check(config_of("variance", {"corpus__name": "folder"}), "run")
    other = config_of("network", {"train__max_epochs": 3.0})
    with pytest.raises(ValueError, match=r"train\.max_epochs=3\.0: --mode=run of "):
        check(other, "run")


@pytest.mark.parametrize("mode", ASK_FOR_CONFIG)
def test_the_keys_of_a_mode_are_those_that_some_config_has_there(mode):
    listed = {*wishes.keys_of_mode(mode)}
    read = set()
    for name in CONFIGS:
        config = importlib.import_module(f"configs.{name}").get_config()
        for reader in {*wishes.readers_of(config, mode)} & wishes.READERS.keys():
            read |= wishes.keys_of(reader)
    others = {key for key in keys.KEYS if key.startswith("corpus.")}
    assert read <= listed <= read | others | wishes.keys_of("a training")


def test_an_evaluation_takes_no_steps():
    config = config_of("db_mel", {})
    check(config, "evaluate", given=["train.evaluation_batch_size"])
    for key in ("train.log_every_steps", "train.checkpoint_every_minutes"):
        with pytest.raises(ValueError, match=rf"{key}=.* is for the steps of a train"):
            check(config, "evaluate", given=[key])


def test_a_bundle_has_a_network_of_its_own():
    linear = config_of("linear_mel", {})
    check(linear, "evaluate", "bundle", ["train.batch_size"])
    for key in ("num_seeds", "preprocessing.scale", "model.pools", "resume"):
        with pytest.raises(ValueError, match=f"{key}=.*: --mode=evaluate of a bundle"):
            check(linear, "evaluate", "bundle", [key])


@pytest.mark.parametrize("task", ["network", "tags", "groundtruth"])
def test_studies_that_train_nothing_have_no_points(task):
    config = default.get_config(task=task, sweep=(("a", ()),))
    with pytest.raises(ValueError, match=f"--config.task={task} trains nothing"):
        checks.check_for_mode(config, "run")
