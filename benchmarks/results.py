"""What a part of the benchmark gives, and how it is written."""

import dataclasses
import datetime
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.race import Lane
from msd_tagger.common.files import write_text
from msd_tagger.common.processes import available_cores
from msd_tagger.common.provenance import PACKAGES, version_of
from msd_tagger.pages.markdown import markdown_table
from msd_tagger.pages.tables import Table

COMPILED = Path(__file__).parents[1] / "scripts" / "devices"
NOT_MEASURED, NONE_RAN = "not measured", "no such contestant ran"
# Other processes' share of the machine from which on a result is not to be trusted.
DISTURBED_PERCENT = 10


def spread(values: Iterable[float], digits: int = 3) -> str:
    """Prints median and ends of some measurements, to some significant digits.

    >>> spread([1.2345, 1.2999, 1.1])
    '1.23 (1.10 to 1.30)'
    """
    values = list(values)
    middle, lowest, highest = (
        significant(f(values), digits) for f in (median, min, max)
    )
    return f"{middle} ({lowest} to {highest})"


def significant(value: float, digits: int = 3) -> str:
    """Prints a number with so many digits, never in powers of ten.

    >>> [significant(x) for x in (0.01234, 1.2, 98.76, 43210.0)]
    ['0.0123', '1.20', '98.8', '43,210']
    """
    if value == 0:
        return "0"
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def seconds(value: float) -> str:
    """Prints a short time."""
    return f"{significant(value, 2)} s"


def ratios(a: Lane, b: Lane | None) -> list[float]:
    """Returns the rate of `a` over that of `b`, in each round that both were in."""
    if b is None:
        return []
    return [
        rate / b.rates[number] for number, rate in a.rates.items() if number in b.rates
    ]


def best(lanes: Sequence[Lane]) -> Lane | None:
    """Finds the fastest by the median of its rates; None where none ran."""
    ran = [lane for lane in lanes if lane.rates and not lane.failure]
    return max(ran, key=lambda lane: median(lane.rates.values()), default=None)


def find(lanes: Sequence[Lane], name: str, **setting: Any) -> Lane:
    """Finds the lane of a name, and of a setting if one is given."""
    return next(
        x for x in lanes if x.name == name and (not setting or x.setting == setting)
    )


class Ratio(NamedTuple):
    """A row of the summary: mostly one rate over another, by round."""

    what: str
    measured: tuple[float, ...]  # Empty where it could not be measured.
    note: str = ""  # Which contestants were compared, or why nothing was measured.

    def row(self) -> list[str]:
        """Returns its cells."""
        found = spread(self.measured) if self.measured else NOT_MEASURED
        return [self.what, found, self.note]


class Part(NamedTuple):
    """What one part gives."""

    name: str  # As in --parts.
    summary: list[Ratio]
    tables: list[str]  # Markdown, for the reader.
    races: dict[str, list[Lane]]  # Lanes of each of its races, by name.


def compare(
    what: str, a: Lane | None, b: Lane | None, otherwise: str = NONE_RAN
) -> Ratio:
    """Compares the rate of `a` with that of `b`, round by round."""
    if a is None or b is None:
        return Ratio(what, (), otherwise)
    return Ratio(what, tuple(ratios(a, b)), f"{label(a)} / {label(b)}")


def label(lane: Lane) -> str:
    """Prints name and setting of a lane."""
    setting = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in lane.setting.items())
    return f"{lane.name}, {setting}" if setting else lane.name


Columns = Mapping[str, Callable[[Lane], str]]


def rate(lane: Lane) -> str:
    """Prints the rates of a lane."""
    return spread(lane.rates.values())


def memory(lane: Lane) -> str:
    """Prints the peak memory of a lane in GB."""
    size = lane.peak_memory_bytes
    return "" if size is None else f"{size / 1e9:.2f} GB"


def first_step(lane: Lane) -> str:
    """Prints the time of the first step, compilation included."""
    return seconds(lane.prepared["first_step_s"])


def against(base: Lane | None) -> Columns:
    """Returns the column of the median ratios to a lane."""

    def ratio(lane: Lane) -> str:
        shared = ratios(lane, base)
        return significant(median(shared)) if shared else ""

    return {f"/ {base.name}" if base else "ratio": ratio}


