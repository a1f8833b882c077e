"""Processes that are forked where what takes long has been imported.

To import TensorFlow, JAX and what else a run needs takes ten CPU seconds. A test that
is not about how a program starts asks for the fixture `warm_starts`: `python main.py`,
`python -m …` and `python -c …` are then forked from one process that has imported all
this. Each has its own environment, streams, session, signals and exit status.
"""

import atexit
import fcntl
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

import pytest

from tests import undrawn

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.imports"])


class Descriptor:
    """A file descriptor that a process gets when it starts."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple:
        return _received, (DupFd(self.number),)


def _received(duplicate: Any) -> Descriptor:
    return Descriptor(duplicate.detach())


class Popen(subprocess.Popen):
    """Starts Python warm, and any other program as ever."""

    draws = True  # Reports have figures.
    _process: Any = None

    def _execute_child(self, args, executable, preexec, close, pass_fds, cwd, env, *on):
        if args[0] != sys.executable:
            super()._execute_child(
                args, executable, preexec, close, pass_fds, cwd, env, *on
            )
            return
        pipes, new_session = on[3:9], on[14]
        wanted = dict(enumerate(pipes[i] for i in (0, 3, 5)))  # Those of the child.
        wanted = {to: to if fd == -1 else fd for to, fd in wanted.items()}
        wanted |= {fd: fd for fd in pass_fds}
        self._process = SERVER.Process(
            target=become,
            args=(
                list(map(str, args[1:])),
                {to: Descriptor(fd) for to, fd in wanted.items()},
                dict(os.environ if env is None else env),
                os.fspath(cwd or Path.cwd()),
                new_session,
                self.draws,
            ),
        )
        self._process.start()
        self.pid, self._child_created = self._process.pid, True
        self._close_pipe_fds(*pipes)

    def _internal_poll(self, *state, **states):
        if self._process is None:
            return super()._internal_poll(*state, **states)
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def _wait(self, timeout):
        if self._process is None:
            return super()._wait(timeout)
        self._process.join(timeout)
        if self._internal_poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode


def become(
    words: Sequence[str],
    descriptors: Mapping[int, Descriptor],
    environment: Mapping[str, str],
    cwd: str,
    new_session: bool,
    draws: bool,
) -> None:
    """Does, in a process that was forked, what Python does with its command line."""
    if new_session:
        os.setsid()
    high = {  # So that none is overwritten before it is moved.
        to: fcntl.fcntl(one.number, fcntl.F_DUPFD_CLOEXEC, 500)
        for to, one in descriptors.items()
    }
    for to, number in high.items():
        os.dup2(number, to)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # TMPDIR may be another.
    os.chdir(cwd)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.orig_argv = [sys.executable, *words]
    if not draws:
        from msd_tagger.pages import page  # It imports matplotlib.

        page.draw = undrawn.draw
    try:
        _run(*words)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:  # As at the end of an interpreter.
        threading._shutdown()
        atexit._run_exitfuncs()


def _run(first: str, *rest: str) -> None:
    if first == "-c":
        code, *rest = rest
        sys.argv = ["-c", *rest]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), main.__dict__)
    elif first == "-m":
        sys.argv = list(rest)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(str(Path(first).resolve()), run_name="__main__")


@contextmanager
def starts(*, draws: bool = True) -> Iterator[None]:
    """Starts Python warm while it lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Popen)
        patch.setattr(Popen, "draws", draws)
        yield
