"""Files that can be read at any place: regular ones, and copies of what is not.

A copy has no name. It is in memory where it is small, else a temporary file.
"""

import io
import math
import os
import select
import stat
import tempfile
from collections.abc import Iterable, Iterator
from typing import cast

from msd_tagger.frontend.audio_error import AudioError

_MOST_IN_MEMORY_BYTES = 2**26
_MOST_PIPE_BYTES = 2**32
_PIPE_STARTS_WITHIN_S = 1.0
_PIPE_SILENCE_S = 60.0


def open_file(path: os.PathLike | str, may_be_pipe: bool = False) -> io.FileIO:
    """Opens a regular, non-empty file: libsndfile calls all else "unknown error".

    Where that is allowed, a pipe is read to its end, and a copy returned.

    Raises:
        AudioError: "missing", "unreadable" or "empty".
    """
    try:
        handle = io.FileIO(path, opener=_open_without_waiting)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(path, "missing") from error
    except (OSError, ValueError) as error:
        raise AudioError(path, "unreadable", str(error)) from error
    mode = os.fstat(handle.fileno()).st_mode
    if stat.S_ISFIFO(mode) and may_be_pipe:
        with handle:
            handle = copy_of(path, _pieces_of_pipe(path, handle), _MOST_PIPE_BYTES)
    elif not stat.S_ISREG(mode):
        handle.close()
        raise AudioError(path, "unreadable")
    if os.fstat(handle.fileno()).st_size == 0:
        handle.close()
        raise AudioError(path, "empty")
    return handle


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a named pipe at once, where the plain call would block for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _pieces_of_pipe(path: os.PathLike | str, pipe: io.FileIO) -> Iterator[bytes]:
    """Reads a pipe until its writer closes it, if there is a writer."""
    size_bytes, wait_s = 0, _PIPE_STARTS_WITHIN_S
    while select.select([pipe], [], [], wait_s)[0]:
        piece = pipe.read(2**20)
        if piece == b"" and size_bytes:
            return
        if piece == b"":
            break
        size_bytes += len(piece or b"")
        if size_bytes > _MOST_PIPE_BYTES:
            detail = f"a pipe gives more than {_MOST_PIPE_BYTES:,} bytes"
            raise AudioError(path, "unreadable", detail)
        yield piece or b""
        wait_s = _PIPE_SILENCE_S
    raise AudioError(path, "unreadable", "nothing comes out of this pipe")


def copy_of(
    path: os.PathLike | str, pieces: Iterable[bytes], size_bytes: int
) -> io.FileIO:
    """Writes a copy; `size_bytes` says how large it will be.

    Raises:
        AudioError: "unreadable", for lack of room.
    """
    copy = scratch(size_bytes)
    try:
        for piece in pieces:
            _write_all(path, copy, piece)
    except BaseException:
        copy.close()
        raise
    return copy


def _write_all(path: os.PathLike | str, copy: io.FileIO, piece: bytes) -> None:
    """Writes all of a piece: a disk that is nearly full takes a part of it."""
    left = memoryview(piece)
    try:
        while left:
            left = left[copy.write(left) :]
    except OSError as error:
        where = f"{tempfile.gettempdir()}: {error.strerror}"
        detail = f"no room in {where}, for a copy that can be decoded"
        raise AudioError(path, "unreadable", detail) from error


def scratch(size_bytes: int) -> io.FileIO:
    """Returns a new file that has no name."""
    if size_bytes <= _MOST_IN_MEMORY_BYTES and hasattr(os, "memfd_create"):
        return io.FileIO(os.memfd_create("sound"), "r+")
    # Without a buffer that is what it returns.
    return cast(io.FileIO, tempfile.TemporaryFile(buffering=0))


def pieces(handle: io.FileIO, start: int, end: float = math.inf) -> Iterator[bytes]:
    """Reads a file to an end, by default its own, and leaves its position."""
    while piece := os.pread(handle.fileno(), int(min(2**20, end - start)), start):
        yield piece
        start += len(piece)
