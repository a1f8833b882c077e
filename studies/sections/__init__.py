"""The studies: one module each, which turns a study's folder into a `Study`."""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable

from studies.records import SweepRecord
from studies.study import Study

# What each study redraws, in the paper's order.
PARTS = {
    "tags": "Tags and how they occur together (Figs 1, 6 and 8, Table III, first row)",
    "groundtruth": "Labels against a re-annotation (Table I)",
    "reliability": "Scores on noisy labels against scores on the truth (Fig. 2)",
    "network": "The network (Fig. 3, Table II)",
    "variance": "Variance over initialisations (Fig. 4)",
    "data_size": "Mel spectrogram and STFT by size of the training data (Fig. 5)",
    "preprocessing": "Preprocessing (Fig. 7)",
    "label_vectors": "Similarity of label vectors (Fig. 9, Table III, second row)",
}
# What the paper did not study.
BEYOND = {
    "label_noise": "What noisy labels do, and a loss that corrects for them",
    "sweep": "Points of a sweep",
}
# The task that is all of the paper's.
PAPER = "paper"

logger = logging.getLogger(__name__)


def _study(task: str, record: SweepRecord) -> Study:
    """Imports a study's module late, as scipy and sklearn take a while, and asks it."""
    return importlib.import_module(f"{__name__}.{task}").study(record)


STUDIES: dict[str, Callable[[SweepRecord], Study]] = {
    task: functools.partial(_study, task) for task in PARTS | BEYOND
}


def studies_of(record: SweepRecord) -> list[Study]:
    """Reads what a study's folder has to say, in the paper's order.

    A part that cannot be computed from what is there says so in a sentence, and does
    not keep the others from being read.

    Raises:
        ValueError: The task of the configuration is none of these.
    """
    task = record.config.get("task")
    if task not in (PAPER, *STUDIES):
        raise ValueError(
            f"{record.workdir / 'config.json'}: task is {task!r}; the studies are "
            f"{', '.join((PAPER, *STUDIES))}"
        )
    return [_ask(one, record) for one in (PARTS if task == PAPER else (task,))]


def _ask(task: str, record: SweepRecord) -> Study:
    """Returns a study, or the sentences that say why there is none."""
    try:
        return STUDIES[task](record)
    except ValueError as error:
        reason = str(error)
    # A defect in one part should not cost the reader the other seven.
    except Exception as error:
        logger.exception("the study %s failed", task)
        reason = f"{type(error).__name__}: {error}"
    sentences = ["This part could not be computed.", reason]
    if record.missing:
        sentences.append(
            f"Points without a complete record, {len(record.missing)} of "
            f"{record.num_points}: {', '.join(record.missing)}."
        )
    return Study(task, (PARTS | BEYOND)[task], sentences)
