"""Many items: in threads that share the waiting, and in groups."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from msd_tagger.common.processes import progress_bar

# Waiting for a network disk takes most of the time, so more threads than cores.
NUM_THREADS = 16

P = TypeVar("P")
T = TypeVar("T")


def in_threads(
    work: Callable[[P], T],
    items: Sequence[P],
    description: str = "",
    per_task: int = 1,
) -> Iterator[T]:
    """Yields `work` of every item, in order; threads share the waiting.

    With a description there is a progress bar over files. Quick work goes faster with
    some items per task. What nobody waits for any more is not begun.
    """
    starts = range(0, len(items), per_task)
    tasks = (items[first : first + per_task] for first in starts)
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(NUM_THREADS))
        stack.callback(pool.shutdown, cancel_futures=True)
        bar = None
        if description and items:
            bar = stack.enter_context(progress_bar(len(items), description, "file"))
        for done in pool.map(lambda task: [work(item) for item in task], tasks):
            yield from done
            if bar is not None:
                bar.update(len(done))


def grouped(items: Iterable[P], key: Callable[[P], Any]) -> dict[Any, list[P]]:
    """Collects items by what they have in common, in their order.

    >>> grouped("abcab", str.upper)
    {'A': ['a', 'a'], 'B': ['b', 'b'], 'C': ['c']}
    """
    members = defaultdict(list)
    for item in items:
        members[key(item)].append(item)
    return dict(members)
