"""Writes a study's report: one HTML page, the same as Markdown, figures, numbers.

Everything comes from the study's folder (`records.py`), so a report can be written
again at any time, without JAX and without the corpus.
"""

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from msd_tagger.common import files, workspace
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.files import flatten
from msd_tagger.pages import page
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, duration, with_spread
from studies import foresight, unfinished
from studies.comparison import scored
from studies.record_contents import CONFIG, CORPUS
from studies.records import (
    RunRecord,
    SweepRecord,
    labels_of,
    origin,
    read_json,
    read_sweep_record,
)
from studies.report import TEMPLATES, config_table, write_report
from studies.sections import PAPER, studies_of, sweep
from studies.study import FAILS, HOLDS, UNDECIDED, Claim, Study
from studies.texts import TEXTS, captioned, short

ANCHORS = ("claims", "points", "config", "environment")
CLAIM_HEADER = ("claim", "where", "paper", "here", "verdict", "why")
# The colour's name in style.css.
LOOKS = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided"}
FIGURES, NUMBERS = "figures", "numbers"
CSV_LINE_END = "\r\n"  # As RFC 4180 says.

logger = logging.getLogger(__name__)


def write_report_of(workdir: Path | str) -> Path:
    """Writes the report of whatever a folder holds, and returns the HTML file's path.

    Raises:
        ValueError: The folder holds neither, or a file is missing or unreadable.
    """
    workdir = Path(workdir)
    if not (workdir / "config.json").is_file():
        raise ValueError(
            f"{workdir} holds neither a run nor a study: no config.json. Give the "
            "--workdir that was printed when it started."
        )
    task = read_json(workdir / "config.json", CONFIG).get("task", "train")
    if task == "train":
        return write_report(workdir)
    record = read_sweep_record(workdir)
    studies = studies_of(record)
    title = "The paper, redrawn" if task == PAPER else studies[0].title
    return write_study_report(record, studies, title)


def write_study_report(
    record: SweepRecord, studies: Sequence[Study], title: str
) -> Path:
    """Writes `report.html`, whose path it returns, and all that belongs to it."""
    content = _content(record, sections_of(studies, record.workdir, ANCHORS), title)
    rows: list[tuple[str, ...]] = [("study", *CLAIM_HEADER)]
    for study in studies:
        rows += [(study.name, *dataclasses.astuple(one)) for one in study.claims]
    write_csv(record.workdir / "claims.csv", rows, CSV_LINE_END)
    for name in ("report.md", "report.html"):
        template = name.replace("report", "study") + ".j2"
        text = page.render(template, TEMPLATES, **content)
        files.write_text(record.workdir / name, text)
    return record.workdir / "report.html"


def sections_of(
    studies: Sequence[Study], workdir: Path, taken: Iterable[str]
) -> list[dict[str, Any]]:
    """Draws all figures into `figures/` and writes their numbers into `numbers/`.

    Of each study, returns its `anchor`, which is none of the taken ones, the `study`
    itself, and its `drawings`.
    """
    for name in (FIGURES, NUMBERS):
        (workdir / name).mkdir(exist_ok=True)
    anchors = page.unique([study.name for study in studies], taken)
    shown = [one for study in studies for one in study.illustrations]
    names = iter(page.unique(one.name for one in shown))
    return [
        {
            "anchor": anchor,
            "study": study,
            "drawings": [
                _drawing(one, next(names), workdir) for one in study.illustrations
            ],
        }
        for anchor, study in zip(anchors, studies, strict=True)
    ]


def points_table(record: SweepRecord) -> Table:
    """Tabulates points in the sweep's order; one that is not complete has dashes."""
    rows = {name: _cells(one) for name, one in record.points.items()}
    columns = ["point", "seeds", "training clips", "steps", "time"]
    columns += dict.fromkeys(
        key for row in rows.values() for key in row if "AUC" in key
    )
    shown = [
        {"point": name, **rows[name]}
        if name in rows
        else {"point": f"{name} ({unfinished.point_state(record, name)})"}
        for name in _asked(record) or (*record.points, *record.missing)
    ]
    return captioned("points", pd.DataFrame(shown, columns=columns, dtype=object))


def point_keys(record: SweepRecord) -> Table | None:
    """Tabulates the keys that differ from point to point, as on the command line."""
    rows = [
        (name, ", ".join(f"{key}={short(value)}" for key, value in keys.items()))
        for name, keys in _asked(record).items()
    ]
    header = ("point", "keys")
    return Table.of_rows("Keys of each point.", header, rows) if rows else None


