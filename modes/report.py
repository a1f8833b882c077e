"""`--mode=report`: the report of a run or a study, from its files alone."""

import logging
from pathlib import Path

from modes import MainOptions

logger = logging.getLogger(__name__)


def start(options: MainOptions) -> None:
    """Writes the report of --workdir."""
    report(Path(options.workdir))


def report(workdir: Path) -> None:
    """Writes report.html from the record of a run or of a study in `workdir`.

    What draws is imported here: it takes 2 s, which nobody should wait for to be told
    of a mistake in a command.
    """
    from studies.study_report import write_report_of

    logger.info("report: %s", write_report_of(workdir))


def print_baseline(workdir: Path) -> None:
    """Prints how the finished run in `workdir` compares with its linear baseline."""
    from studies.records import read_run_record  # Late, as `report` says.
    from studies.report import baseline_sentences

    for sentence in baseline_sentences(read_run_record(workdir)):
        print(sentence)
