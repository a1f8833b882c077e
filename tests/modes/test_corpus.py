import logging
import sys
from pathlib import Path

import pytest

from configs import default, paper, reliability
from input_pipeline import catalogue, storage
from input_pipeline.corpora import folder
from modes import MainOptions, corpus
from modes.training import check_start
from tests import fakes, preparing
from tests.small_corpus import write_folder


def clips_of(duration_s):
    config = default.get_config()
    config.clip.duration_s = duration_s
    return config


@pytest.mark.parametrize("mode", ["prepare", "audit", "annotate"])
def test_what_builds_no_network_needs_no_poolings_that_fit(mode):
    corpus.check(clips_of(3.0), MainOptions(mode=mode))
    corpus.check(clips_of(3.0), MainOptions(mode="evaluate", bundle="bundle"))
    with pytest.raises(ValueError, match=r'These fit: --config\.model\.pools="\(\('):
        corpus.check(clips_of(3.0), MainOptions())


def test_fig_2_without_a_label_to_look_at_is_refused_before_it_is_trained(tmp_path):
    known = folder.load(write_folder(tmp_path))
    config, options = reliability.get_config(), MainOptions()
    said = r"annotated_labels=\('female vocalists', .* such as \"\('"
    with pytest.raises(ValueError, match=said):
        corpus.check_learnable(config, options, known)
    config.analysis.annotated_labels = ("drums", known.tags[1])  # One is enough.
    corpus.check_learnable(config, options, known)


@pytest.mark.parametrize("task", ["tags", "groundtruth"])
def test_studies_of_labels_need_no_audio(tmp_path, task):
    of_labels = {"corpus__name": "msd", "corpus__label_dir": str(tmp_path)}
    corpus.check(default.get_config(task=task, **of_labels), MainOptions())
    needed = r"name=msd needs --config.corpus.audio_dir=DIR"
    for other, mode in (("train", "run"), (task, "annotate")):
        with pytest.raises(ValueError, match=needed):
            config = default.get_config(task=other, **of_labels)
            corpus.check(config, MainOptions(mode=mode))


def test_a_warning_says_what_the_network_does_not_hear(caplog):
    check_start([clips_of(29.0)])
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        check_start([clips_of(54.58), clips_of(54.58)])
    [record] = caplog.records
    assert "the last 858 of 2559 frames change no score" in record.message


FRONT_END = """
import dataclasses, numpy as np
from msd_tagger.frontend.own import FrontEnd

@dataclasses.dataclass(frozen=True)
class Bands(FrontEnd):
    number: int = 96

    def power(self, samples):
        return np.ones((self.number, 1360), np.float32)
"""


@pytest.fixture
def own_kind(tmp_path, monkeypatch):
    """A front end outside of the repository, with the paper's sizes and no Hz."""
    (tmp_path / "front_of_ones_own.py").write_text(FRONT_END)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "front_of_ones_own:Bands"
    sys.modules.pop("front_of_ones_own", None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spectrogram__kind": "mfcc"}, "kind=mfcc: must be one of 'mel', 'stft', or"),
        ({"prepare__kinds": ("mel", "cqt")}, "kinds=.*kind=cqt: must be one of"),
        ({"corpus__name": "gtzan"}, "'gtzan'; choose from synthetic, folder"),
        ({"task": "network"}, "task=network: that study compares the paper's inputs"),
        (
            {"preprocessing__frequency_weighting": "a_weighting"},
            "=a_weighting: its bands have no frequencies",
        ),
        ({"spectrogram__kind": "front_of_ones_own:Bands(number=7)"}, "These fit: --c"),
        (
            {"corpus__excerpts_per_track": 2, "clip__offset": "centre"},
            "clip.offset is 'centre', and several excerpts",
        ),
    ],
)
def test_front_ends_and_corpora_are_checked_at_first(own_kind, changes, message):
    config = fakes.override(default.get_config(spectrogram__kind=own_kind), changes)
    with pytest.raises(ValueError, match=message):
        corpus.check(config, MainOptions())
    corpus.check(default.get_config(spectrogram__kind=own_kind), MainOptions())


