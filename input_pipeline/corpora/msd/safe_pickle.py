"""Reads a pickle as data: lists, dicts, strings, numbers and arrays, nothing else.

A pickle is a small program whose instructions may import and call anything. Here only
those that build data are known, and of the names that they may look up only the few
that Python 2 and NumPy write for arrays, numbers and bytes. Behind these names are
functions of this module, so that NumPy's own never see a number from the file before it
was checked.

It is Python's slower unpickler, the one written in Python: the one in C takes eight
bytes of a file as a reason to allocate 34 GB (an index of its memo). Files of protocol
0 to 4 can be read; strings of Python 2 become `str`.

A file costs time and memory in proportion to its size, whatever it holds: keys of dicts
are text, bytes or numbers, as a tuple of tuples that are stored once is hashed in 2^n
steps; and text becomes bytes only `_MOST_COPIES` times over.
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
_MOST_COPIES = 10  # Bytes of arrays and numbers, over those of the file.
_LARGEST_KEY = 2**63  # A number's hash is computed anew each time.


def load(path: Path) -> Any:
    """Reads the one object of a file; arrays in it are `Array`.

    Raises:
        ValueError: The file cannot be read, is cut short, or asks for anything else
            than data: names what it asks for.
    """
    try:
        # From memory: a length that the file claims is then not a reason to allocate.
        return _Unpickler(path.read_bytes()).load()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    # Whatever a damaged program may raise: the list of pickle's errors is open.
    except Exception as error:
        detail = str(error)[:200] or type(error).__name__
        raise ValueError(
            f"{path} is not a pickle of lists, dicts, strings, numbers and NumPy "
            f"arrays: {detail}. Nothing of it was executed; get the file again from "
            "its source"
        ) from error


class Array:
    """An array of numbers as it is pickled: first empty, then given its state."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = np.empty(0)


class _NumberType:
    """A type of numbers as it is pickled: first its kind, then the order of bytes."""

    __slots__ = ("dtype",)

    def __init__(self, kind: str, *_: Any) -> None:
        if not _NUMBERS.fullmatch(kind):
            raise pickle.UnpicklingError(
                f"an array of {kind[:20]!r}; expected whole numbers, floating-point "
                "numbers and truth values"
            )
        self.dtype = np.dtype(kind)

    def set_state(self, state: Any) -> None:
        """Takes (version, order of bytes, and what only other types have)."""
        _, order, *others = state
        is_plain = all(one is None for one in others[:3])
        if order not in ("<", ">", "|", "=") or not is_plain:
            raise pickle.UnpicklingError("an array of something other than numbers")
        self.dtype = self.dtype.newbyteorder(order)


_NAMES: dict[str, str] = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": "make_type",
    "numpy.core.multiarray._reconstruct": "make_array",
    "numpy._core.multiarray._reconstruct": "make_array",
    "numpy.core.multiarray.scalar": "make_number",
    "numpy._core.multiarray.scalar": "make_number",
    "_codecs.encode": "make_bytes",
}


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {}  # Filled below.
    stack: list[Any]

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._bytes_left = _MOST_COPIES * len(content)

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        if asked not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {asked[:100]!r}")
        name = _NAMES[asked]
        return name if name == _NDARRAY else getattr(self, name)

    make_type = _NumberType

    def make_array(self, kind: Any, *_: Any) -> Array:
        if kind != _NDARRAY:
            raise pickle.UnpicklingError("an array that is not a numpy.ndarray")
        return Array()

    def make_number(self, number: Any, content: Any) -> Any:
        (value,) = np.frombuffer(self._as_bytes(content), number.dtype)
        return value.item()

    def make_bytes(self, text: str, encoding: str) -> bytes:
        """Restores bytes as Python 3 writes them in the protocols of Python 2."""
        if encoding != "latin1":
            raise pickle.UnpicklingError("bytes in another encoding than latin1")
        return self._as_bytes(text)

    def _as_bytes(self, content: str | bytes) -> bytes:
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            raise pickle.UnpicklingError("it repeats its content too often")
        return content.encode("latin1") if isinstance(content, str) else content

    def load_build(self) -> None:
        """Gives an object its state: only to objects of this module."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _NumberType):
            target.set_state(state)
        elif isinstance(target, Array):
            target.value = self._array_of(state)
        else:
            raise pickle.UnpicklingError(f"a state for a {type(target).__name__}")

    def _array_of(self, state: Any) -> np.ndarray:
        """Takes (version, shape, number type, in columns, content)."""
        _, shape, number, in_columns, content = state
        if not isinstance(number, _NumberType):
            raise pickle.UnpicklingError("an array without a number type")
        flat = np.frombuffer(self._as_bytes(content), number.dtype)
        return flat.reshape(shape, order="F" if in_columns else "C")

    def load_dict(self) -> None:
        """Makes a dict of what lies above the mark."""
        self._check_keys(self.stack[::2])
        super().load_dict()  # type: ignore[misc]

    def load_setitem(self) -> None:
        """Adds a key and a value to a dict."""
        self._check_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        """Adds what lies above the mark to a dict."""
        self._check_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def _check_keys(self, keys: list[Any]) -> None:
        for key in keys:
            is_number = isinstance(key, int) and abs(key) < _LARGEST_KEY
            if not is_number and not isinstance(key, str | bytes):
                raise pickle.UnpicklingError(
                    f"a key that is a {type(key).__name__}; keys must be text, bytes "
                    "or whole numbers of 64 bits"
                )


class _Instructions(dict):
    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"it has the instruction {bytes([code])!r}")


_Unpickler.dispatch = _Instructions(
    {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _INSTRUCTIONS
    }
)
for _name in ("build", "dict", "setitem", "setitems"):
    _code = getattr(pickle, _name.upper())[0]
    _Unpickler.dispatch[_code] = getattr(_Unpickler, f"load_{_name}")
