"""`--mode=compare`: runs that exist, beside each other."""

from pathlib import Path

from modes import MainOptions
from msd_tagger.common import files


def start(options: MainOptions) -> None:
    """Compares the runs whose folders were named, and writes a report to --out.

    What draws is imported here, as in `modes.report`.
    """
    out = Path(options.out)
    files.check_unused(out)
    from studies.runs import gather
    from studies.sections.sweep import study
    from studies.study_report import write_study_report

    record = gather(options.files, out)
    found = study(record)
    out.mkdir(parents=True, exist_ok=True)
    path = write_study_report(record, [found], found.title)
    print("\n".join(found.paragraphs))
    print(f"report: {path}")
