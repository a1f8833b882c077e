"""The page to listen on: what is in it, and what it does in a real browser."""

import base64
import dataclasses
import io
import json
import time
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from msd_tagger.pages.pictures import spectrogram_png
from studies.annotation.answers import read_answers
from studies.annotation.page import ClipToHear, write_annotation_page
from tests import awkward_audio as awkward
from tests import browser
from tests.subsets import NASTY, make_clips, make_subset


class Page(HTMLParser):
    """Collects tags, the text outside of scripts, and scripts by id."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.shown, self.scripts, self.inside = [], "", {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = dict(attrs).get("id", tag)

    def handle_endtag(self, tag):
        self.inside = None if tag in ("script", "style") else self.inside

    def handle_data(self, data):
        if self.inside is None:
            self.shown += data
        else:
            self.scripts[self.inside] = self.scripts.get(self.inside, "") + data


def test_the_page_holds_everything_and_shows_no_tag(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    path = write_annotation_page(tmp_path / "out", subset, clips, duration_s=0.5)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["subset400.html"]
    page = Page(path.read_text(encoding="utf-8"))
    assert not [a for _, a in page.tags if {"src", "href"} & a.keys()]
    assert not {"b", "i", "u"} & {tag for tag, _ in page.tags}
    assert "rock" not in page.shown and "hidden" not in page.shown
    data = json.loads(page.scripts["data"])
    assert [clip["id"] for clip in data["clips"]] == subset.track_id.tolist()
    assert set(subset.track_id) == set(NASTY)
    assert data["digest"] == subset.digest
    for row, clip in enumerate(data["clips"]):
        assert clip["labels"] == ["guitar", "<i>vox"] and clip["file"] == ""
        sound = base64.b64decode(page.scripts[f"audio-{row}"])
        assert sound == clips[row].audio.read_bytes()
        assert base64.b64decode(page.scripts[f"picture-{row}"])[:4] == b"\x89PNG"


def test_much_audio_is_copied_beside_the_page_under_names_of_ours(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    out = tmp_path / "out"
    path = write_annotation_page(out, subset, clips, embed_limit_bytes=1)
    page = Page(path.read_text(encoding="utf-8"))
    files = [clip["file"] for clip in json.loads(page.scripts["data"])["clips"]]
    folder = f"subset400_audio_{subset.digest[:8]}"
    assert files == [f"{folder}/000{number}.wav" for number in range(1, 6)]
    assert all(
        (out / name).read_bytes() == clips[0].audio.read_bytes() for name in files
    )
    assert "audio-0" not in page.scripts


ENDINGS = {".m4a": "mp4", ".MP4": "mp4", ".aac": "aac", ".webm": "webm", ".wave": "wav"}


def test_browsers_are_told_what_a_file_is(tmp_path):
    subset = make_subset()
    clips = []
    for clip, ending in zip(make_clips(tmp_path, subset), ENDINGS, strict=True):
        path = tmp_path / f"{len(clips)}{ending}"
        path.write_bytes(b"What this is, its content does not say.")
        clips.append(dataclasses.replace(clip, audio=path))
    path = write_annotation_page(tmp_path / "out", subset, clips)
    data = json.loads(Page(path.read_text(encoding="utf-8")).scripts["data"])
    types = [clip["type"] for clip in data["clips"]]
    assert types == [f"audio/{name}" for name in ENDINGS.values()]


BY_CONTENT = {
    ".flac": ("audio/flac", awkward.flac),
    ".ogg": ("audio/ogg", awkward.ogg),
    ".mp3": ("audio/mpeg", lambda: awkward.id3(awkward.art(5000)) + awkward.mp3()),
    ".wav": ("audio/wav", awkward.wav),
    ".aiff": ("audio/aiff", awkward.FORMATS["fmt_AIFF_PCM_16.aiff"][0]),
}


@pytest.mark.parametrize("ending", ["", ".raw", ".m4a", ".part2"])
def test_the_content_of_a_file_says_what_it_is(tmp_path, ending):
    subset, clips = make_subset(), []
    rows = zip(make_clips(tmp_path, subset), BY_CONTENT.items(), strict=True)
    for clip, (kind, (_, make)) in rows:
        path = tmp_path / f"{kind[1:]} file{ending}"
        path.write_bytes(make())
        clips.append(dataclasses.replace(clip, audio=path))
    path = write_annotation_page(tmp_path / "out", subset, clips, embed_limit_bytes=1)
    data = json.loads(Page(path.read_text(encoding="utf-8")).scripts["data"])
    assert [clip["type"] for clip in data["clips"]] == [
        x for x, _ in BY_CONTENT.values()
    ]
    endings = [Path(clip["file"]).suffix for clip in data["clips"]]
    assert endings == [*BY_CONTENT]


def test_another_page_is_not_overwritten(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    path = write_annotation_page(tmp_path, subset, clips)
    assert write_annotation_page(tmp_path, subset, clips[:]) == path
    path.write_text("<p>my own</p>")
    with pytest.raises(ValueError, match=r"subset400.html exists and asks other"):
        write_annotation_page(tmp_path, subset, clips)
    assert path.read_text() == "<p>my own</p>"


def test_what_cannot_be_played_is_named(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    with pytest.raises(ValueError, match=r"4 clips were given for the 5 of subset400"):
        write_annotation_page(tmp_path, subset, clips[1:])
    for name, message in (
        ("x.txt", r"x.txt of clip .* not known.*\.mp3.* convert it"),
        ("x", r"x of clip .* by its content or its ending, .* take .*\.mp3"),
        ("gone.mp3", "missing"),
    ):
        if "gone" not in name:
            (tmp_path / name).write_text("text")
        clips[2] = ClipToHear(clips[2].track_id, tmp_path / name)
        with pytest.raises(ValueError, match=message):
            write_annotation_page(tmp_path, subset, clips)
    with pytest.raises(ValueError, match=r"subset400 is empty: the test split"):
        write_annotation_page(tmp_path, make_subset([]), [])
    assert not (tmp_path / "subset400.html").exists()


def test_a_picture_ends_where_the_sound_does(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    clips[0] = dataclasses.replace(clips[0], heard_s=0.25)
    centres_hz = np.linspace(0, 4000, 6)
    path = write_annotation_page(
        tmp_path / "out", subset, clips, duration_s=0.5, centres_hz=centres_hz
    )
    scripts = Page(path.read_text(encoding="utf-8")).scripts
    shapes = [
        matplotlib.image.imread(io.BytesIO(base64.b64decode(scripts[name]))).shape[:2]
        for name in ("picture-0", "picture-1")
    ]
    assert shapes == [(6, 4), (6, 8)]
    data = json.loads(scripts["data"])
    assert [clip["heard_s"] for clip in data["clips"][:2]] == [0.25, 0.5]
    heights = {one["name"]: one["height"] for one in data["frequencies"]}
    assert heights["2 kHz"] == pytest.approx(0.5)  # Band 2.5 of 6 is in the middle.
    assert list(heights) == ["100 Hz", "500 Hz", "1 kHz", "2 kHz", "4 kHz"]


def test_pictures_are_small_and_upright():
    decibels = np.full((257, 1360), -90.0, np.float16)
    decibels[:40] = -10
    png = matplotlib.image.imread(io.BytesIO(spectrogram_png(decibels)))
    brightness = png[..., :3].sum(axis=-1)
    assert brightness.shape == (129, 680)
    assert brightness[-1].min() > 2 > 0.1 > brightness[0].max()
    silent = matplotlib.image.imread(io.BytesIO(spectrogram_png(np.zeros((1, 1)))))
    assert silent.shape[:2] == (1, 1)


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """The page in a browser, opened from the disk, after a first reload."""
    if browser.EXECUTABLE is None:
        pytest.skip(f"no Chromium found ({', '.join(browser.NAMES)})")
    folder = tmp_path_factory.mktemp("page")
    subset = make_subset()
    clips = make_clips(folder, subset, duration_s=3, start_s=1)
    path = write_annotation_page(folder / "out", subset, clips, duration_s=1)
    with browser.Browser(folder) as page:
        page.open(path)
        page.subset, page.path = subset, path
        yield page


def shown(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


def answers_in(page, path):
    return [
        (answer.track_id, answer.label, answer.answer, answer.annotator)
        for answer in read_answers(path, NASTY, page.subset.labels)
    ]


def test_a_listener_in_a_browser(listening):
    """Plays, answers by keyboard, reloads, downloads, goes on from a file."""
    page = listening
    first, second = map(str, page.subset.track_id[:2])
    assert shown(page, "progress") == "0 of 10 answers, 0 of 5 clips complete"
    assert "guitar" in page.run("document.querySelector('main').innerHTML")

    audio = "document.getElementById('audio')"
    page.press(" ")
    page.wait(f"!{audio}.paused && {audio}.currentTime > 1")
    page.wait("parseFloat(document.getElementById('playhead').style.left) > 0")
    page.press(" ")
    assert page.run(f"{audio}.paused") and page.run(f"{audio}.currentTime") < 2
    page.press(" ")  # The clip is the second second of the file.
    page.wait(f"{audio}.paused && {audio}.currentTime >= 2")
    page.press("j")
    assert page.run(f"{audio}.currentTime") == 1

    hidden = "document.querySelector('main').innerHTML.includes('rock')"
    assert not page.run(hidden)
    page.press("t")
    assert shown(page, "existing") == "rock, <u>hidden</u>"

    page.press("y", "N")
    assert shown(page, "where") == "Clip 2 of 5"
    assert shown(page, "existing") == "" and not page.run(hidden)
    page.press("ArrowDown", "u", "ArrowUp", "Delete", "ArrowUp", "u")
    assert shown(page, "progress") == "3 of 10 answers, 1 of 5 clips complete"

    page.press("d")
    assert shown(page, "status").startswith("Give your name first")
    page.send("Input.insertText", text='Ann "A", B')
    page.run("window.old = true")
    page.send("Page.reload")
    page.wait("!window.old && document.readyState === 'complete'")
    assert shown(page, "progress") == "3 of 10 answers, 1 of 5 clips complete"
    assert shown(page, "where") == "Clip 2 of 5"

    page.press("d")
    downloaded = page.folder / "subset400-Ann-A-B.csv"
    wait_for(downloaded)
    by = 'Ann "A", B'
    given = [(first, "guitar", "yes", by), (first, "<i>vox", "no", by)]
    given.append((second, "guitar", "unsure", by))
    assert answers_in(page, downloaded) == given

    other = page.folder / "mine.csv"
    text = downloaded.read_text(encoding="utf-8")
    other.write_text(text.replace(",no,", ",unsure,"), encoding="utf-8")
    page.give_file("#upload", other)
    page.wait("document.getElementById('status').textContent.includes('mine.csv')")
    assert shown(page, "status") == "3 answers were read from mine.csv."
    downloaded.unlink()
    page.press("d")
    wait_for(downloaded)
    assert answers_in(page, downloaded)[1] == (first, "<i>vox", "unsure", by)


def test_keys_are_shown_where_they_act_and_rows_stay_in_place(listening):
    """Also where a name is long, and with an answer given."""
    page = listening
    every = "[...document.querySelectorAll('#questions WHAT')]"
    places = f"{every.replace('WHAT', 'button')}.map((one) => one.offsetTop)"
    keys = f"{every.replace('WHAT', 'kbd')}.filter((one) => one.offsetWidth)"
    page.show_as(1280, "light")
    assert page.run(f"{keys}.map((one) => one.textContent)") == ["Y", "N", "U"]
    assert page.run("document.querySelectorAll('.question kbd').length") == 6
    for width_px in (1280, 390):
        page.show_as(width_px, "light")
        before = page.run(places)
        assert len(set(before)) == 2  # A line for each of two labels.
        page.press("u", "Delete")
        assert page.run(places) == before


def test_the_page_is_accessible(listening):
    assert listening.complaints() == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("x,guitar,yes,Ann", 'line 2: "x" is no clip of this page'),
        ('"a, b",drums,yes,Ann', 'line 2: "drums" is not asked of "a, b"'),
        ('"a, b",guitar,ja,Ann', 'line 2: "ja" is none of yes, no, unsure'),
        ('"a, b",guitar,no,"A\nB"\n__proto__,guitar,no,C', "line 4: two names"),
        ('"a, b",guitar,no,A\n"a, b",guitar,no,A', 'line 3: "guitar" of "a, b" is ans'),
        ('"a, b",guitar,no', "line 2: 3 values instead of 4"),
    ],
)
def test_a_browser_refuses_other_files(listening, rows, message):
    path = listening.folder / "other.csv"
    path.write_text(f"track_id,label,answer,annotator\n{rows}\n", encoding="utf-8")
    said = "document.getElementById('status').textContent"
    listening.run(f"{said} = ''")
    before = shown(listening, "progress")
    listening.give_file("#upload", path)
    listening.wait(f"{said} !== ''")
    assert shown(listening, "status").startswith(f"other.csv: {message}")
    assert shown(listening, "progress") == before


def wait_for(path):
    """Waits until a download is there."""
    end = time.monotonic() + browser.TIMEOUT_S
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
