"""`--mode=report`: the report of a run or a study, from its files alone."""

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def report(workdir: Path) -> None:
    """Writes report.html from the run record in `workdir`."""
    from msd_tagger.analysis.report import write_report

    if not (workdir / "summary.json").exists():
        raise ValueError(
            f"--workdir={workdir}: no summary.json there; give the folder of a "
            "finished run, as printed when it started"
        )
    logger.info("report: %s", write_report(workdir))
