"""Traced programs of small trainings, shared by all trainings of a process.

Most tests train the same small network, and tracing its steps takes longer than its
training. A program depends on what it is made of alone, so that equal ones are made
once. Each test that trains in this process may ask for `programs_shared`.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import pytest

from msd_tagger.training import optimisers, parallel


def made_once(make: Callable) -> Callable:
    """Makes something anew for arguments that it has not been made for."""
    made: dict[Any, Any] = {}

    @functools.wraps(make)
    def give(*arguments: Any, **options: Any) -> Any:
        key = known_by((arguments, tuple(sorted(options.items()))))
        if key not in made:
            made[key] = make(*arguments, **options)
        return made[key]

    return give


def known_by(value: Any) -> Any:
    """Returns what tells a value from others: arrays and functions of them by value."""
    if isinstance(value, functools.partial):
        return value.func, known_by(value.args), known_by(tuple(value.keywords.items()))
    if isinstance(value, tuple):
        return type(value), *map(known_by, value)
    if isinstance(value, np.ndarray | jax.Array):
        array = np.asarray(value)
        return array.dtype.str, array.shape, array.tobytes()
    return value


def copied(make: Callable) -> Callable:
    """Gives a copy of arrays that were computed once."""
    once = made_once(make)
    return lambda *arguments: jax.tree.map(np.array, once(*arguments))


SHARED = {
    "map_update": made_once(parallel.map_update),
    "map_evaluation": made_once(parallel.map_evaluation),
    "map_seeds": made_once(parallel.map_seeds),
    "init_seeds": copied(parallel.init_seeds),
}
# Their results are functions, equal only to themselves.
OPTIMISERS = {
    name: functools.cache(make) for name, make in optimisers.OPTIMISERS.items()
}


@contextmanager
def shared() -> Iterator[None]:
    """Shares programs while it lasts, also with those that were made before."""
    with pytest.MonkeyPatch.context() as patch:
        # A study forgets the programs of each point, which saves memory.
        patch.setattr(jax, "clear_caches", lambda: None)
        for name, function in SHARED.items():
            patch.setattr(parallel, name, function)
        for name, make in OPTIMISERS.items():
            patch.setitem(optimisers.OPTIMISERS, name, make)
        yield
