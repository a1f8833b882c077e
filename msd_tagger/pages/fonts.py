"""Fonts of figures: Matplotlib's own, and installed ones for characters it lacks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress

from matplotlib import font_manager

# Families in which a glyph is looked for, one after another; `add_for` adds to them.
FAMILIES = ["sans-serif"]
_in_no_font: set[str] = set()  # Characters of which that was said.
logger = logging.getLogger(__name__)


def lacking(said: Iterable[str]) -> set[str]:
    """Reads from Matplotlib's warnings which characters it found no glyph for.

    >>> lacking(["Glyph 26085 (CJK) missing from font(s) DejaVu Sans.", "else"])
    {'日'}
    """
    found = (re.match(r"Glyph (\d+) .*missing from", one) for one in said)
    return {chr(int(one[1])) for one in found if one}


def add_for(characters: set[str]) -> bool:
    """Adds installed families that have the characters; False where there are none.

    Characters that no font has are named once.
    """
    wanted, number = characters - _in_no_font, len(FAMILIES)
    glyphs = _glyphs_of_families() if wanted else {}
    while best := max(glyphs, key=lambda name: len(wanted & glyphs[name]), default=""):
        if not wanted & glyphs[best]:
            break
        wanted -= glyphs.pop(best)
        FAMILIES.append(best)
    if wanted:
        logger.warning(
            "figures show boxes in place of %s: no installed font has them; install "
            "one, such as fonts-noto-cjk or fonts-symbola of Debian",
            ", ".join(sorted(wanted)),
        )
        _in_no_font.update(wanted)
    return len(FAMILIES) > number


def _glyphs_of_families() -> dict[str, set[str]]:
    """Reads what every font of the system has, also of those that were just added."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in {*font_manager.findSystemFonts()} - known:
        with suppress(Exception):  # Bitmaps, and what is no font.
            manager.addfont(path)
    files = {entry.name: entry.fname for entry in manager.ttflist}
    return {
        name: set(map(chr, font_manager.get_font(file).get_charmap()))
        for name, file in sorted(files.items())
        if "Last Resort" not in name  # Matplotlib's, with a box for everything.
    }
