"""Figures show the text of users as it is, and leave room for the rest."""

import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from msd_tagger.pages import fonts, style

MARKUP = ("$_$", "Ca$h", "a^b_c", r"$\frac{1}{2}$", "$", "<b>&amp;", "--", "_hidden")


def titled(text):
    def draw():
        figure = Figure(figsize=(5, 1))
        figure.suptitle(style.label(text))
        return figure

    return draw


@pytest.fixture
def no_fonts(monkeypatch):
    """As where nothing was drawn before, and nothing but Matplotlib is installed."""
    monkeypatch.setattr(fonts, "FAMILIES", ["sans-serif"])
    monkeypatch.setattr(fonts, "_in_no_font", set())
    monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: [])
    manager = fonts.font_manager.fontManager
    own = [e for e in manager.ttflist if e.name in ("DejaVu Sans", "cmr10")]
    monkeypatch.setattr(manager, "ttflist", own)


@pytest.mark.parametrize("has_picture", [False, True])
def test_the_dark_figure_is_the_one_that_would_be_drawn(has_picture):
    def draw():
        figure = Figure(figsize=(4, 3))
        left, right = figure.subplots(1, 2)
        for number in range(len(style.THEMES["light"]["axes.prop_cycle"])):
            left.plot([0, 1], [number, 0], "o-", label="#0072b2", alpha=0.5)
            left.bar(number, number, color=f"C{number}", ec=style.ink(left))
        left.legend()
        right.scatter([0, 1], [1, 0], color=["black", "none"], ec="C1")
        if has_picture:
            colours = [matplotlib.rcParams["axes.facecolor"], "C0"]
            colours = LinearSegmentedColormap.from_list("", colours)
            right.imshow([[0, 1]], cmap=colours)
        return figure

    def without_ids(content):  # They are digests of styles. Comments repeat texts.
        ids, content = {}, re.sub(rb"<!-- .* -->", b"", content)
        name = re.compile(rb"\b[mp][0-9a-f]{10}\b|image[0-9a-f]{10}")
        return name.sub(lambda one: ids.setdefault(one[0], b"%d" % len(ids)), content)

    light, drawn = (style.svg(draw, theme) for theme in ("light", "dark"))
    assert (b"<image" in light) == has_picture
    assert without_ids(style.dark_svg(draw, light)) == without_ids(drawn)
    assert without_ids(light) != without_ids(drawn)


def test_what_others_set_changes_no_figure():
    """As a `matplotlibrc` in the current folder does, or a notebook."""
    draw = titled("rock")
    plain = style.svg(draw, "light")
    others = {"figure.titlesize": 40, "figure.dpi": 30, "savefig.bbox": "tight"}
    with matplotlib.rc_context(others):
        assert style.svg(draw, "light") == plain
        assert matplotlib.rcParams["figure.dpi"] == 30


@pytest.mark.parametrize("text", MARKUP)
def test_no_text_is_a_formula(text, tmp_path):
    drawn = []

    def draw():
        drawn.append(titled(text)())
        return drawn[-1]

    ET.fromstring(style.svg(draw, "dark"))  # Well-formed.
    (shown,) = drawn[0].texts
    assert shown.get_text() == text
    assert not shown.get_parse_math() and not shown.get_usetex()
    style.save_figure(draw, tmp_path / "figure", pdf=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"figure.pdf", "figure.png", "figure.svg"}


def test_long_names_leave_room(tmp_path):
    for text in ("x" * 300, "長" * 300):
        style.save(titled(text), tmp_path / "long.png", dpi=50)
        ink = (matplotlib.image.imread(tmp_path / "long.png")[..., :3] < 0.9).any(2)
        assert ink[:, [0, -1]].sum() == 0 and ink.any()
    assert style.label("a" * 39 + "b") == "a" * 39 + "b"


def test_control_characters_are_written_out():
    assert style.label("a\x07b\nc\u200b") == r"a\x07b\nc\u200b"
    assert style.label("名前\u3000👩\u200d🎤") == "名前\u3000👩\u200d🎤"


def test_one_line_says_what_no_font_has(no_fonts, caplog, recwarn):
    for theme in style.THEMES:
        style.svg(titled("日本 🎸"), theme)
    (said,) = caplog.messages
    assert said.startswith(
        "figures show boxes in place of 日, 本, 🎸: no installed font"
    )
    assert not recwarn.list


def test_an_installed_font_is_found(no_fonts, caplog, monkeypatch, tmp_path):
    builder = FontBuilder(1000, isTTF=True)
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 900), (900, 900), (900, 0)):
        (pen.lineTo if place != (0, 0) else pen.moveTo)(place)
    pen.closePath()
    builder.setupGlyphOrder([".notdef", "block"])
    builder.setupCharacterMap({ord("日"): "block"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "block": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "block": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=0)
    builder.setupNameTable({"familyName": "Blocks", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "blocks.ttf")
    found = [str(tmp_path / "blocks.ttf")]
    monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: found)
    style.save(titled("日"), tmp_path / "block.png", dpi=50)
    assert fonts.FAMILIES == ["sans-serif", "Blocks"]
    assert not caplog.messages
    picture = matplotlib.image.imread(io.BytesIO((tmp_path / "block.png").read_bytes()))
    dark = (picture[..., :3] < 0.5).all(2)
    rows, columns = np.nonzero(dark)
    assert dark[rows.min() : rows.max(), columns.min() : columns.max()].all()
