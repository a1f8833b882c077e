"""What a study of the paper's hands to its report: sentences, figures, tables, claims.

Every module of `studies/` turns a `SweepRecord` into one `Study`; `study_report.py`
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

    Attributes:
        statement: a plain sentence.
        where: section, figure or table of the paper.
        paper: the paper's number, as text.
        here: ours, with its uncertainty, as text.
        verdict: one of `VERDICTS`.
        why: what the verdict rests on.
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
        name: the task's name, also the section's anchor.
        title: with the figures and tables of the paper that it redraws.
        paragraphs: plain sentences; the first says what was done with which data.
        illustrations: figures.
        tables: tables.
        claims: of the paper, with a verdict each.
    """

    name: str
    title: str
    paragraphs: Sequence[str]
    illustrations: Sequence[Illustration] = ()
    tables: Sequence[Table] = ()
    claims: Sequence[Claim] = ()
