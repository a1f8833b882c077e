"""Tagging and embedding from the command line's side."""

import csv
import functools
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from msd_tagger.bundle.format import write_bundle
from msd_tagger.commands.command_line import Options
from msd_tagger.commands.embed import embed
from msd_tagger.commands.tag import consume, load_tagger, tag
from msd_tagger.common.errors import Interrupted
from msd_tagger.tagging.songs import Failure
from tests.bundles import make_bundle
from tests.fakes import RECIPE
from tests.small_corpus import write_sound

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "bundle"
    write_bundle(folder, make_bundle())
    return str(folder)


@pytest.fixture(scope="module")
def load_once():
    """Each bundle is compiled once for all tests."""
    return functools.cache(lambda folder: load_tagger(Options(bundle=folder)))


@pytest.fixture(autouse=True)
def compiled(monkeypatch, load_once):
    for mode in ("msd_tagger.commands.tag", "msd_tagger.commands.embed"):
        load = lambda options: load_once(options.bundle)  # noqa: E731
        monkeypatch.setattr(f"{mode}.load_tagger", load)


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    for number in range(3):
        duration_s = (number + 1) * RECIPE.duration_s
        write_sound(folder / f"{number}.flac", number, duration_s=duration_s)
    return folder


@pytest.fixture
def options(bundle, music):
    return Options(bundle=bundle, files=(str(music),))


@pytest.fixture
def embedding(options, tmp_path):
    return options._replace(out=str(tmp_path / "all.npz"))


