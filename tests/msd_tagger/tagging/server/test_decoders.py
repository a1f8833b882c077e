"""Processes that decode: whatever a file does to one, the next is read."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from msd_tagger.common.processes import is_running
from msd_tagger.tagging.server.decoders import Decoders
from tests.acts import misbehave
from tests.serving import wait

LIMIT_S = 1.5


def read(decoders, name):
    return decoders.read(Path(name))


@pytest.fixture(scope="module")
def one():
    with Decoders(misbehave, 1, LIMIT_S) as decoders:
        yield decoders


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("hang", ValueError, r"takes more than 1.5 seconds \(--max_decode_s\)"),
        ("crash", ValueError, "it made the decoder crash"),
        ("leave", ValueError, "it made the decoder crash"),
        ("refuse", ValueError, "MemoryError"),
        ("fault", RuntimeError, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_file_does_is_said_and_the_next_is_read(one, capfd, name, kind, said):
    async def both():
        before = await read(one, "heard")
        with pytest.raises(kind, match=said):
            await read(one, name)
        return before, await read(one, "heard")

    before, after = asyncio.run(both())
    assert is_running(before) == (before == after) == (name in ("refuse", "fault"))
    assert capfd.readouterr() == ("", "")


def test_warming_up_is_no_song_s_time():
    slowly = partial(time.sleep, 2 * LIMIT_S)
    with Decoders(misbehave, 1, LIMIT_S, slowly) as decoders:
        assert is_running(asyncio.run(read(decoders, "heard")))


def test_a_process_that_died_while_it_waited_is_replaced(one):
    async def both():
        before = await read(one, "heard")
        os.kill(before, signal.SIGKILL)
        # Its last thread, too.
        wait(lambda: len(list(Path(f"/proc/{before}/task").iterdir())) == 1)
        wait(lambda: not is_running(before))
        return before, await read(one, "heard")

    before, after = asyncio.run(both())
    assert before != after


def test_others_are_read_while_one_hangs_and_whoever_is_cancelled_ends_it():
    async def hang_and_leave(decoders):
        number = await read(decoders, "heard")
        hanging = asyncio.create_task(read(decoders, "hang"))
        await asyncio.sleep(0.05)
        assert await read(decoders, "heard") != number
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        return number

    with Decoders(misbehave, 2, 600.0) as decoders:
        number = asyncio.run(hang_and_leave(decoders))
        wait(lambda: not is_running(number), 60)
