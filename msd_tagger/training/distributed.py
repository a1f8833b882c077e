"""Several processes that work on one run together: on request, never by themselves.

Every process computes its share and takes the same path through the program. What
depends on files is decided by process 0, which alone writes, and told to the others
through the service that JAX's processes meet at. JAX and NumPy are imported inside of
functions, so that this module can be used before either is set up, and without them.
"""

import contextlib
import ctypes
import io
import itertools
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from msd_tagger.common.errors import LostProcessError

Tree = Any

AUTO = "auto"
CONNECT_S = 300  # All processes have to be there within this time.
HEARTBEAT_S = 60  # A process that was silent for so long is dead to the others.
LEAVE_S = 5  # Time for all that fail alike to say why, before the first one is gone.
LOST_STATUS = 75  # EX_TEMPFAIL of sysexits.h: give the same command again.
_FOREVER_MS = 30 * 24 * 3600 * 1000  # Heartbeats end a wait for a dead process.
_ERROR, _VALUE = b"E", b"V"  # What an answer of process 0 begins with.
# Texts of what XLA raises when the other side of a connection is gone.
_LOSSES = ("gloo", "nccl", "unavailable", "coordination", "heartbeat", "connection")


class Place(NamedTuple):
    """Which process this is, of how many."""

    index: int = 0
    count: int = 1


_place = Place()
_calls = itertools.count()


def place() -> Place:
    """This process among those of the job; (0, 1) if it is alone."""
    return _place


def is_first() -> bool:
    """Whether this is the process that writes."""
    return _place.index == 0


def start(where: str, count: int, index: int) -> None:
    """Meets the other processes; call before JAX looks for devices.

    Args:
        where: "" for a process alone, "auto" to take all three from what started this
            process (SLURM, Open MPI, Kubernetes, TPU pods), or "host:port" where
            process 0 listens.
        count: Number of processes; 0 with "auto".
        index: Of this one, from 0.

    Raises:
        ValueError: Nothing tells "auto" about other processes, or process 0 cannot
            listen there.
    """
    global _place
    if not where:
        return
    import jax

    if jax.distributed.is_initialized():
        return
    _speak_when_aborted(
        f"this process and the others did not all meet within {CONNECT_S} s"
        f"{'' if where == AUTO else f' at {where}'}; was every one started, with the "
        "same address and count and an index of its own, and is the port open?"
    )
    _place = _meet(_explicit(where, count, index) if where != AUTO else {})
    _speak_when_aborted(lost_text())
    if not is_first():
        for name in ("main", "modes", "input_pipeline", "msd_tagger"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _meet(given: dict[str, Any]) -> Place:
    import jax
    from jax._src.distributed import global_state

    # Its handler would take SIGTERM away from ours.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            initialization_timeout=CONNECT_S,
            heartbeat_timeout_seconds=HEARTBEAT_S,
            **given,
        )
    except ValueError as error:
        raise ValueError(
            "--config.distributed=auto: neither SLURM, Open MPI, Kubernetes nor a TPU "
            f"pod started this process ({error}); give --config.distributed=HOST:PORT, "
            "--config.process_count and --config.process_index"
        ) from error
    except jax.errors.JaxRuntimeError as error:
        address = global_state.coordinator_address
        raise ValueError(f"process 0 cannot listen at {address} ({error})") from error
    return Place(global_state.process_id, global_state.num_processes)


def _explicit(where: str, count: int, index: int) -> dict[str, Any]:
    """Arguments for JAX that leave nothing to be detected."""
    return {
        "coordinator_address": where,
        "num_processes": count,
        "process_id": index,
        "cluster_detection_method": "deactivate",
    }


def shared(function: Callable[[], Any]) -> Any:
    """Calls a function in process 0 alone, and gives its result in all.

    Args:
        function: Its result is made of what JSON knows.

    Raises:
        ValueError, OSError: As the function does in process 0; the others raise a
            ValueError of the same text.
    """
    return _shared(function, lambda value: json.dumps(value).encode(), json.loads)


def shared_state(function: Callable[[], Tree], like: Tree) -> Tree:
    """As `shared`, for a tree of host arrays with the structure of another."""
    return _shared(function, _pack, partial(_unpack, like=like))


def all_gather(tree: Tree) -> Tree:
    """Host arrays `[P, …]` of all processes, for arrays that have one shape in all.

    They travel as one string of bytes: a transfer for each leaf would compile each.
    """
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    leaves, structure = jax.tree.flatten(tree)
    leaves = [np.asarray(leaf) for leaf in leaves]
    if _place.count == 1:
        return structure.unflatten([leaf[None] for leaf in leaves])
    own = np.frombuffer(b"".join(leaf.tobytes() for leaf in leaves), np.uint8)
    ends = np.cumsum([leaf.nbytes for leaf in leaves])[:-1]
    parts = np.split(multihost_utils.process_allgather(own), ends, axis=1)
    return structure.unflatten(
        np.ascontiguousarray(part).view(leaf.dtype).reshape(-1, *leaf.shape)
        for part, leaf in zip(parts, leaves, strict=True)
    )