# What main.py does, and then what it has imported.
PROGRAM = """
import sys
import main
rest = main.parse_flags(["main.py", *sys.argv[1:]])
status = main.main(rest)
print(status, *{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def test_a_fresh_process_needs_no_tensorflow(options, music, tmp_path):
    (music / "empty.mp3").write_bytes(b"")
    call = [f"--bundle={options.bundle}", "--mode=tag", str(music), "--top=2"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *call, f"--json={tmp_path / 'all.json'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *said, last = done.stderr.splitlines()
    status, *modules = last.split()
    assert status == "1"
    slow = {"tensorflow", "matplotlib", "orbax", "pyarrow"}
    assert "jax" in modules and not slow & set(modules)
    assert any(
        "empty.mp3: empty (no samples: a file of 0 bytes" in line for line in said
    )
    assert "1 of 4 files could not be used" in said
    assert "2.flac (0:02, 3 excerpts)" in done.stdout
    # A name, two tags; and the legend at the end, in two lines.
    assert len(done.stdout.splitlines()) == 3 * 3 + 2
    assert done.stdout.endswith("has heard: an unknown corpus.\n")
    assert "on the validation split" in done.stdout and "over 2 seeds" in done.stdout


def test_json_and_csv_have_all_tags(options, music, tmp_path, capsys):
    (music / "empty.mp3").write_bytes(b"")
    table = tmp_path / "all.csv"
    assert tag(options._replace(json="-", csv=str(table), top=1)) == 1
    *songs, failure = map(json.loads, capsys.readouterr().out.splitlines())
    assert failure["path"] == str(music / "empty.mp3")
    assert failure["error"].startswith("empty (")
    assert [len(song["starts_s"]) for song in songs] == [1, 2, 3]
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 3 * 3
    first, best = rows[0], songs[0]["tags"][0]
    assert first["path"] == songs[0]["path"] == str(music / "0.flac")
    assert first["tag"] == best["tag"]
    assert float(first["score"]) == pytest.approx(best["score"], abs=1e-6)
    for one in songs[2]["tags"]:
        assert np.mean(one["over_time"]) == pytest.approx(one["score"], abs=1e-6)
        if one["tag"] == "jazz":
            assert one["threshold"] is None and one["passes"] is None
        else:
            assert one["passes"] == (one["score"] >= one["threshold"])


def test_tags_are_marked_where_they_reach_their_threshold(options, capsys):
    assert tag(options) == 0
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("  "):
            *mark, name, score, _, _ = line.split()
            is_over = name != "jazz" and float(score) >= 0.4
            assert mark == (["*"] if is_over else []), line


def test_pictures_over_time_are_written_when_asked(options, tmp_path):
    folder = tmp_path / "pictures"
    assert tag(options._replace(taggram=str(folder))) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["0.png", "1.png", "2.png"]
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in folder.iterdir())


def test_windows_that_overlap_are_finer(options, tmp_path, capsys):
    half_s = RECIPE.duration_s / 2
    assert tag(options._replace(json="-", hop_s=half_s)) == 0
    songs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(song["starts_s"]) for song in songs] == [1, 3, 5]
    assert {song["window_s"] for song in songs} == {RECIPE.duration_s}
    assert tag(options._replace(json="-", window_s=half_s)) == 0
    songs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(song["starts_s"]) for song in songs] == [2, 4, 6]


def test_a_jams_file_for_each_song(options, music, tmp_path, capsys):
    folder = tmp_path / "jams"
    assert tag(options._replace(jams=str(folder), json="-")) == 0
    songs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == ["0.jams", "1.jams", "2.jams"]
    for song, path in zip(songs, files, strict=True):
        found = json.loads(path.read_text())
        about = found["file_metadata"]
        assert about["title"] == Path(song["path"]).name
        assert about["duration"] == pytest.approx(song["duration_s"], abs=1e-3)
        whole, parts = found["annotations"]
        assert {one["namespace"] for one in (whole, parts)} == {"tag_open"}
        assert [(one["value"], one["confidence"]) for one in whole["data"]] == [
            (one["tag"], one["score"]) for one in song["tags"]
        ]
        for one in song["tags"]:
            scores = [
                x["confidence"] for x in parts["data"] if x["value"] == one["tag"]
            ]
            assert scores == pytest.approx(one["over_time"])
        for one in whole["data"] + parts["data"]:
            assert one.keys() == {"time", "duration", "value", "confidence"}
            assert one["time"] + one["duration"] <= about["duration"] + 1e-6


def test_files_of_songs_can_be_told_apart(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    songs = {
        "music/blue/01.wav": "01",
        "music/red/01.wav": "01-2",
        "music/عربي.wav": "عربي",
        "music/夜.wav": "夜",
    }
    for number, name in enumerate(songs):
        write_sound(tmp_path / name, number)
    given = {"files": tuple(songs), "jams": "jams", "taggram": "pictures"}
    assert tag(options._replace(**given)) == 0
    paths = {}
    for file in (tmp_path / "jams").iterdir():
        content = json.loads(file.read_text(encoding="utf-8"))
        paths[content["file_metadata"]["identifiers"]["path"]] = file.stem
    assert paths == songs
    for path, stem in songs.items():
        with Image.open(tmp_path / "pictures" / f"{stem}.png") as picture:
            assert picture.info["Title"] == path


def test_as_many_excerpts_at_once_as_asked_for(bundle):
    assert load_tagger(Options(bundle=bundle, batch_size=3)).batch_size == 3


def test_odd_names_stay_on_their_line(options, tmp_path, capfd):
    folder = tmp_path / "odd"
    write_sound(folder / "a.wav")
    names = (b"two\nlines.wav", b"caf\xe9.wav", b"\x1b[31m.wav")
    for name in names:
        os.link(folder / "a.wav", folder / os.fsdecode(name))
    assert tag(options._replace(files=(str(folder),), top=1)) == 0
    out = capfd.readouterr().out
    assert "two\\nlines.wav (0:01)" in out and "caf\\xe9.wav (0:01)" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": ()}, "no files given"),
        ({"files": ("a.mp3", "-")}, "^-: to tag the standard input, give"),
        ({"files": ("https://host/a.mp3",)}, r"^https://host/a\.mp3: .* not loaded"),
        ({"files": ("",)}, 'one of the files is ""'),
        ({"top": 0}, "--top=0"),
        ({"max_duration_s": -1.0}, "--max_duration_s=-1"),
        ({"batch_size": 0}, "--batch_size=0"),
        ({"window_s": 2.0}, "--window_s=2: this network takes excerpts of"),
        ({"jams": "{music}"}, "holds files"),
        ({"jams": "a", "taggram": "a"}, "--jams and --taggram both go to a;"),
        ({"jams": "a", "taggram": "./a"}, "--jams and --taggram both go to a;"),
        ({"json": "a.x", "csv": "./a.x"}, "--json and --csv both go to a.x;"),
        ({"json": "-", "csv": "-"}, "--json and --csv both go to -;"),
        ({"json": "{music}/0.flac"}, "0.flac exists"),
        ({"csv": "{music}/no/a.csv"}, "there is no folder .*no"),
        ({"taggram": "{music}"}, "holds files"),
        ({"bundle": "{music}"}, "music holds no bundle"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(options, music, changes, message):
    before = sorted(music.iterdir())
    changes = {
        name: value.format(music=music) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    with pytest.raises(ValueError, match=message):
        tag(options._replace(**changes))
    assert sorted(music.iterdir()) == before


@pytest.mark.parametrize("name", ["json", "csv"])
def test_a_full_disk_is_said_of_its_file(options, name, tmp_path):
    path = tmp_path / "all.txt"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(OSError, match=r"all\.txt cannot be written: File too "):
            tag(options._replace(**{name: str(path)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(("layers", "size"), [("last", 6), ("all", 4 * 6)])
def test_features_are_the_same_in_both_formats(embedding, layers, size, capsys):
    for name in (embedding.out, embedding.out.replace(".npz", ".parquet")):
        assert embed(embedding._replace(out=name, layers=layers)) == 0
    assert f"3 files, 12 rows of {size} features" in capsys.readouterr().out
    with np.load(embedding.out) as stored:
        arrays = dict(stored)
    columns = parquet.read_table(embedding.out.replace(".npz", ".parquet")).to_pydict()
    assert columns.keys() == arrays.keys()
    for name, values in columns.items():
        np.testing.assert_array_equal(np.array(values), arrays[name])
    assert arrays["features"].shape == (12, size)
    assert arrays["track_id"].tolist() == [*2 * "0", *4 * "1", *6 * "2"]
    assert arrays["seed"].tolist() == 6 * [0, 1]
    starts_s = RECIPE.duration_s * np.array([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(arrays["start_s"], starts_s)


def test_the_last_features_give_the_scores(options, embedding, capsys):
    """What a reader of the file can do with it."""
    embed(embedding)
    capsys.readouterr()
    tag(options._replace(json="-"))
    songs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with np.load(embedding.out) as table:
        rows = (table["track_id"] == "1") & (table["seed"] == 1)
        features = table["features"][rows]
        others = table["features"][(table["track_id"] == "1") & (table["seed"] == 0)]
    scores = []
    for seed, of_seed in enumerate((others, features)):
        params = make_bundle().weights.params["tags"]
        logits = of_seed @ params["kernel"][seed] + params["bias"][seed]
        scores.append((1 / (1 + np.exp(-logits))).mean(0))
    found = {one["tag"]: one["score"] for one in songs[1]["tags"]}
    expected = dict(zip(("rock", "pop", "jazz"), np.mean(scores, axis=0), strict=True))
    assert found == pytest.approx(expected, abs=1e-5)


def test_neighbours_are_printed_or_written(embedding, music, tmp_path, capsys):
    assert embed(embedding._replace(neighbours="-")) == 0
    out = capsys.readouterr().out
    assert f"{music}/0.flac\n" in out and "tags, by label vector:\nrock\n" in out
    page = tmp_path / "near.html"
    again = {"out": str(tmp_path / "b.npz"), "neighbours": str(page)}
    assert embed(embedding._replace(**again)) == 0
    text = page.read_text()
    assert f"place in {music}." in text and ">1.flac<" in text
    assert "label vector" in text and "http" not in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": "{music}/a.csv"}, r"a.csv must end in .npz or .parquet"),
        ({"out": "{music}/0.flac.npz"}, "0.flac.npz exists"),
        ({"neighbours": "{music}/a.txt"}, "a.txt must end in .html"),
        ({"files": ()}, "no files given; name audio files or folders"),
    ],
)
def test_mistakes_of_embedding(embedding, music, changes, message):
    (music / "0.flac.npz").write_text("")
    changes = {
        name: value.format(music=music) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    with pytest.raises(ValueError, match=message):
        embed(embedding._replace(**changes))


@pytest.mark.parametrize("name", ["out", "neighbours"])
def test_a_place_that_takes_no_file_is_told_at_once(embedding, name, tmp_path):
    ending = Path(embedding.out).suffix if name == "out" else ".html"
    with pytest.raises(OSError, match=f"/proc/new{ending} cannot be written"):
        embed(embedding._replace(bundle="", **{name: f"/proc/new{ending}"}))
    link = tmp_path / f"link{ending}"
    link.symlink_to("nowhere")
    with pytest.raises(ValueError, match=f"link{ending} exists"):
        embed(embedding._replace(bundle="", **{name: str(link)}))


def test_a_file_that_appears_meanwhile_stays(embedding, tmp_path, monkeypatch, capsys):
    page = tmp_path / "near.html"

    def slow(*arguments):
        Path(embedding.out).write_text("precious")
        page.write_text("precious")
        return consume(*arguments)

    monkeypatch.setattr("msd_tagger.commands.embed.consume", slow)
    assert embed(embedding._replace(neighbours=str(page))) == 0
    assert Path(embedding.out).read_text() == page.read_text() == "precious"
    out = capsys.readouterr().out
    assert "all-2.npz" in out and "near-2.html" in out
    with np.load(tmp_path / "all-2.npz") as stored:
        assert len(stored["features"]) == 12
    names = {"music", "all.npz", "all-2.npz", "near.html", "near-2.html"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_parquet_without_its_package(embedding, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    name = embedding.out.replace(".npz", ".parquet")
    with pytest.raises(ValueError, match=r"needs pyarrow, .* -e \"\.\[parquet\]\""):
        embed(embedding._replace(out=name))


def test_nothing_is_written_where_nothing_could_be_read(embedding, tmp_path):
    assert embed(embedding._replace(files=(str(tmp_path / "gone.mp3"),))) == 1
    assert not Path(embedding.out).exists()


def test_a_signal_says_how_far_it_came(capfd):
    def songs():
        yield Failure("a.mp3", "silent")
        raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted) as caught:
        consume(songs(), 2, "tagging", [])
    assert str(caught.value) == "SIGTERM; ended after 1 of 2 files"
    assert caught.value.exit_status == 143
