"""Places where prepared sets lie: folders, and whatever else TensorFlow reads.

A place on another store has an address with "://" in it, as gs://bucket/msd. A folder
stays a `Path`, and needs no TensorFlow.
"""

import contextlib
import functools
import os
import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.many import in_threads

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@functools.cache
def tensorflow() -> Any:
    """Imports TensorFlow, with the accelerators left to JAX.

    Raises:
        ValueError: It is not installed.
    """
    # Only tf.data is used, so oneDNN's kernels, and eight lines about them and the
    # processor at every start, are not needed; errors are exceptions.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _hidden("keras"):  # Nothing uses it; it is two fifths of the import.
            import tensorflow as tf
    except ModuleNotFoundError as error:
        raise ValueError(
            f"shards are read with TensorFlow, which is not installed ({error}). "
            "In the repository: pip install -r requirements.txt"
        ) from error
    for kind in ("GPU", "TPU"):
        tf.config.set_visible_devices([], kind)
    return tf


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Makes a module look as if it were not installed, unless it is in use."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


class RemotePath(str):
    """A place on a store that TensorFlow reaches, with what is used of `Path`.

    What it raises is OSError, as a `Path` does.
    """

    __slots__ = ()

    def __new__(cls, address: str) -> "RemotePath":  # noqa: D102
        scheme, _, rest = address.partition("://")
        place = posixpath.normpath(rest.rstrip("/") or ".")
        return super().__new__(cls, f"{scheme}://{place}")

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(f"{self}/{name}")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.rpartition("/")[2]

    @property
    def parent(self) -> "RemotePath":
        """The place that holds this one."""
        return RemotePath(self.rpartition("/")[0])

    def with_name(self, name: str) -> "RemotePath":
        """Returns a place beside this one."""
        return self.parent / name

    def exists(self) -> bool:
        """Tells whether something is there."""
        return self._do(lambda gfile: gfile.exists(self))

    def size_bytes(self) -> int:
        """Returns the size of a file."""
        return self._do(lambda gfile: gfile.stat(self).length)

    def names(self) -> list[str]:
        """Lists what is in a folder; nothing where there is none."""
        found = self._do(lambda gfile: gfile.listdir(self)) if self.exists() else []
        return sorted(name.rstrip("/") for name in found)

    def read_bytes(self) -> bytes:
        """Reads a file."""
        return self._do(lambda gfile: gfile.GFile(self, "rb").read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """Reads a file of text."""
        return self.read_bytes().decode(encoding)

    def put(self, source: Path) -> None:
        """Copies a file to this place, whole or not at all where the store can."""

        def copy(gfile: Any) -> None:
            gfile.makedirs(self.parent)
            if gfile.exists(self):  # Not every store overwrites.
                gfile.remove(self)
            gfile.copy(str(source), self)

        self._do(copy)

    def get(self, target: Path) -> None:
        """Copies the file at this place to one of this machine."""
        self._do(lambda gfile: gfile.copy(self, str(target), overwrite=True))

    def _do(self, action: Callable[[Any], Any]) -> Any:
        tf = tensorflow()
        try:
            return action(tf.io.gfile)
        except tf.errors.NotFoundError as error:
            raise FileNotFoundError(f"{self}: {error.message}") from error
        except tf.errors.OpError as error:
            raise OSError(f"{self}: {error.message}") from error


Place = Path | RemotePath


def place(where: os.PathLike | str) -> Place:
    """Returns the place of an address or a path.

    >>> place("gs://bucket/msd/"), place("data").name
    ('gs://bucket/msd', 'data')
    """
    text = os.fspath(where)
    return RemotePath(text) if _ADDRESS.match(text) else Path(text)


def names(directory: Place) -> list[str]:
    """Lists what is in a folder; nothing where there is none."""
    if isinstance(directory, RemotePath):
        return directory.names()
    return sorted(p.name for p in directory.iterdir()) if directory.is_dir() else []


def file_names(directory: Place) -> list[str]:
    """Lists the files in a folder; sets on another store have no folders."""
    if isinstance(directory, RemotePath):
        return directory.names()
    return [name for name in names(directory) if (directory / name).is_file()]


def sizes_bytes(files: Sequence[Place]) -> list[int | None]:
    """Returns the sizes of files, None where there is none.

    Raises:
        OSError: A store cannot be reached.
    """
    return list(in_threads(_size_bytes, files))


def _size_bytes(file: Place) -> int | None:
    try:
        if isinstance(file, RemotePath):
            return file.size_bytes()
        return file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
