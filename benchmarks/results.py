"""What a part of the benchmark gives, and how it is written."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.race import Lane
from benchmarks.spread import Spread, ratios, significant

NOT_MEASURED = "not measured"
# Other processes' share of the machine from which on a result is not to be trusted.
DISTURBED_PERCENT = 10


class Requirement(NamedTuple):
    """A ratio that the project asks of itself.

    Attributes:
        what: Which.
        asked: The number.
        measured: The ratio in each round; empty where it could not be measured.
        at_most: Whether the number is a ceiling instead of a floor.
        note: Which contestants were compared, or why nothing was measured.
    """

    what: str
    asked: float
    measured: tuple[float, ...]
    at_most: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the number; None where nothing was measured."""
        if not self.measured:
            return None
        median = Spread.of(self.measured).median
        return median <= self.asked if self.at_most else median >= self.asked

    def row(self) -> list[str]:
        """Of the summary table."""
        asked = f"{'at most' if self.at_most else 'at least'} {self.asked:g}"
        found = Spread.of(self.measured).text() if self.measured else NOT_MEASURED
        met = {True: "yes", False: "no", None: ""}[self.is_met]
        return [self.what, asked, found, met, self.note]


class Table(NamedTuple):
    """A table of text.

    Attributes:
        title: Heading.
        columns: Names.
        rows: As long as the columns.
        note: A paragraph below.
    """

    title: str
    columns: Sequence[str]
    rows: list[list[str]]
    note: str = ""


class Part(NamedTuple):
    """What one part gives.

    Attributes:
        name: As in --parts.
        requirements: Ratios for the summary.
        tables: For the reader.
        races: Lanes of each of its races, by name.
        data: Further numbers for programs; can be written as JSON.
    """

    name: str
    requirements: list[Requirement]
    tables: list[Table]
    races: dict[str, list[Lane]]
    data: dict[str, Any] = {}  # noqa: RUF012 (never changed)


SUMMARY_COLUMNS = ("ratio", "asked", "measured", "met", "of")


def compare(
    what: str,
    asked: float,
    a: Lane | None,
    b: Lane | None,
    otherwise: str = "no such contestant ran",
) -> Requirement:
    """The rate of `a` over that of `b`, round by round."""
    if a is None or b is None:
        return Requirement(what, asked, (), note=otherwise)
    note = f"{label(a)} / {label(b)}"
    return Requirement(what, asked, tuple(ratios(a, b)), note=note)


def label(lane: Lane) -> str:
    """Name and setting of a lane, for a table."""
    setting = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in lane.setting.items())
    return f"{lane.name}, {setting}" if setting else lane.name


def lane_table(
    title: str, lanes: Iterable[Lane], base: Lane | None, unit: str, note: str = ""
) -> Table:
    """Rates, ratio to one of the lanes, peak memory and time of the first step."""
    against = f"/ {base.name}" if base else "ratio"
    columns = ("contestant", unit, against, "peak memory", "first step")
    rows = [_lane_row(lane, base) for lane in lanes]
    return Table(title, columns, rows, note)


def _lane_row(lane: Lane, base: Lane | None) -> list[str]:
    if lane.failure or not lane.rates:
        return [label(lane), lane.failure or NOT_MEASURED, "", "", ""]
    shared = ratios(lane, base) if base else []
    first_s = lane.prepared.get("first_step_s")
    return [
        label(lane),
        Spread.of(lane.rates.values()).text(),
        significant(Spread.of(shared).median) if shared else "",
        gigabytes(lane.peak_memory_bytes),
        f"{significant(first_s, 2)} s" if first_s is not None else "",
    ]


def gigabytes(num_bytes: float | None) -> str:
    """Memory in GB, as text.

    >>> gigabytes(1_234_000_000)
    '1.23 GB'
    """
    return "" if num_bytes is None else f"{num_bytes / 1e9:.2f} GB"


def markdown(table: Table) -> str:
    """A table in Markdown, its columns aligned in the source too."""
    cells = [list(table.columns), *table.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    lines = [_line(row, widths) for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    text = "\n".join(lines)
    title = f"### {table.title}\n\n" if table.title else ""
    note = f"\n\n{table.note}" if table.note else ""
    return f"{title}{text}{note}\n"


def summary(parts: Sequence[Part]) -> Table:
    """The table of all ratios asked."""
    rows = [one.row() for part in parts for one in part.requirements]
    note = (
        "Medians of the ratios within each round, with the lowest and the highest "
        "round."
    )
    return Table("", SUMMARY_COLUMNS, rows, note)


def page(parts: Sequence[Part], machine: dict[str, Any], command: str) -> str:
    """The whole of RESULTS.md."""
    sections = [
        "# Speed, measured\n",
        f"Written by `{command}` on {machine['date']}; the numbers are in "
        "`results.json` too.\n",
        markdown(summary(parts)),
    ]
    for part in parts:
        sections.append(f"## {part.name.capitalize()}\n")
        sections += [markdown(table) for table in part.tables]
    described = machine | {"other load": other_load(parts)}
    rows = [[name, _text(value)] for name, value in described.items()]
    sections.append("## Machine and versions\n")
    sections.append(markdown(Table("", ("", ""), rows)))
    return "\n".join(sections)


def write(
    directory: Path, parts: Sequence[Part], machine: dict[str, Any], command: str
) -> None:
    """Writes RESULTS.md and results.json."""
    directory.mkdir(parents=True, exist_ok=True)
    text = page(parts, machine, command)
    (directory / "RESULTS.md").write_text(text, encoding="utf-8")
    content = {
        "command": command,
        "machine": machine | {"other load": other_load(parts)},
        "summary": [
            one._asdict() | {"met": one.is_met}
            for part in parts
            for one in part.requirements
        ],
        "parts": {part.name: _data(part) for part in parts},
    }
    (directory / "results.json").write_text(json.dumps(content, indent=1) + "\n")


def other_load(parts: Sequence[Part]) -> str:
    """What other processes did to the machine meanwhile, a sentence."""
    shares = {
        (part.name, race, number): share
        for part in parts
        for race, lanes in part.races.items()
        for lane in lanes
        for number, share in lane.others.items()
    }
    if not shares:
        return NOT_MEASURED
    found = Spread.of(100 * share for share in shares.values())
    disturbed = found.highest > DISTURBED_PERCENT
    warning = "; some rounds were disturbed, measure again" if disturbed else ""
    return (
        f"{found.median:.0f} % of all cores in the middle round, {found.highest:.0f} % "
        f"in the worst{warning}"
    )


def _data(part: Part) -> dict[str, Any]:
    races = {
        name: [dataclasses.asdict(lane) for lane in lanes]
        for name, lanes in part.races.items()
    }
    return races | part.data


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "| " + " | ".join(cells) + " |"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {found}" for name, found in value.items())
    return str(value)
