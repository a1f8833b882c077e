"""`--mode=report`: the report of a run or a study, from its files alone."""

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def report(workdir: Path) -> None:
    """Writes report.html from the record of a run or of a study in `workdir`."""
    from msd_tagger.analysis.study_report import write_report_of

    logger.info("report: %s", write_report_of(workdir))
