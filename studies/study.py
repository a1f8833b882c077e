"""What a study of the paper hands to its report: sentences, figures, tables, claims.

Every module of `sections/` turns a `SweepRecord` into one `Study`; `study_report.py`
writes any number of them as one page.
"""

import dataclasses
from collections.abc import Sequence

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "cannot be said with this data"
VERDICTS = (HOLDS, FAILS, UNDECIDED)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement of the paper and what was found here: a row of `claims.csv`."""

    statement: str  # A plain sentence.
    where: str  # Section, figure or table of the paper.
    paper: str  # The paper's number, as text.
    here: str  # Ours, with its uncertainty, as text.
    verdict: str  # One of `VERDICTS`, from a judge (`judges.py`).
    why: str  # What it rests on, also from the judge.

    def __post_init__(self) -> None:
        """Refuses other verdicts."""
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict is {self.verdict!r}; choose from {VERDICTS}")


@dataclasses.dataclass(frozen=True)
class Study:
    """One section of a report."""

    name: str  # The task's, also the section's anchor.
    title: str  # With the figures and tables of the paper that it redraws.
    paragraphs: Sequence[str]  # Sentences; the first says what was done to which data.
    illustrations: Sequence[Illustration] = ()
    tables: Sequence[Table] = ()
    claims: Sequence[Claim] = ()
