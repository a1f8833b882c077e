"""Builds a study's folder and studies with everything that a report must cope with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table
from studies.study import FAILS, HOLDS, UNDECIDED, Claim, Study
from tests.records import make_config, make_environment, write_json, write_record

LONG_TAG = "songs that someone once called " + "very " * 14 + "long | and *odd*"
HTML = "a <b>bold</b> & <script>alert(1)</script> claim"


def write_sweep(
    workdir: Path,
    points: dict[str, dict[str, Any]],
    missing: dict[str, dict[str, Any]] | None = None,
    task: str = "paper",
    **changes: Any,
) -> Path:
    """Writes a study's folder with made-up points.

    Args:
        workdir: created if missing.
        points: from the name of a complete point to its overrides.
        missing: the same of points that never ran.
        task: of the configuration.
        **changes: arguments of `records.make_summary_and_arrays`.

    Returns:
        The folder.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    asked = [[k, list(v.items())] for k, v in (points | (missing or {})).items()]
    config = make_config(2) | {"task": task, "sweep": asked}
    write_json(workdir / "config.json", config)
    write_json(workdir / "environment.json", make_environment())
    size = {"num_seeds": 2, "num_tags": 4, "num_clips": 60, "empty_tags": ()}
    for name in points:
        write_record(workdir / "points" / name, **size | changes)
    return workdir


def draw_bars(numbers: pd.DataFrame | None = None, width: float = 3.5) -> Figure:
    figure = Figure(figsize=(width, 2.4))
    axes = figure.subplots()
    axes.bar(["rock", "jazz", "sad"], [0.8, 0.7, 0.6], yerr=0.02)
    axes.set(xlabel="tag", ylabel="ROC-AUC")
    return figure


def draw_wide() -> Figure:
    return draw_bars(width=7)


def fail_to_draw(numbers: pd.DataFrame) -> Figure:
    raise ZeroDivisionError("no clips")


def whole_study() -> Study:
    """Returns a study with every part, and everything that could break a page."""
    counts = Table.of_rows(
        "Clips per tag <weak>",
        ("tag", "clips", "share", "near", "the same to six digits"),
        [
            ["rock", "52944", "0.2625", "90s", "71126.9"],
            [LONG_TAG, "1257", "0.0062", "happy | sad", "–"],
            ["R&B", "999", "0.0050", "_soul_", "0.75 ± 0.01"],
        ],
        strong=(1,),
    )
    numbers = pd.DataFrame({"tag": ['a "b", c\r\nd', LONG_TAG], "AUC": [0.1, 1e-9]})
    return Study(
        name="variance",
        title="Variance & more (Fig. 4)",
        paragraphs=["Two seeds on 600 clips.", HTML, "# 15 > 3 | \\n _is_ not *true*"],
        illustrations=[
            Illustration("bars", draw_bars, "Bars: three tags.", HTML, numbers),
            Illustration("wide", draw_wide, 'Bars: "wide" <7 in>.', "A wide one."),
            Illustration("bars", fail_to_draw, "Bars: nothing.", "Not here.", numbers),
        ],
        tables=[counts, long_table()],
        claims=[
            Claim(HTML, "IV-A", "0.00069", "0.0012 ± 0.0003", HOLDS, "0.1 < 0.2."),
            Claim("Scores | differ.", "Fig. 4", "0.005", "0.012", FAILS, "2 × more."),
        ],
    )


def long_table() -> Table:
    values = np.linspace(0, 5000, 60)
    rows = [[f"tag {k}", f"{value:.1f}"] for k, value in enumerate(values)]
    return Table.of_rows("Sixty rows", ("tag", "clips/s"), rows)


def claims_only() -> Study:
    """Returns a study with a name that is an anchor of the page already."""
    claim = Claim("The curve is linear.", "IV-B", "yes", "–", UNDECIDED, "One point.")
    return Study("config", "Claims only", ["Nothing was drawn."], claims=[claim])


def empty_study() -> Study:
    """Returns a study of the same name as another, and without any part."""
    return Study("variance", "Nothing at all", [])


def all_studies() -> list[Study]:
    return [whole_study(), claims_only(), empty_study()]
