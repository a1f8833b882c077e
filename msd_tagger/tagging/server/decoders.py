"""Decodes songs in processes of their own, which can be ended at any time.

A file comes from a stranger. One of a few megabytes can hold an hour of eight channels,
which takes a minute to decode, and one can crash the decoder. Neither may keep others
waiting, or outlive its visitor.
"""

import asyncio
import multiprocessing
import os
import resource
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from msd_tagger.common import processes
from msd_tagger.tagging.songs import Excerpts

# What a file may do to whoever reads it.
READING = (ValueError, OSError, RuntimeError, MemoryError)
Read = Callable[[Path], Excerpts]
WarmUp = Callable[[], object]
# What a process answers: excerpts, why there are none, or a traceback of a fault of
# ours.
Answer = tuple[Excerpts | None, str, str]


class Decoders:
    """Processes that wait for files; one that has to be ended is replaced.

    So many songs are decoded at a time, others wait. `read` goes into the processes.
    `warm_up` is called in each before its first song, whose time it does not take.
    """

    def __init__(
        self, read: Read, count: int, limit_s: float, warm_up: WarmUp | None = None
    ) -> None:
        self._start = partial(_Decoder, read, warm_up)
        self._limit_s = limit_s
        self._free = asyncio.Semaphore(count)
        self._idle = [self._start() for _ in range(count)]
        self._busy: set[_Decoder] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends all processes."""
        for decoder in (*self._idle, *self._busy):
            decoder.end()

    async def read(self, path: Path) -> Excerpts:
        """Reads a file in one of the processes; cancelled, it ends the process.

        Raises:
            ValueError: The file cannot be read, takes too long, or ended the process.
            RuntimeError: A fault of ours; the message is a traceback.
        """
        async with self._free:
            decoder = self._idle.pop()
            if not decoder.is_alive():  # As where memory ran out while it waited.
                decoder = self._replaced(decoder)
            self._busy.add(decoder)
            answer: Answer | None = None
            try:
                answer = await decoder.ask(path, self._limit_s)
            finally:
                self._busy.discard(decoder)
                self._idle.append(decoder if answer else self._replaced(decoder))
        heard, refusal, fault = answer
        if fault:
            raise RuntimeError(fault)
        if heard is None:
            raise ValueError(refusal)
        return heard

    def _replaced(self, decoder: "_Decoder") -> "_Decoder":
        decoder.end()
        return self._start()


class _Decoder:
    """One process, as seen from the server."""

    def __init__(self, read: Read, warm_up: WarmUp | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, read, warm_up), daemon=True
        )
        with processes.one_thread_each(), processes.deaf_to_ctrl_c():
            self._process.start()
        theirs.close()
        self._is_ready = False

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def end(self) -> None:
        """Ends it, whatever it does, and with it the thread that waits for it."""
        self._process.kill()
        self._process.join()

    async def ask(self, path: Path, limit_s: float) -> Answer:
        """Lets it read a file; see `Decoders.read`."""
        try:
            if not self._is_ready:
                self._is_ready = await asyncio.to_thread(self._pipe.recv)
            self._pipe.send(path)
            async with asyncio.timeout(limit_s):
                return await asyncio.to_thread(self._pipe.recv)
        except TimeoutError as error:
            raise ValueError(
                f"decoding it takes more than {limit_s:g} seconds (--max_decode_s)"
            ) from error
        except (EOFError, OSError) as error:
            raise ValueError("it made the decoder crash") from error


def _work(pipe: Connection, read: Read, warm_up: WarmUp | None) -> None:
    """Reads one file after another, without a word."""
    processes.follow_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # Decoders print what they think of a file.
        os.dup2(nowhere, stream)
    if warm_up:
        warm_up()
    pipe.send(True)
    while True:
        pipe.send(_answer(read, pipe.recv()))


def _answer(read: Read, path: Path) -> Answer:
    try:
        return read(path), "", ""
    except READING as error:
        return None, str(error) or type(error).__name__, ""
    except Exception:
        return None, "", traceback.format_exc()