def test_keys_of_another_front_end_or_reader_are_no_wishes(own_kind, tmp_path):
    config = default.get_config(spectrogram__kind=own_kind)
    corpus.check_wishes(config, "run", "", ["spectrogram.sample_rate_hz"])
    for key in ("spectrogram.hop_samples", "spectrogram.num_mel_bands"):
        with pytest.raises(ValueError, match=f"{key}=.*is for (mel and STFT|mel) spec"):
            corpus.check_wishes(config, "run", "", [key])
    with pytest.raises(
        ValueError, match=r"audio_dir=.*is for corpus\.name=folder, corp"
    ):
        corpus.check_wishes(config, "run", "", ["corpus.audio_dir"])


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ("", {"mel", "stft"}),
        ("variance,size-mel-*", {"mel"}),
        ("pre-stft-db", {"stft"}),
        ("28,0", {"mel", "stft"}),
    ],
)
def test_only_what_the_chosen_points_hear_is_prepared(point, expected):
    [found] = corpus.recipes(paper.get_config(), MainOptions(point=point))
    assert {one.kind for one in found} == expected


def test_points_of_other_spectrograms_get_their_own():
    config = default.get_config()
    config.sweep = (
        ("a", (("spectrogram.num_mel_bands", 48),)),
        ("b", (("spectrogram.kind", "stft"), ("model.dtype", "bfloat16"))),
        ("c", (("spectrogram.num_mel_bands", 48), ("seed", 1))),
        ("d", (("clip.duration_s", 40.0),)),
    )
    config.prepare.kinds = ("stft",)
    first, second = corpus.recipes(config, MainOptions())
    assert [one.shape[0] for one in first] == [48, 257]
    assert [(one.duration_s, one.shape[0]) for one in second] == [(40.0, 96)]
    [only] = corpus.recipes(config, MainOptions(point="c"))
    assert [one.kind for one in only] == ["mel", "stft"]


def test_an_unknown_point_is_refused_before_anything_is_done():
    with pytest.raises(ValueError, match=r"size-wav-\*: there is no such point"):
        corpus.check(paper.get_config(), MainOptions(point="size-wav-*"))


def test_preparing_a_set_that_lost_a_shard_says_so(tmp_path, monkeypatch):
    music = write_folder(tmp_path / "music", 10)
    config = clips_of(1.0)
    config.corpus.update({"name": "folder", "audio_dir": str(music)})
    options = MainOptions(mode="prepare", data_dir=tmp_path / "data")
    preparing.in_this_process(monkeypatch)
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)  # Without TFDS.
    corpus.start(config, options)
    [shard] = (tmp_path / "data").rglob("*-train.tfrecord-*")
    shard.unlink()
    with pytest.raises(ValueError, match=r"train\.tfrecord.* is missing, .* prepare"):
        corpus.start(config, options)


def test_a_set_is_read_from_the_local_disk_if_there_is_one(monkeypatch):
    monkeypatch.setattr(corpus, "stage", lambda shards, disk: disk / shards.name)
    monkeypatch.setattr(corpus, "open_shards", lambda shards, **options: shards)
    config = default.get_config()
    prepared = {corpus.recipe_of(config).identifier: Path("data/mel")}
    assert corpus.open_data(config, prepared) == Path("data/mel")
    config.input.local_dir = "/disk"
    assert corpus.open_data(config, prepared) == Path("/disk/mel")


def test_a_store_is_looked_at_after_jax_is_set_up(monkeypatch):
    """TensorFlow imports JAX: looked at sooner, --platform would not be heard."""

    def too_soon():
        raise AssertionError

    monkeypatch.setattr(storage, "tensorflow", too_soon)
    options = MainOptions(data_dir=storage.place("ram://nowhere"))
    corpus.check(default.get_config(), options)
    with pytest.raises(AssertionError):
        corpus.load(default.get_config(), options)
