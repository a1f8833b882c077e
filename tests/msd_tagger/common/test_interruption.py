"""Signals are answered, whatever loses exceptions where they arrive."""

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from msd_tagger.common import interruption
from msd_tagger.common.errors import Interrupted

pytestmark = pytest.mark.usefixtures("own_signals")


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
    time.sleep(0)  # The handler runs here at the latest.


def work(limit_s=5.0):
    """What the main thread does; a signal ends it."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        time.sleep(0.001)


class Sends:
    def __init__(self, where="__call__"):
        self.where = where

    def __call__(self, *_):
        send()
        return 0

    def __del__(self):
        if self.where == "__del__":
            send()


def in_a_collection():
    """As JAX's own callback does, while it traces."""
    callback = Sends()
    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)


def in_a_destructor():
    Sends("__del__")


def in_the_callback_of_a_weak_reference():
    target = Sends()
    weakref.finalize(target, send)
    del target


def in_a_callback_of_c():
    ctypes.CFUNCTYPE(ctypes.c_int)(Sends())()


def in_code_that_catches_everything():
    with contextlib.suppress(BaseException):
        send()


def in_code_that_cleans_up_and_goes_on():
    try:
        send()
    except BaseException:
        time.sleep(3 * interruption.AGAIN_S)


@pytest.mark.parametrize(
    "arrives",
    [
        in_a_collection,
        in_a_destructor,
        in_the_callback_of_a_weak_reference,
        in_a_callback_of_c,
        in_code_that_catches_everything,
        in_code_that_cleans_up_and_goes_on,
    ],
)
def test_a_signal_whose_exception_is_lost_is_answered(capfd, arrives):
    raises = pytest.raises(Interrupted, match="SIGTERM")
    with raises as caught, interruption.answered():
        arrives()
        work()
    assert caught.value.exit_status == 143
    assert capfd.readouterr() == ("", "")  # Python reports lost exceptions.


@pytest.mark.parametrize("safe_point", ["training", "end", "another error"])
def test_a_lost_signal_is_answered_at_the_next_safe_point(safe_point):
    """Even before the timer."""
    with pytest.raises(Interrupted, match="SIGTERM"), interruption.answered():
        in_a_collection()
        if safe_point == "training":
            with interruption.deferred():
                pytest.fail("it began")
        elif safe_point == "another error":
            raise RuntimeError("INTERNAL: a callback failed")


def test_cleaning_up_is_not_interrupted():
    done = []
    with pytest.raises(Interrupted), interruption.answered():
        try:
            send()
        finally:
            with contextlib.suppress(FileNotFoundError):
                raise FileNotFoundError
            send(signal.SIGTERM)  # SLURM sends some signals twice.
            time.sleep(3 * interruption.AGAIN_S)
            done.append("cleaned up")
    assert done == ["cleaned up"]


def test_signals_wait_while_they_are_deferred():
    raises = pytest.raises(Interrupted, match="SIGINT")
    with raises, interruption.answered(), interruption.deferred() as asked:
        assert asked.number is None
        send(signal.SIGINT)
        send(signal.SIGTERM)
        assert asked.number == signal.SIGINT
        send(signal.SIGINT)  # Somebody is in a hurry.
        pytest.fail("it went on")


def test_a_signal_after_the_last_look_is_answered():
    raises = pytest.raises(Interrupted, match="SIGHUP; the same command goes on")
    with raises, interruption.answered(), interruption.deferred():
        send(signal.SIGHUP)


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruption.answered():
        send(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


PROGRAM = """
import atexit, gc, time
from msd_tagger.commands import command_line
def lose(*_):
    print("ready", flush=True)
    time.sleep(60)  # The signal comes here.
def work():
    {work}
def end():
    print("ending", flush=True)
    time.sleep({ending_s})
atexit.register(end)
raise SystemExit(command_line.run(work))
"""
LOSES = "gc.callbacks.append(lose); gc.collect(); gc.callbacks.clear(); time.sleep(60)"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name
)
def test_a_process_ends_with_the_status_of_a_lost_signal(number):
    with started(LOSES, 0) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=600)
    assert process.returncode == 128 + number
    assert said == f"-c: {number.name}; the same command goes on from here\n"


def test_a_signal_to_a_process_that_is_ending_says_nothing():
    with started("return 0", 60) as process:
        assert process.stdout.readline() == "ending\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=600)
    assert process.returncode == -signal.SIGINT  # A shell's 130.
    assert said == ""


@contextlib.contextmanager
def started(work, ending_s):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=work, ending_s=ending_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_signal_ends_a_pause(own_signals):
    with pytest.raises(Interrupted, match="SIGTERM"), interruption.answered():
        threading.Timer(0.1, send).start()
        interruption.pause(60)


def test_a_signal_that_waits_ends_a_pause_too(own_signals):
    waited = []
    with (
        pytest.raises(Interrupted, match="SIGTERM"),
        interruption.answered(),
        interruption.deferred(),
    ):
        threading.Timer(0.1, send).start()
        waited += [interruption.pause(60), interruption.pause(60)]
    assert waited == [False, False]


def test_a_pause_without_a_signal_is_as_long_as_it_says():
    started = time.monotonic()
    assert interruption.pause(0.3)
    assert time.monotonic() - started >= 0.3
