"""What a study of the paper hands to its report: sentences, figures, tables, claims.

Every module of `sections/` turns a `SweepRecord` into one `Study`; `study_report.py`
writes any number of them as one page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "cannot be said with this data"
VERDICTS = (HOLDS, FAILS, UNDECIDED)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement of the paper and what was found here.

    The fields are the columns of `claims.csv`; a judge (`judges.py`) gives the last
    two.

    Attributes:
        statement: A plain sentence.
        where: Section, figure or table of the paper.
        paper: The paper's number, as text.
        here: Ours, with its uncertainty, as text.
        verdict: One of `VERDICTS`.
        why: What the verdict rests on.
    """

    statement: str
    where: str
    paper: str
    here: str
    verdict: str
    why: str

    def __post_init__(self) -> None:
        """Refuses other verdicts."""
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict is {self.verdict!r}; allowed are {VERDICTS}")


@dataclasses.dataclass(frozen=True)
class Study:
    """One section of a report.

    Attributes:
        name: The task's name, also the section's anchor.
        title: With the figures and tables of the paper that it redraws.
        paragraphs: Plain sentences; the first says what was done with which data.
        illustrations: Figures.
        tables: Tables.
        claims: Of the paper, with a verdict each.
    """

    name: str
    title: str
    paragraphs: Sequence[str]
    illustrations: Sequence[Illustration] = ()
    tables: Sequence[Table] = ()
    claims: Sequence[Claim] = ()
