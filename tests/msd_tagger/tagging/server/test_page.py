"""The page to try a bundle on, in a real browser."""

import pytest

from tests import browser
from tests.serving import make_bundle, serving, sound

NAME = "<img src=x onerror=alert(1)> & co.wav"


@pytest.fixture(scope="module")
def page(uploads, tmp_path_factory):
    if browser.EXECUTABLE is None:
        pytest.skip(f"no Chromium found ({', '.join(browser.NAMES)})")
    folder = tmp_path_factory.mktemp("browser")
    with serving() as server, browser.Browser(folder) as page:
        page.send("Page.navigate", url=f"http://127.0.0.1:{server.port}/")
        page.wait("document.readyState === 'complete'")
        page.server = server
        yield page


def text(page, selector):
    return page.run(f"document.querySelector('{selector}').innerText")


def hand(page, *paths):
    page.run("$('status').textContent = ''")
    page.give_file("#file", *paths)
    page.wait("!sent && $('busy').hidden && $('status').textContent !== ''")


def rows(page):
    script = "[...$('tags').tBodies[0].rows].map((row) => row.innerText)"
    return [" ".join(row.split()) for row in page.run(script)]


def test_a_song_in_a_browser(page):
    hand(page, sound(page.folder / NAME))
    over = "1 of 20 tags is over its threshold: rock."
    assert text(page, "#summary") == over and text(page, "#name") == NAME
    assert text(page, "#status") == f"{NAME} is tagged."
    found = rows(page)
    assert len(found) == 12
    assert found[0] == "rock (over its threshold) 0.350 ± 0.071 0.300 30 %"
    assert found[1] == "jazz 0.500 ± 0.000 0.600 60 %"
    loose = "tag 4 (over a threshold that says little) 0.050 ± 0.000 0.010 1 %"
    assert loose in found
    assert any("<b>loud</b>" in row for row in found)
    assert page.run("document.querySelectorAll('b, img').length") == 12
    widths = "['i', 'b'].map((one) => document.querySelector(`.meter ${one}`).style)"
    ends = page.run(f"{widths}.map((one) => one.width || one.left)")
    assert [float(end[:-1]) for end in ends] == pytest.approx([35, 30])

    assert page.run("$('spectrogram').naturalWidth") > 100
    cells = "document.querySelector('#taggram .line:nth-child(2)').querySelectorAll"
    scores = page.run(f"[...{cells}('.cell')].map((cell) => cell.innerText)")
    assert scores[0] == ".25" and scores[-1] == ".45"
    page.wait("$('audio').duration > 4.9")
    assert page.run("$('silent').hidden")
    page.run("document.querySelector('#taggram .cell:last-child').click()")
    page.wait("!$('playhead').hidden")

    page.run("$('more').click()")
    assert page.run("$('tags').tBodies[0].rows.length") == 20
    assert page.run("$('more').getAttribute('aria-expanded')") == "true"


def test_songs_stay_in_the_page(page):
    """Several songs are tagged in turn, a file that is none between them."""
    (page.folder / "text.mp3").write_bytes(b"no music")
    paths = [sound(page.folder / f"song {k}.wav", duration_s=2 * k) for k in (2, 3)]
    page.run("songs.length = 0")
    hand(page, paths[0], page.folder / "text.mp3", paths[1])
    listed = text(page, "#songs").splitlines()
    assert listed[0::2] == ["song 2.wav", "text.mp3", "song 3.wav"]
    assert listed[1::4] == ["✓ rock", "✓ rock"]
    assert listed[3].startswith("The file cannot be tagged: not audio")
    assert text(page, "#name") == "song 2.wav"
    page.run("document.querySelectorAll('#songs button')[1].click()")
    assert text(page, "#name") == "song 3.wav"
    assert "0:06" in text(page, "#facts")
    assert text(page, "#songs [aria-current]").startswith("song 3.wav")


def test_what_waits_can_be_stopped(page):
    page.run("songs.length = 0")
    page.server.tagger.hold.clear()
    path = sound(page.folder / "song.wav")
    page.give_file("#file", path, path)
    page.wait("!$('busy').hidden")
    page.run("$('stop').click()")
    page.server.tagger.hold.set()
    page.wait("$('busy').hidden")
    assert text(page, "#songs").splitlines()[1::2] == ["stopped", "stopped"]


def test_the_sample_is_tagged(page):
    assert "Music made by a program" in text(page, "main")
    page.run("$('sample').click()")
    page.wait("$('name').innerText.startsWith('Sample, made by a program')")
    assert text(page, "#facts") == "0:58, 29 excerpts of 2 s"


def test_a_bundle_without_thresholds_in_a_browser(page, monkeypatch):
    monkeypatch.setattr(page.server.tagger, "bundle", make_bundle(False))
    hand(page, sound(page.folder / "short.wav", duration_s=1))
    assert text(page, "#summary") == "The highest score is that of jazz."
    assert rows(page)[0].split()[:2] == ["jazz", "0.500"]
    assert page.run("document.querySelectorAll('.passes, .meter b').length") == 0
    assert page.run("$('taggram').hidden")


def test_the_page_is_accessible(page):
    hand(page, sound(page.folder / "a song.wav"), sound(page.folder / "another.wav"))
    assert page.complaints() == []


def test_a_browser_shows_why_a_file_is_refused(page):
    for name, content, reason in (
        ("text.mp3", b"no music", "text.mp3: The file cannot be tagged: not audio"),
        ("empty.wav", b"", "empty.wav: The file cannot be tagged: empty"),
        ("big.wav", b"x" * 3_000_001, "big.wav: The file is larger than 3 MB"),
    ):
        (page.folder / name).write_bytes(content)
        hand(page, page.folder / name)
        assert text(page, "#status").startswith(reason)
        assert page.run("$('status').classList.contains('wrong')")
        assert page.run("$('result').hidden")


def test_a_browser_shows_a_refusal_that_comes_before_the_end(page):
    """The server answers large files and full queues without reading the file."""
    script = "answerTo(new Blob([new Uint8Array(2e7)])).catch((error) => error.message)"
    assert page.run(script) == "The file is larger than 3 MB, the most allowed."