def agree(numbers: Sequence[int]) -> list[int]:
    """The largest of each number in any process; all have to ask at the same step.

    It waits for the slowest process and for the device: ask now and then.
    """
    import numpy as np

    return all_gather(np.array(numbers, np.int32)).max(0).tolist()


def check_same(values: dict[str, Any]) -> None:
    """Refuses to go on with processes that were told different things.

    It needs no device, so that nothing is compiled before JAX is set up.

    Raises:
        ValueError: In all processes; it names what differs.
    """
    if _place.count == 1:
        return
    key = f"msd_tagger/told/{next(_calls)}"
    _client().key_value_set(f"{key}/{_place.index}", json.dumps(values))

    def compare() -> None:
        own = json.loads(json.dumps(values))
        for index in range(1, _place.count):
            answer = _client().blocking_key_value_get(f"{key}/{index}", _FOREVER_MS)
            other = json.loads(answer)
            for name in own:
                if other.get(name) != own[name]:
                    raise ValueError(
                        f"process 0 was given {name}={own[name]}, process {index} "
                        f"{name}={other.get(name)}; all processes of a job need the "
                        "same command but for --config.process_index"
                    )

    shared(compare)


def finish() -> None:
    """Waits for the process that still writes: who leaves earlier seems to be dead."""
    if _place.count > 1:
        _client().wait_at_barrier("msd_tagger/finish", _FOREVER_MS)


def leave(status: int) -> None:
    """Ends one of several processes without waiting for those that cannot follow.

    Does nothing in a process alone.
    """
    if _place.count == 1:
        return
    if status != LOST_STATUS:
        # All that fail alike say so before process 0 and its service are gone.
        with contextlib.suppress(Exception):
            _client().wait_at_barrier("msd_tagger/leave", LEAVE_S * 1000)
            time.sleep(is_first())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextlib.contextmanager
def naming_losses() -> Iterator[None]:
    """Names what has happened where XLA speaks of connections.

    Raises:
        LostProcessError: In place of what XLA raises.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if _place.count == 1 or not _is_loss(str(error)):
            raise
        raise LostProcessError(
            f"{lost_text()} ({str(error).splitlines()[0]})"
        ) from error


def _is_loss(text: str) -> bool:
    """Whether XLA, whose errors begin with a code in capitals, lost a connection.

    >>> _is_loss("UNKNOWN: Gloo AllReduce failed: Connection closed by peer")
    True
    >>> _is_loss("RESOURCE_EXHAUSTED: out of memory"), _is_loss("no connection")
    (False, False)
    """
    has_code = re.match("[A-Z_]+: ", text)
    return bool(has_code) and any(word in text.lower() for word in _LOSSES)


def lost_text() -> str:
    """What a process says that ends because of another."""
    return (
        f"process {_place.index} of {_place.count}: another process of this job died "
        "or cannot be reached, so this one ends too; give the same command to all "
        "again, and the run goes on from its last checkpoint"
    )


def _shared(
    function: Callable[[], Any],
    encode: Callable[[Any], bytes],
    decode: Callable[[bytes], Any],
) -> Any:
    if _place.count == 1:
        return function()
    key = f"msd_tagger/shared/{next(_calls)}"
    if not is_first():
        content = _client().blocking_key_value_get_bytes(key, _FOREVER_MS)
        if content[:1] == _ERROR:
            raise ValueError(content[1:].decode())
        return decode(content[1:])
    try:
        value = function()
    except (ValueError, OSError) as error:
        _client().key_value_set_bytes(key, _ERROR + str(error).encode())
        raise
    _client().key_value_set_bytes(key, _VALUE + encode(value))
    return value


def _pack(state: Tree) -> bytes:
    import jax
    import numpy as np

    file = io.BytesIO()
    np.savez(file, *jax.tree.leaves(state))
    return file.getvalue()


def _unpack(content: bytes, like: Tree) -> Tree:
    import jax
    import numpy as np

    with np.load(io.BytesIO(content)) as arrays:
        leaves = [arrays[name] for name in arrays.files]
    return jax.tree.structure(like).unflatten(leaves)


def _client() -> Any:
    """JAX's connection to the service of process 0; there is no public name for it."""
    from jax._src.distributed import global_state

    return global_state.client


_last_words = ""


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _on_abort(_: int) -> None:
    os.write(2, f"{_last_words}\n".encode())
    os._exit(LOST_STATUS)


def _speak_when_aborted(text: str) -> None:
    """Ends with a sentence where JAX aborts the process.

    It does so, from a thread of its own, as soon as it hears that another process is
    dead, and leaves no way to be asked first: a handler of the signal, in C's sense, is
    what remains.
    """
    global _last_words
    _last_words = f"{Path(sys.argv[0]).name}: {text}"
    ctypes.CDLL(None).signal(signal.SIGABRT, _on_abort)