def _drawing(illustration: Illustration, name: str, workdir: Path) -> dict[str, Any]:
    numbers, picture, failure = illustration.numbers(), None, ""
    if numbers:
        write_csv(workdir / NUMBERS / f"{name}.csv", numbers, CSV_LINE_END)
    try:
        picture = page.draw(illustration, workdir / FIGURES, name=name, pdf=True)
    # One figure should not cost the reader the others.
    except Exception as error:
        logger.exception("the figure %s cannot be drawn", name)
        failure = f"{type(error).__name__}: {error}"
    return {
        "name": name,
        "alt": illustration.alt,
        "caption": illustration.caption,
        "has_numbers": bool(numbers),
        "picture": picture,
        "failure": failure,
    }


def _content(
    record: SweepRecord, sections: Sequence[Mapping[str, Any]], title: str
) -> dict[str, Any]:
    default = record.workdir / "config_default.json"
    config = {key: value for key, value in record.config.items() if key != "sweep"}
    claims = [claim for one in sections for claim in one["study"].claims]
    keys = config_table(config, read_json(default) if default.exists() else None)
    rows = [dataclasses.astuple(claim) for claim in claims]
    changed = Table(keys.frame.iloc[list(keys.strong)])
    return {
        "title": title,
        "origin": origin(record),
        "unfinished": unfinished.notice_of_study(record),
        "corpus": _corpus(record),
        "facts": _facts(record, claims),
        "claims": Table.of_rows("", CLAIM_HEADER, rows),
        "looks": LOOKS,
        "rules": TEXTS["verdicts"]["rules"],
        "sections": sections,
        "points": points_table(record) if record.num_points else None,
        "point_keys": point_keys(record),
        "foresight": _foresight(record),
        "missing": record.missing,
        "config_table": keys,
        "changed_keys": changed if "default" in keys.header else None,
        "environment": flatten(record.environment),
    }


def _foresight(record: SweepRecord) -> Table | None:
    if record.config.get("task") != sweep.NAME:
        return foresight.table(record.points)
    points = scored(record.points)
    try:
        joined, _ = sweep.join_seeds(points, sweep.settings_of(record))
    except ValueError:  # The section on the sweep says which points are the same run.
        return None
    return foresight.table(joined, is_sweep=True)


def _corpus(record: SweepRecord) -> dict[str, Any]:
    """Returns what the pages say of the corpus, from whoever knows most about it."""
    loader = record.config.get("corpus", {}).get("name")
    own = record.workdir / "corpus.json"
    known = read_json(own, CORPUS) if own.exists() else {"name": loader or "unknown"}
    for point in [*record.points.values()][:1]:
        known = point.summary["corpus"]
    # How many clips a point was trained on is said for each.
    return page.corpus({k: known[k] for k in known if k != "train_clips_used"}, loader)


def _facts(record: SweepRecord, claims: Sequence[Claim]) -> list[tuple[str, str, str]]:
    """Returns the headline: value, what it is, and a remark, for each tile."""
    facts = []
    if claims:
        count = Counter(claim.verdict for claim in claims)
        rest = f"{count[FAILS]} do not, {count[UNDECIDED]} cannot be said"
        facts.append((f"{count[HOLDS]} of {len(claims)}", "claims hold here", rest))
    if record.num_points:
        done = f"{len(record.points)} of {record.num_points}"
        # Points that are the same run were trained once.
        seconds = {
            workspace.hash_of(one.workdir) or name: one.summary.get("train_seconds")
            for name, one in record.points.items()
        }
        time = f"{duration(sum(one or 0 for one in seconds.values()))} of training"
        facts.append((done, "points complete", time))
    return facts


def _asked(record: SweepRecord) -> dict[str, dict[str, Any]]:
    return {name: flatten(dict(keys)) for name, keys in record.config.get("sweep", ())}


def _cells(point: RunRecord) -> dict[str, str]:
    summary, scores = point.summary, point.summary["scores"]["test"]
    corpus = summary["corpus"]
    clips = (corpus.get("counts") or {}).get("train")
    found = {
        "seeds": str(summary["num_seeds"]),
        "training clips": str(corpus.get("train_clips_used", clips) or ABSENT),
        "steps": str(summary.get("steps", ABSENT)),
        "time": duration(summary.get("train_seconds")),
    }
    for one in labels_of(scores):
        both = (scores[one][key]["roc_auc_macro"] for key in ("mean", "std"))
        found[f"AUC, {one}"] = with_spread(*both)
    return found
