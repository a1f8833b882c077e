"""A tags.csv from folders or from what files say of themselves."""

import io
import os
import shutil
import struct

import pytest
import soundfile

from input_pipeline.corpora import folder
from scripts import write_tags
from tests.awkward_audio import bare, flac, id3, mp3
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
    names += ("C:/5.wav",)  # A drive, copied with its name.
    for name in names:
        write_sound(tmp_path / name)
    write_sound(tmp_path / "loose.wav")
    os.link(tmp_path / "loose.wav", tmp_path / "jazz" / os.fsdecode(b"\xe9.wav"))
    assert write_tags.main([str(tmp_path), "--by=folders"]) == 0
    assert "5 files, 4 tags; 2 files left out" in capsys.readouterr().out
    found, artists = tags_of(tmp_path)
    tags = ({"jazz"}, {"rock, hard"}, {"a b"}, {"jazz"}, {"C:"})
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


def frame(key, text):
    content = b"\0" + text.encode("latin-1")
    return key + struct.pack(">I", len(content)) + b"\0\0" + content


def write_genre(path, genre):
    path.write_bytes(id3(frame(b"TCON", genre)) + mp3())


def test_numbers_of_genres_are_their_names(tmp_path):
    genres = {
        "(17)": {"Rock"},
        "17": {"Rock"},
        "(17)Rock": {"Rock"},
        "(17)Krautrock; (8)": {"Krautrock", "Jazz"},
        "(4)(8)": {"Disco", "Jazz"},
        "1999": {"1999"},
        "\aJazz\x1b": {"Jazz"},
    }
    for number, genre in enumerate([*genres, "(255)"]):
        write_genre(tmp_path / f"{number}.mp3", genre)
    in_the_end = b"TAG" + bytes(124) + bytes([17])  # ID3v1.
    (tmp_path / "v1.mp3").write_bytes(bare() + in_the_end)
    assert write_tags.main([str(tmp_path), "--by=genres"]) == 0
    found, _ = tags_of(tmp_path)
    expected = {f"{number}.mp3": tags for number, tags in enumerate(genres.values())}
    assert found == expected | {"v1.mp3": {"Rock"}}


def flac_with(*comments):
    """A FLAC file with other comments."""
    data, at, blocks, is_last = flac(), 4, [], False
    while not is_last:
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        is_last = data[at] > 127
        blocks.append((data[at] & 127, data[at + 4 : at + 4 + size]))
        at += 4 + size
    texts = (struct.pack("<I", len(one)) + one for one in comments)
    body = struct.pack("<II", 0, len(comments)) + b"".join(texts)
    blocks = [*(one for one in blocks if one[0] != 4), (4 | 128, body)]
    parts = (bytes([kind]) + struct.pack(">I", len(x))[1:] + x for kind, x in blocks)
    return b"fLaC" + b"".join(parts) + data[at:]


@pytest.mark.parametrize(
    "content",
    [
        b"\0Rock\0Jazz",
        b"\3Rock\0Jazz\0",
        b"\3Rock\x0017\x00(8)",
        b"\1" + "Rock\0Jazz".encode("utf-16"),
        b"\1" + b"\0\0".join(one.encode("utf-16") for one in ("Rock", "Jazz")),
        b"\2" + "Rock\0Jazz\0".encode("utf-16-be"),
    ],
)
@pytest.mark.parametrize("version", [3, 4])
def test_several_genres_of_a_file_are_all_its_tags(tmp_path, content, version):
    tag = frame(b"TIT2", "a") + b"TCON" + struct.pack(">IH", len(content), 0) + content
    (tmp_path / "1.mp3").write_bytes(id3(tag, version=version) + mp3())
    comments = b"GENRE=Rock", b"SUBGENRE=Ska", b"COMMENT=genre=Polka", b"Genre=Jazz"
    (tmp_path / "2.flac").write_bytes(flac_with(*comments))
    assert write_tags.main([str(tmp_path), "--by=genres"]) == 0
    both = {"Rock", "Jazz"}
    assert tags_of(tmp_path)[0] == {"1.mp3": both, "2.flac": both}


def test_names_of_genres_are_those_of_ffmpeg(tmp_path):
    av = pytest.importorskip("av")
    sound = mp3()
    for number, name in write_tags.GENRES.items():
        content = id3(frame(b"TCON", f"({number})")) + sound
        with av.open(io.BytesIO(content)) as file:
            # Winamp has called 133 by another name since.
            assert number == "133" or file.metadata["genre"] == name
    assert len(write_tags.GENRES) == 192


def test_what_is_no_file_is_left_out(tmp_path, capsys):
    music = tmp_path / "music"
    write_sound(music / "jazz/1.wav")
    (music / "jazz/best").symlink_to(tmp_path / "disk")
    write_sound(tmp_path / "disk/2.wav", 1)
    os.mkfifo(music / "jazz/3.wav")
    assert write_tags.main([str(music), "--by=folders"]) == 0
    assert "2 files, 1 tags; 1 files left out" in capsys.readouterr().out
    assert set(tags_of(music)[0]) == {"jazz/1.wav", "jazz/best/2.wav"}
    (music / "tags.csv").unlink()
    assert write_tags.main([str(music), "--by=genres"]) == 2
    assert "none of 3 audio files" in capsys.readouterr().err


def test_folders_that_cannot_be_listed_are_counted(tmp_path, capsys):
    write_sound(tmp_path / "jazz/1.wav")
    (tmp_path / "jazz/closed").mkdir(mode=0)
    if os.access(tmp_path / "jazz/closed", os.R_OK):
        pytest.skip("root may read everything")
    assert write_tags.main([str(tmp_path), "--by=folders"]) == 0
    said = "1 files, 1 tags; 0 files left out, and 1 folders that cannot be listed"
    assert said in capsys.readouterr().out
    assert set(tags_of(tmp_path)[0]) == {"jazz/1.wav"}


def test_a_table_that_cannot_be_written_gets_a_sentence(tmp_path, capsys):
    (tmp_path / "tags.csv").symlink_to("gone.csv")
    assert write_tags.main([str(tmp_path), "--by=folders"]) == 2
    assert "tags.csv exists already; move it away" in capsys.readouterr().err
    assert write_tags.main(["/proc", "--by=folders"]) == 2
    assert capsys.readouterr().err.startswith(
        "write_tags: /proc/tags.csv cannot be written: "
    )


def test_what_is_there_is_not_overwritten_and_nothing_is_said_so(tmp_path, capsys):
    for name in ("a/1.wav", "2.wav"):
        write_sound(tmp_path / "music" / name)
    music = str(tmp_path / "music")
    assert write_tags.main([music, "--by=genres"]) == 2
    assert "none of 2 audio files below" in capsys.readouterr().err
    assert not (tmp_path / "music" / "tags.csv").exists()
    assert write_tags.main([music, "--by=folders"]) == 0
    assert write_tags.main([music, "--by=folders"]) == 2
    assert "tags.csv exists already; move it away" in capsys.readouterr().err
    assert write_tags.main([f"{music}/none", "--by=folders"]) == 2
    assert "none is not a folder" in capsys.readouterr().err
