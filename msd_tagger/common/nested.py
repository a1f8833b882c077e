"""Nested keys as dotted ones, as they stand on a command line."""

from collections.abc import Mapping
from typing import Any


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turns nested keys into dotted ones; an empty section stays as it is.

    >>> flatten({"train": {"steps": 5}, "num_seeds": 1, "sweep": {}})
    {'train.steps': 5, 'num_seeds': 1, 'sweep': {}}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inner = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if inner else {prefix + key: value}
    return flat
