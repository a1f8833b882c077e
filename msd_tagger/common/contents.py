"""Checks that a file holds what its readers count on, before anything uses it.

What is expected is data that looks like the content:

    {"steps": COUNT, "tags": Each(str, "K"), "note?": Maybe(str)}

A type stands for its values, a dict for an object with at least these keys, of which
those that end in `?` may be missing. Letters are sizes: wherever the same letter
stands, in one file or in several of one record, the size must be the same.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

LAST_CHARACTER = 0x10FFFF  # Of Unicode.


class Number(NamedTuple):
    """A finite number from `lowest` to `highest`."""

    lowest: float = -math.inf
    highest: float = math.inf
    is_whole: bool = False


class Each(NamedTuple):
    """A list, or an object with any keys, whose every value is of one kind."""

    kind: Any
    size: str = ""  # A letter; any size without one.


class Maybe(NamedTuple):
    """Null, or a value of one kind."""

    kind: Any


class OneOf(NamedTuple):
    """One of these values."""

    values: tuple


class Array(NamedTuple):
    """An array, its numbers finite."""

    kinds: str  # Letters of NumPy's `dtype.kind`.
    axes: str = ""  # A letter each, "." for any size.


COUNT = Number(0, 2**53, is_whole=True)  # Whatever reads JSON can hold it.
NUMBER = Number(-1e300, 1e300)
SHARE = Number(0, 1)
WHOLE_NUMBERS = "bui"  # Of an `Array`: True and False, with a sign, without.

Sizes = dict[str, tuple[int, str]]  # From a letter to a size, and where it was found.


def check(found: Any, expected: Any, where: str, sizes: Sizes | None = None) -> None:
    """Raises a ValueError that says what is wrong, and where in the content.

    `sizes` are of this record's other files; those of this one are added.

    >>> check({"steps": [3, -1]}, {"steps": Each(COUNT)}, "a.json: ")
    Traceback (most recent call last):
    ...
    ValueError: a.json: steps[1] is -1; it must be a whole number from 0 to 9.01e+15
    """
    sizes = {} if sizes is None else sizes
    if isinstance(expected, Maybe):
        if found is not None:
            check(found, expected.kind, where, sizes)
    elif isinstance(expected, dict):
        _check_keys(found, expected, where, sizes)
    elif isinstance(expected, Each):
        _check_each(found, expected, where, sizes)
    elif isinstance(expected, Array):
        _check_array(found, expected, where, sizes)
    else:
        _require(_fits(found, expected), found, expected, where)


def _check_keys(found: Any, expected: dict, where: str, sizes: Sizes) -> None:
    _require(isinstance(found, Mapping), found, dict, where)
    for name, kind in expected.items():
        key = name.removesuffix("?")
        if key in found:
            dot = "" if where.endswith((" ", "/")) else "."
            check(found[key], kind, f"{where}{dot}{key}", sizes)
        elif key == name:
            there = ", ".join(sorted(map(str, found))[:12]) or "nothing"
            raise ValueError(f"{where.rstrip(': ')} has no {key!r}, but {there}")


def _check_each(found: Any, expected: Each, where: str, sizes: Sizes) -> None:
    _require(isinstance(found, (list, tuple, dict)), found, list, where)
    if expected.size:
        _check_size(len(found), expected.size, where, sizes)
    keys = found if isinstance(found, dict) else range(len(found))
    for key in keys:
        check(found[key], expected.kind, f"{where}[{key}]", sizes)


def _check_array(found: Any, expected: Array, where: str, sizes: Sizes) -> None:
    axes = expected.axes.split()
    fits = isinstance(found, np.ndarray) and found.dtype.kind in expected.kinds
    if not fits or found.ndim != len(axes):
        given = f"{getattr(found, 'dtype', type(found))} {np.shape(found)}"
        raise ValueError(f"{where} is {given}; its axes have to be [{', '.join(axes)}]")
    for size, letter in zip(found.shape, axes, strict=True):
        if letter != ".":
            _check_size(size, letter, where, sizes)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise ValueError(f"{where} has values that are not finite")
    check_characters(found, where)


def check_characters(found: np.ndarray, where: str) -> None:
    """Refuses an array of text with numbers that stand for no character.

    NumPy reads them, and gives texts on which any later step may fail.
    """
    if found.dtype.kind == "U" and found.size and found.itemsize:
        numbers = np.ascontiguousarray(found).view(f"{found.dtype.byteorder}u4")
        if (numbers > LAST_CHARACTER).any():
            raise ValueError(f"{where} has texts of what is no character")


def _check_size(size: int, letter: str, where: str, sizes: Sizes) -> None:
    known, before = sizes.setdefault(letter, (size, where))
    if known != size:
        raise ValueError(f"{where} has the size {size}, and {before} has {known}")


def _fits(found: Any, expected: Any) -> bool:
    if isinstance(expected, OneOf):
        return isinstance(found, str) and found in expected.values
    if isinstance(expected, Number):
        kinds = int if expected.is_whole else (int, float)
        is_number = isinstance(found, kinds) and not isinstance(found, bool)
        return is_number and expected.lowest <= found <= expected.highest
    return isinstance(found, expected)


def _require(fits: bool, found: Any, expected: Any, where: str) -> None:
    if not fits:
        shown = repr(found)
        shown = shown if len(shown) < 60 else f"{shown[:56]} …"
        raise ValueError(f"{where} is {shown}; it must be {_describe(expected)}")


_NAMES: dict[Any, str] = {dict: "an object", list: "a list", str: "text"}


def _describe(expected: Any) -> str:
    if isinstance(expected, OneOf):
        return f"one of {', '.join(expected.values)}"
    if isinstance(expected, Number):
        kind = "a whole number" if expected.is_whole else "a number"
        if (expected.lowest, expected.highest) == (-math.inf, math.inf):
            return kind
        return f"{kind} from {expected.lowest:.3g} to {expected.highest:.3g}"
    return _NAMES.get(expected, getattr(expected, "__name__", str(expected)))
