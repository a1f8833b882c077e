"""Reads a pickle as data: lists, dicts, strings, numbers and arrays, nothing else.

A pickle is a small program whose instructions may import and call anything. Here only
those that build data are known, and of the names that they may look up only the few
that Python 2 and NumPy write for arrays, numbers and bytes. Behind these names are
functions of this module, so that NumPy's own never see a number from the file before it
was checked.

It is Python's slower unpickler, the one written in Python: the one in C takes eight
bytes of a file as a reason to allocate 34 GB (an index of its memo). Files of protocol
0 to 4 can be read; strings of Python 2 become `str`.
"""

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

# Instructions that build data, by their names in the module pickle. INST looks a name
# up as GLOBAL does; that it is here lets the error say which name.
_INSTRUCTIONS = re.findall(
    r"\w+",
    """
    MARK STOP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
    BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    BINBYTES SHORT_BINBYTES EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM
    SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 PUT BINPUT LONG_BINPUT MEMOIZE GET
    BINGET LONG_BINGET GLOBAL STACK_GLOBAL INST REDUCE BUILD PROTO FRAME
    """,
)
_NUMBERS = re.compile(r"b1|[iu][1248]|f[248]")
_NDARRAY = "numpy.ndarray"  # Stands for the class, and cannot be called.


def load(path: Path) -> Any:
    """Reads the one object of a file; arrays in it are `Array`.

    Raises:
        ValueError: The file cannot be read, is cut short, or asks for anything else
            than data: names what it asks for.
    """
    try:
        # From memory: a length that the file claims is then not a reason to allocate.
        content = io.BytesIO(path.read_bytes())
        return _Unpickler(content, encoding="latin1").load()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    # Whatever a damaged program may raise: the list of pickle's errors is open.
    except Exception as error:
        detail = str(error)[:200] or type(error).__name__
        raise ValueError(
            f"{path} is no pickle of lists, dicts, strings, numbers and NumPy arrays: "
            f"{detail}. Nothing of it was executed; get the file again from its source"
        ) from error


class Array:
    """An array of numbers as it is pickled: first empty, then given its state."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = np.empty(0)

    def set_state(self, state: Any) -> None:
        """Takes (version, shape, number type, in columns, content)."""
        _, shape, number, in_columns, content = state
        if not isinstance(number, _NumberType):
            raise pickle.UnpicklingError("an array whose type is no type")
        flat = np.frombuffer(_as_bytes(content), number.dtype)
        self.value = flat.reshape(shape, order="F" if in_columns else "C")


class _NumberType:
    """A type of numbers as it is pickled: first its kind, then the order of bytes."""

    __slots__ = ("dtype",)

    def __init__(self, kind: str, *_: Any) -> None:
        if not _NUMBERS.fullmatch(kind):
            raise pickle.UnpicklingError(
                f"an array of {kind[:20]!r}; allowed are whole numbers, floating-point "
                "numbers and truth values"
            )
        self.dtype = np.dtype(kind)

    def set_state(self, state: Any) -> None:
        """Takes (version, order of bytes, and what only other types have)."""
        _, order, *others = state
        if order not in ("<", ">", "|", "=") or set(others[:3]) != {None}:
            raise pickle.UnpicklingError("an array of something else than numbers")
        self.dtype = self.dtype.newbyteorder(order)


def _array(kind: Any, *_: Any) -> Array:
    if kind != _NDARRAY:
        raise pickle.UnpicklingError("an array that is no numpy.ndarray")
    return Array()


def _scalar(number: Any, content: Any) -> Any:
    (value,) = np.frombuffer(_as_bytes(content), number.dtype)
    return value.item()


def _encode(text: str, encoding: str) -> bytes:
    """Restores bytes as Python 3 writes them in the protocols of Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding[:20]!r}")
    return text.encode("latin1")


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode("latin1") if isinstance(content, str) else content


_NAMES: dict[str, Callable | str] = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _NumberType,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "_codecs.encode": _encode,
}


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {}  # Filled below.
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        if asked not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {asked[:100]!r}")
        return _NAMES[asked]

    def load_build(self) -> None:
        """Gives an object its state: only to objects of this module."""
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, Array | _NumberType):
            raise pickle.UnpicklingError(f"a state for a {type(target).__name__}")
        target.set_state(state)


class _Instructions(dict):
    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"it has the instruction {bytes([code])!r}")


_Unpickler.dispatch = _Instructions(
    {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _INSTRUCTIONS
    }
)
_Unpickler.dispatch[pickle.BUILD[0]] = _Unpickler.load_build