def lane_table(
    title: str, lanes: Iterable[Lane], names: Columns, columns: Columns, note: str = ""
) -> str:
    """Prints lanes as a table; of one that failed, the reason instead of numbers.

    `names` are the first columns, which say which lane it is; the others need rates.
    """
    rows = []
    for lane in lanes:
        cells = [cell(lane) for cell in names.values()]
        if lane.failure or not lane.rates:
            reason = lane.failure or NOT_MEASURED
            cells += [reason, *[""] * (len(columns) - 1)]
        else:
            cells += [cell(lane) for cell in columns.values()]
        rows.append(cells)
    return markdown(title, (*names, *columns), rows, note)


def markdown(
    title: str, columns: Sequence[str], rows: list[list[str]], note: str = ""
) -> str:
    """Prints a table in Markdown, with a heading and a note."""
    table = markdown_table(Table.of_rows(note, columns, rows))
    heading = [f"### {title}\n"] if title else []
    return "\n".join([*heading, table, *([f"\n{note}"] if note else [])]) + "\n"


def summary(parts: Sequence[Part]) -> str:
    """Prints the table of all ratios."""
    rows = [one.row() for part in parts for one in part.summary]
    note = (
        "Medians of the ratios within each round, with the lowest and the highest "
        "round."
    )
    return markdown("", ("ratio", "measured", "of"), rows, note)


def page(parts: Sequence[Part], machine: dict[str, Any], command: str) -> str:
    """Prints the whole of RESULTS.md."""
    described = machine | {"other load": other_load(parts)}
    rows = [
        [name, ", ".join(map(" ".join, value.items())) if name == "versions" else value]
        for name, value in described.items()
    ]
    sections = [
        "# Speed, measured\n",
        f"Written by `{command}` on {machine['date']}. `results.json`, which it "
        "writes beside this page, has the numbers of every round.\n",
        summary(parts),
    ]
    for part in parts:
        sections += [f"## {part.name.capitalize()}\n", *part.tables]
    sections += [compiled(), "## Machine and versions\n", markdown("", ("", ""), rows)]
    return "\n".join(sections)


def compiled(directory: Path = COMPILED) -> str:
    """Prints what programs become for devices that are not here.

    That is what `scripts.compile_for` expects; it is compiled, and never run.
    """
    tables = ["## Compiled, not run\n"]
    for path in sorted(directory.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        names = list(dict.fromkeys(name for row in found["cases"] for name in row))
        rows = [[str(row.get(name, "")) for name in names] for row in found["cases"]]
        versions = ", ".join(map(" ".join, found["versions"].items()))
        note = f"`python -m scripts.compile_for {found['device']}`, with {versions}."
        tables.append(markdown(found["device"], names, rows, note))
    return "\n".join(tables)


def write(
    directory: Path, parts: Sequence[Part], machine: dict[str, Any], command: str
) -> None:
    """Writes RESULTS.md and results.json."""
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / "RESULTS.md", page(parts, machine, command))
    content = {
        "command": command,
        "machine": machine | {"other load": other_load(parts)},
        "summary": [one._asdict() for part in parts for one in part.summary],
        "parts": {
            part.name: {
                name: [dataclasses.asdict(lane) for lane in lanes]
                for name, lanes in part.races.items()
            }
            for part in parts
        },
    }
    # Not as the project writes JSON: what was refused may hold NaN.
    write_text(directory / "results.json", json.dumps(content, indent=1) + "\n")


def other_load(parts: Sequence[Part]) -> str:
    """Says what other processes did to the machine meanwhile."""
    # All lanes of a round have the same number.
    shares = {
        (part.name, race, number): 100 * share
        for part in parts
        for race, lanes in part.races.items()
        for lane in lanes
        for number, share in lane.others.items()
    }
    if not shares:
        return NOT_MEASURED
    middle, worst = median(shares.values()), max(shares.values())
    disturbed = "; some rounds were disturbed, measure again"
    return (
        f"{middle:.0f} % of all cores in the middle round, {worst:.0f} % in the worst"
        f"{disturbed if worst > DISTURBED_PERCENT else ''}"
    )


def describe_machine(device: dict[str, Any]) -> dict[str, Any]:
    """Describes machine, versions, date, and the devices that `ours.start` found."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{_processor()}, {available_cores()} cores",
        "memory": f"{memory_gib:.0f} GiB",
        "device": f"{device['num_devices']} x {device['device']}",
        "accelerator": "none was available; what was compiled for one was not run"
        if device["backend"] == "cpu"
        else device["device"],
        "system": f"{platform.system()} {platform.release()}, "
        f"{' '.join(platform.libc_ver())}",
        "huge pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "python": sys.version.split()[0],
        "versions": {
            name: version_of(name) or "not installed" for name in (*PACKAGES, "torch")
        },
    }


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
