"""A tags.csv from folders or from what files say of themselves."""

import os
import shutil

import pytest
import soundfile

from input_pipeline.corpora import folder
from scripts import write_tags
from tests.small_corpus import sound, write_sound


def write_with(path, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", 12_000, 1) as file:
        for name, value in metadata.items():
            setattr(file, name, value)
        file.write(sound(0, 0.5, 12_000)[:, :1])


def tags_of(music):
    corpus = folder.load(music)
    return {
        str(clip.path.relative_to(music)): {
            tag for tag, is_set in zip(corpus.tags, clip.tags, strict=True) if is_set
        }
        for clip in corpus.clips
    }, {clip.artist for clip in corpus.clips}


def test_folders_are_tags(tmp_path, capsys):
    names = ("jazz/blue/1.wav", "rock, hard/=2.wav", "a|b/3.wav", " jazz/x\\4.wav")
    for name in names:
        write_sound(tmp_path / name)
    write_sound(tmp_path / "loose.wav")
    os.link(tmp_path / "loose.wav", tmp_path / "jazz" / os.fsdecode(b"\xe9.wav"))
    assert write_tags.main([str(tmp_path), "--by=folders"]) == 0
    assert "4 files, 3 tags; 2 files left out" in capsys.readouterr().out
    found, artists = tags_of(tmp_path)
    tags = ({"jazz"}, {"rock, hard"}, {"a b"}, {"jazz"})
    assert found == dict(zip(names, tags, strict=True))
    assert artists == {None}


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "wav"])
def test_genres_and_artists_of_files(ending, tmp_path, capsys):
    made = tmp_path / "made"
    write_with(made / f"a/1.{ending}", genre="Rock; Pop;Rock", artist="Nina")
    write_with(made / rf"x\2.{ending}", genre="Jazz")
    write_with(made / f"3.{ending}", artist="Can")
    (made / "page.mp3").write_text("<html>")
    music = made.rename(tmp_path / os.fsdecode(b"musique\xe9"))
    no_text = os.fsdecode(f"caf\xe9.{ending}".encode("latin-1"))
    shutil.copy(music / f"a/1.{ending}", music / no_text)
    assert write_tags.main([str(music), "--by=genres"]) == 0
    assert "2 files, 3 tags; 3 files left out" in capsys.readouterr().out
    found, artists = tags_of(music)
    assert found == {f"a/1.{ending}": {"Rock", "Pop"}, rf"x\2.{ending}": {"Jazz"}}
    assert artists == {"Nina", None}


def test_what_is_there_is_not_overwritten_and_nothing_is_said_so(tmp_path, capsys):
    for name in ("a/1.wav", "2.wav"):
        write_sound(tmp_path / "music" / name)
    music = str(tmp_path / "music")
    assert write_tags.main([music, "--by=genres"]) == 2
    assert "none of 2 audio files below" in capsys.readouterr().err
    assert not (tmp_path / "music" / "tags.csv").exists()
    assert write_tags.main([music, "--by=folders"]) == 0
    assert write_tags.main([music, "--by=folders"]) == 2
    assert "tags.csv is there already; move it away" in capsys.readouterr().err
    assert write_tags.main([f"{music}/none", "--by=folders"]) == 2
    assert "none is not a folder" in capsys.readouterr().err
