"""What files do to the processes that decode them, for tests; quick to import."""

import os
import signal
import sys
import time


def misbehave(path):
    """Does, in its process, what the file says."""
    print("a decoder speaks")
    print("a decoder complains", file=sys.stderr)
    return ACTS[path.name](path)


def hang(path):
    time.sleep(600)


def crash(path):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(path):
    os._exit(0)


def refuse(path):
    raise MemoryError


def fault(path):
    return 1 / 0


def heard(path):
    return os.getpid()


ACTS = {one.__name__: one for one in (hang, crash, leave, refuse, fault, heard)}
