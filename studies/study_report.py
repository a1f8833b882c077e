"""Writes a study's report: one HTML page, the same as Markdown, figures, numbers.

Everything comes from the study's folder (`sweep_record.py`), so a report can be written
again at any time, without JAX and without the corpus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msd_tagger.common import files
from msd_tagger.pages import page
from msd_tagger.pages.tables import duration
from studies import study_markdown, tables
from studies.report import TEMPLATES, write_report
from studies.run_record import read_json
from studies.sections import PAPER, studies_of
from studies.study import FAILS, HOLDS, UNDECIDED, VERDICTS, Claim, Study
from studies.study_points import num_points, point_keys, points_table, total_seconds
from studies.study_sections import Section, sections_of, write_csv
from studies.sweep_record import SweepRecord, read_sweep_record

ANCHORS = ("claims", "points", "config", "environment")
CLAIM_HEADER = ("claim", "where", "paper", "here", "verdict", "why")
# The colour's name in style.css.
LOOKS = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided"}


def write_report_of(workdir: Path | str) -> Path:
    """Writes the report of whatever a folder holds, a run or a study.

    Args:
        workdir: where it wrote to.

    Returns:
        The path of the HTML file.

    Raises:
        ValueError: the folder holds neither, or a file is missing or unreadable.
    """
    workdir = Path(workdir)
    if not (workdir / "config.json").is_file():
        raise ValueError(
            f"{workdir} holds neither a run nor a study: no config.json. Give the "
            "--workdir that was printed when it started."
        )
    if read_json(workdir / "config.json").get("task", "train") == "train":
        return write_report(workdir)
    record = read_sweep_record(workdir)
    studies = studies_of(record)
    task = record.config["task"]
    title = "The paper, redrawn" if task == PAPER else studies[0].title
    return write_study_report(record, studies, title)


def write_study_report(
    record: SweepRecord, studies: Sequence[Study], title: str
) -> Path:
    """Writes `report.html`, `report.md`, `claims.csv`, `figures/` and `numbers/`.

    Args:
        record: the study's folder.
        studies: the sections, in their order.
        title: of the page.

    Returns:
        The path of the HTML file.
    """
    sections = sections_of(studies, record.workdir, ANCHORS)
    content = _content(record, sections, title)
    _write_claims(record.workdir / "claims.csv", studies)
    text = study_markdown.render(**content)
    files.write_text(record.workdir / "report.md", text)
    path = record.workdir / "report.html"
    looks = {"looks": LOOKS, "claim_header": CLAIM_HEADER}
    files.write_text(path, page.render("study.html.j2", TEMPLATES, **content, **looks))
    return path


def _content(
    record: SweepRecord, sections: Sequence[Section], title: str
) -> dict[str, Any]:
    """Returns what both pages show."""
    default = record.workdir / "config_default.json"
    config = {key: value for key, value in record.config.items() if key != "sweep"}
    claims = [claim for section in sections for claim in section.study.claims]
    return {
        "title": title,
        "corpus": _corpus(record),
        "facts": _facts(record, claims),
        "sections": sections,
        "points": points_table(record) if num_points(record) else None,
        "point_keys": point_keys(record),
        "missing": record.missing,
        "config_table": tables.config_table(
            config, read_json(default) if default.exists() else None
        ),
        "environment": tables.flatten(record.environment),
    }


def _corpus(record: SweepRecord) -> dict[str, Any]:
    """Returns what the pages say of the corpus, from whoever knows most about it."""
    loader = record.config.get("corpus", {}).get("name")
    own = record.workdir / "corpus.json"
    if record.points:
        known = next(iter(record.points.values())).summary["corpus"]
    else:
        known = read_json(own) if own.exists() else {"name": loader or "unknown"}
    # How many clips a point was trained on is said for each.
    known = {key: known[key] for key in known if key != "train_clips_used"}
    return page.corpus(known, loader)


def _facts(record: SweepRecord, claims: Sequence[Claim]) -> list[tuple[str, str, str]]:
    """Returns the headline: value, what it is, and a remark, for each tile."""
    facts = []
    if claims:
        count = dict.fromkeys(VERDICTS, 0)
        for claim in claims:
            count[claim.verdict] += 1
        rest = f"{count[FAILS]} do not, {count[UNDECIDED]} cannot be said"
        facts.append((f"{count[HOLDS]} of {len(claims)}", "claims hold here", rest))
    if num_points(record):
        done = f"{len(record.points)} of {num_points(record)}"
        time = duration(total_seconds(record))
        facts.append((done, "points complete", f"{time} of training"))
    return facts


def _write_claims(path: Path, studies: Sequence[Study]) -> None:
    """Writes one row a claim."""
    rows = [
        (study.name, *dataclasses.astuple(claim))
        for study in studies
        for claim in study.claims
    ]
    write_csv(path, [("study", *CLAIM_HEADER), *rows])
