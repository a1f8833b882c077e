"""The studies: one module each, which turns a study's folder into a `Study`."""

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any

from studies.records import SweepRecord
from studies.study import Study

# The studies, in the paper's order.
PARTS = (
    *("tags", "groundtruth", "reliability", "network", "variance", "data_size"),
    *("preprocessing", "label_vectors"),
)
# What the paper did not study.
BEYOND = ("label_noise", "sweep")
# The task that is all of the paper's.
PAPER = "paper"

logger = logging.getLogger(__name__)


def _module(task: str) -> Any:
    """Imports a study's module late, as scipy and sklearn take a while."""
    return importlib.import_module(f"{__name__}.{task}")


def _study(task: str, record: SweepRecord) -> Study:
    return _module(task).study(record)


STUDIES: dict[str, Callable[[SweepRecord], Study]] = {
    task: functools.partial(_study, task) for task in (*PARTS, *BEYOND)
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
    # A part that fails must not cost the reader the others.
    except Exception as error:
        logger.exception("the study %s failed", task)
        reason = f"{type(error).__name__}: {error}"
    sentences = ["This part could not be computed.", reason]
    if record.missing:
        sentences.append(
            f"Points without a complete record, {len(record.missing)} of "
            f"{record.num_points}: {', '.join(record.missing)}."
        )
    return Study(task, _module(task).TITLE, sentences)
