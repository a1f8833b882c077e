"""Which corpus is read, by what, and with which keys."""

import textwrap

import pytest

from configs import default
from input_pipeline import corpora
from input_pipeline.corpora import load_corpus
from tests import fakes
from tests.small_corpus import write_folder

READER = """
    from pathlib import Path
    import numpy as np
    from input_pipeline.corpora import Clip, Corpus

    def read(audio_dir, suffix=".wav", name="mine"):
        clips = [
            Clip(path.stem, split, path, np.array([1, 0], np.uint8))
            for path, split in zip(
                sorted(Path(audio_dir).rglob(f"*{suffix}")),
                ["train", "valid", "test"] * 9,
            )
        ]
        return Corpus(name, "1", Path(audio_dir), ("a", "b"), clips)

    def wrong(audio_dir, what=""):
        corpus = read(audio_dir)
        first = corpus.clips[0]
        values = {
            "id": {"track_id": corpus.clips[1].track_id},
            "nul": {"track_id": "a\\0"},
            "split": {"split": "dev"},
            "tags": {"tags": np.array([1.0, 0.0])},
            "size": {"tags": np.array([1], np.uint8)},
            "truth": {"true_tags": first.tags},
            "path": {"path": "a.wav"},
            "before": {"start_s": -0.5},
            "never": {"start_s": float("nan")},
            "time": {"start_s": "3"},
            "artist": {"artist": 5},
        }
        if what == "nothing":
            return None
        several = {"tag": ("a", "a"), "number": (1, 2), "no line": ("a", "b\\0")}
        for name, tags in several.items():
            if what == name:
                return Corpus("mine", "1", Path(audio_dir), tags, corpus.clips)
        if what == "clips":
            return Corpus("mine", "1", Path(audio_dir), ("a", "b"), [])
        import dataclasses
        fields = {
            "version": {"version": None},
            "folder": {"audio_dir": audio_dir},
            "iterator": {"clips": iter(corpus.clips)},
            "names": {"clips": ["a.wav"]},
            "reasons": {"rejected": [("a", "a.wav")]},
            "called": {"name": 3},
            "list": {"tags": ["a", "b"]},
        }
        if what in fields:
            return dataclasses.replace(corpus, **fields[what])
        corpus.clips[0] = dataclasses.replace(first, **values[what])
        return corpus

    def votes(audio_dir, cell):
        if cell < "0":
            raise ValueError(f"votes.csv: {cell} is below 0")
        return int(cell)

    number = 3
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A module of its own outside of the repository, `my_reader`, and its audio."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    name = f"reader_{abs(hash(str(tmp_path)))}"
    (folder / f"{name}.py").write_text(textwrap.dedent(READER))
    monkeypatch.syspath_prepend(str(folder))
    return name, str(write_folder(tmp_path / "music", 6))


def config(**changes):
    changes = {f"corpus__{key}": value for key, value in changes.items()}
    return fakes.override(default.get_config(), changes).corpus


def test_a_reader_of_ones_own_goes_by_its_name(reader, tmp_path):
    module, music = reader
    asked = config(name=f"{module}:read(suffix='3.wav')", audio_dir=music)
    corpora.check(asked)
    (clip,) = load_corpus(asked, tmp_path).clips
    assert (clip.track_id, clip.split) == ("003", "train")
    keys = {"corpus.audio_dir", "corpus.fold", "clip.duration_s"}
    assert corpora.keys_of(asked.name, keys) == {"corpus.audio_dir"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("read(colour=3)", r"has no argument 'colour'; it has audio_dir, suffix, name"),
        ("read(audio_dir='x')", "audio_dir must be given by keys of the configuration"),
        ("reed", "has no 'reed'; it defines .*read"),
        ("number", "has no 'number'; it defines .*read"),
        ("read(name='a/b')", "is called 'a/b'; its name is that of a folder"),
        ("read(name='" + 201 * "a" + "')", "at most 200 bytes"),
        ("wrong(what='lots')", r"KeyError: 'lots' \(.*reader_\w+.py, line 52\)"),
        (
            "votes(cell='-1')",
            r"=reader_\w+:votes.*: votes.csv: -1 is below 0 \(.*py, l",
        ),
        ("votes(cell='x')", r"invalid literal for int.* 'x' \(.*reader_\w+.py, line"),
        ("wrong(what='called')", "is called 3; its name is that of a folder"),
        ("wrong(what='version')", "has a wrong version, which must be a line of text"),
        ("wrong(what='folder')", "has a wrong audio_dir, which must be a Path"),
        ("wrong(what='iterator')", "wrong list of clips, which must be a list of Clip"),
        ("wrong(what='names')", "wrong list of clips, which must be a list of Clip"),
        ("wrong(what='reasons')", "wrong list rejected, which must hold an id, a path"),
        ("wrong(what='list')", r"must have a tuple of tags, each .*: \['a', 'b'\]"),
        ("wrong(what='nothing')", "gives NoneType, not a Corpus"),
        ("wrong(what='tag')", r"must have a tuple of tags, each .* text: \('a', 'a'\)"),
        ("wrong(what='number')", r"must have a tuple of tags, each .* text: \(1, 2\)"),
        ("wrong(what='clips')", "has no clips"),
        (
            "wrong(what='no line')",
            r"must have a tuple of tags, each .*: \('a', 'b\\x00'\)",
        ),
        ("wrong(what='id')", "wrong track_id, which must be a line of text that no"),
        ("wrong(what='nul')", "wrong track_id, which must be a line of text that no"),
        (
            "wrong(what='split')",
            "split='dev'.* has a wrong split, which must be one of",
        ),
        ("wrong(what='tags')", r"wrong tags, which must be 0 or 1 in uint8 \[2\]"),
        ("wrong(what='size')", r"wrong tags, which must be 0 or 1 in uint8 \[2\]"),
        ("wrong(what='truth')", "wrong true_tags, which all clips must have or none"),
        ("wrong(what='path')", "wrong path, which must be a Path"),
        ("wrong(what='before')", "wrong start_s, which must be None or a number of"),
        ("wrong(what='never')", "wrong start_s"),
        ("wrong(what='time')", "wrong start_s"),
        ("wrong(what='artist')", "wrong artist, which must be None or a text"),
    ],
)
def test_what_is_wrong_with_a_reader_is_named(reader, tmp_path, call, message):
    module, music = reader
    with pytest.raises(ValueError, match=message):
        load_corpus(config(name=f"{module}:{call}", audio_dir=music), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"name": "gtzan"},
            "'gtzan'; choose from synthetic, .*reader of your own, such as",
        ),
        ({"name": "nowhere:read"}, "nowhere cannot be imported .*PYTHONPATH"),
        ({"name": "folder"}, "needs --config.corpus.audio_dir=DIR .docs/folder_corpus"),
        ({"name": "msd"}, "needs .*audio_dir=DIR and .*label_dir=DIR .docs/msd_corp"),
        (
            {"name": "folder", "audio_dir": "/no/such/place"},
            "audio_dir=/no/such/place: no such directory",
        ),
        ({"audio_dir": "x"}, "audio_dir=x goes with .*=folder or msd or .* synthetic"),
        ({"num_tags": 20}, "num_tags=20 goes with .*=folder or msd or magnatag"),
        ({"name": "folder(shape=2)"}, "folder has no argument 'shape'"),
    ],
)
def test_keys_that_do_not_go_together_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        corpora.check(config(**changes))


def test_labels_alone_need_no_audio(tmp_path):
    asked = config(name="msd", label_dir=str(tmp_path))
    corpora.check(asked, needs_audio=False)
    with pytest.raises(ValueError, match=r"name=msd needs --config.corpus.audio_dir"):
        corpora.check(asked)
    assert not corpora.names_audio(asked)
    assert corpora.names_audio({**asked, "audio_dir": str(tmp_path)})
    assert corpora.names_audio(config(name="synthetic"))


def test_numbers_that_are_left_out_are_left_to_the_reader(tmp_path):
    folder = write_folder(tmp_path / "music", 6)
    of_all = load_corpus(config(name="folder", audio_dir=str(folder)), tmp_path)
    asked = config(name="folder", audio_dir=str(folder), num_tags=2)
    assert len(of_all.tags) == 3 and len(load_corpus(asked, tmp_path).tags) == 2


def test_excerpts_of_whole_tracks_know_no_start(tmp_path):
    folder = write_folder(tmp_path / "music", 6)
    (folder / "tags.csv").write_text(
        "track_id,path,tags,start_s\na,audio/000.wav,rock,0.5\n"
    )
    asked = config(name="folder", audio_dir=str(folder))
    assert load_corpus(asked, tmp_path).clips[0].start_s == 0.5
    asked.excerpts_per_track = 3
    with pytest.raises(ValueError, match=r"clip a of music starts at 0\.5 s of its"):
        load_corpus(asked, tmp_path)
