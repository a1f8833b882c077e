"""What pages share: templates, drawings, and what is said of the corpus."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common.facts import SPLITS
from msd_tagger.pages import markdown, style, tables
from msd_tagger.pages.tables import Formats

# Matplotlib counts in points, browsers in pixels of 1/96 inch.
PIXELS_PER_POINT = 96 / 72
TEMPLATES = Path(__file__).with_name("templates")


@dataclasses.dataclass(frozen=True, eq=False)
class Illustration:
    """A figure of a report, and the numbers behind it."""

    name: str  # Its file's, without ending.
    # Draws it in the theme's colours (`style.py`), from the frame if there is one.
    plot: Callable[..., Figure]
    alt: str  # What it shows, for those who do not see it.
    caption: str = ""  # What to know in order to read it.
    frame: pd.DataFrame | None = None  # What is drawn, a row a value; written as CSV.
    formats: Formats = dataclasses.field(default_factory=dict)  # Of its columns.

    def draw(self) -> Figure:
        """Draws it in the colours of the current theme."""
        return self.plot() if self.frame is None else self.plot(self.frame)

    def numbers(self) -> list[list[str]]:
        """Returns the rows of the CSV file, its header first; none without a frame."""
        if self.frame is None:
            return []
        return [list(self.frame.columns), *tables.cells(self.frame, self.formats)]


def render(template: str, folder: Path = TEMPLATES, **values: Any) -> str:
    """Fills a template of a folder, or of `TEMPLATES`.

    In Markdown blocks end with one empty line, however many the template makes.

    Raises:
        jinja2.UndefinedError: The template asks for a value that was not given.
    """
    text = template_of(template, folder).render(**values)
    is_html = ".html" in template
    return text if is_html else re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def template_of(name: str, folder: Path = TEMPLATES) -> jinja2.Template:
    """Reads a template of a folder, or of `TEMPLATES`.

    In HTML every value is escaped; in Markdown the filter `md` does so.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, TEMPLATES]),
        autoescape=".html" in name,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": breakable,
        "readable": tables.readable,
        "columns_of_words": tables.columns_of_words,
        "md": markdown.escape,
        "md_table": markdown.markdown_table,
    }
    return environment.get_template(name)


def breakable(name: str) -> list[str]:
    """Splits a name where a line may end: behind its words, and not within them.

    >>> breakable("a-b/01_song.live.mp3")
    ['a-', 'b/', '01_', 'song.', 'live.mp3']
    """
    return re.split(r"(?<=[-_/])|(?<=\.)(?=.{6})", name)


def draw(
    illustration: Illustration, folder: Path, *, name: str = "", pdf: bool = False
) -> dict[str, Any]:
    """Writes a figure's files (`style.save_figure`) and returns what a page needs.

    `light` and `dark` are the drawings as data URIs, `width` is in pixels.
    """
    stem = folder / (name or illustration.name)
    light = style.save_figure(illustration.draw, stem, pdf=pdf)
    found = re.search(rb'<svg[^>]* width="([\d.]+)pt"', light)
    return {
        "light": style.data_uri(light),
        "dark": style.data_uri(style.dark_svg(illustration.draw, light)),
        "width": round(float(found[1]) * PIXELS_PER_POINT) if found else None,
        "alt": illustration.alt,
    }


def corpus(of_corpus: Mapping[str, Any], loader: str | None) -> dict[str, Any]:
    """Returns what a page says about the corpus, for `corpus_line` and `notice`.

    It is told `corpus` of a summary and `corpus.name` of the configuration.
    """
    counts, notice = of_corpus.get("counts") or {}, of_corpus.get("note")
    name, version = of_corpus["name"], of_corpus.get("version")
    notice = ("", notice) if notice else None
    # A folder of one's own may be called synthetic too.
    if loader == name == "synthetic":
        text = (
            "Every number on this page was measured on made-up music and holds for it "
            "alone; none can be compared with a score on recorded music."
        )
        notice = ("Synthetic corpus.", " ".join([text, *(notice or ())[1:]]))
    return {
        "name": name,
        "version": version,
        "counts": [(s, counts[s]) for s in SPLITS if s in counts],
        "clips_used": of_corpus.get("train_clips_used", counts.get("train")),
        "clips": counts.get("train"),
        # What must be said before any number: bold words, then the others.
        "notice": notice,
    }


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Turns names into anchors or file names: letters of all scripts, none twice.

    >>> unique(["Fig. 4", "fig 4", "", "config"], taken=["config"])
    ['Fig-4', 'fig-4-2', 'part', 'config-2']
    >>> unique(["a/عربي", "夜 (live)", "नमस्ते", "😀?"])
    ['a-عربي', '夜-live', 'नमस्ते', '😀']
    >>> len(unique(["long" * 99])[0])
    100
    """
    found: list[str] = []
    # Some file systems take "a" and "A" for one name.
    used = {name.lower() for name in taken}
    for name in names:
        kept = (c if _is_plain(c) else "-" for c in unicodedata.normalize("NFC", name))
        plain = re.sub("-+", "-", "".join(kept))
        # Short enough for a file system, with what is added to it.
        plain = plain.encode()[:100].decode(errors="ignore").strip("-") or "part"
        number, one = 1, plain
        while one.lower() in used:
            number += 1
            one = f"{plain}-{number}"
        used.add(one.lower())
        found.append(one)
    return found


def _is_plain(character: str) -> bool:
    """Tells whether it is a letter, a mark on one, a digit, "_" or a picture."""
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "So" or character == "_"
