"""Several processes that work on one run together: on request, never by themselves.

Every process computes its share and takes the same path through the program. What
depends on files is decided by process 0, which alone writes, and passed to the others
through the service that connects JAX's processes. JAX and NumPy are imported inside
functions, so that this module can be used before either is set up, and without them.
"""

import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import itertools
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msd_tagger.common import messages
from msd_tagger.common.errors import LostProcessError
from msd_tagger.common.processes import this_host
from msd_tagger.training import rendezvous

Tree = Any

AUTO = "auto"
CONNECT_S = 300  # All processes have to start within this time.
HEARTBEAT_S = 60  # A process that is silent for so long counts as dead.
LEAVE_S = 5  # Time for all that fail alike to say why, before the first one ends.
LOST_STATUS = 75  # EX_TEMPFAIL of sysexits.h: give the same command again.
_BY_HAND = (
    "give --config.distributed=HOST:PORT, --config.process_count and "
    "--config.process_index"
)
_FOREVER_MS = 30 * 24 * 3600 * 1000  # Heartbeats end a wait for a dead process.
# Texts of what XLA raises when the other side of a connection is gone.
_LOSSES = ("gloo", "nccl", "unavailable", "coordination", "heartbeat", "connection")


@dataclasses.dataclass(frozen=True)
class Rank:
    """The number of a process, and how many there are."""

    index: int = 0
    count: int = 1


_rank = Rank()
_calls = itertools.count()


def rank() -> Rank:
    """Returns this process's rank in the job; (0, 1) if it is alone."""
    return _rank


def is_first() -> bool:
    """Tells whether this is the process that writes."""
    return _rank.index == 0


def start(where: str, count: int, index: int) -> None:
    """Connects to the other processes; call before JAX looks for devices.

    Args:
        where: "" for a process alone, "auto" to take all three from what started this
            process (SLURM, Open MPI, Kubernetes, TPU pods), or "host:port" where
            process 0 listens.
        count: Number of processes; 0 with "auto".
        index: Of this one, from 0.

    Raises:
        ValueError: "auto" finds nothing about other processes, process 0 cannot listen
            there, or another program does, or JAX_LOCAL_DEVICE_IDS has no numbers.
        LostProcessError: Nobody listens there in time.
    """
    global _rank
    if not where:
        return
    import jax

    if jax.distributed.is_initialized():
        return
    own = os.environ.get("JAX_LOCAL_DEVICE_IDS", "")
    if own and not all(one.strip().isdecimal() for one in own.split(",")):
        raise ValueError(
            f"JAX_LOCAL_DEVICE_IDS={own}: must be numbers of this machine's devices, "
            "such as 0,1,2,3"
        )
    # Arguments for JAX that leave nothing to be detected.
    given = {
        "coordinator_address": where,
        "num_processes": count,
        "process_id": index,
        "cluster_detection_method": "deactivate",
    }
    if where == AUTO:
        given |= detect()
    _rank = _connect(given)
    _speak_when_aborted(lost_text())
    if not is_first():
        for name in messages.OURS:
            logging.getLogger(name).setLevel(logging.WARNING)


def detect() -> dict[str, Any]:
    """Asks JAX what started this process; gives what `jax.distributed` takes.

    Raises:
        ValueError: Nothing is known, or it makes no sense.
    """
    from jax._src.clusters import ClusterEnv

    names = ("coordinator_address", "num_processes", "process_id", "local_device_ids")
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    try:
        found = ClusterEnv.auto_detect_unset_distributed_params(
            address, None, None, None, None, CONNECT_S
        )
    except (RuntimeError, ValueError, LookupError, OSError) as error:
        raise ValueError(
            f"--config.distributed=auto: what started this process tells JAX too "
            f"little ({error}); {_BY_HAND}"
        ) from error
    given = dict(zip(names, found, strict=True))
    # JAX has each process take the GPU of its number on the machine. Not where it is
    # told otherwise, nor where a launcher shows each process a single GPU, its own
    # (`--gpus-per-task=1`).
    sees_one = len(os.environ.get("CUDA_VISIBLE_DEVICES", ",").split(",")) == 1
    if sees_one or "JAX_LOCAL_DEVICE_IDS" in os.environ:
        del given["local_device_ids"]
    if None in found[:3]:
        raise ValueError(
            "--config.distributed=auto: neither SLURM (srun), Open MPI, Kubernetes nor "
            f"a TPU pod started this process; {_BY_HAND}"
        )
    port = re.fullmatch(r"\S+:(\d{1,5})", str(found[0]))
    if not (port and 0 < int(port[1]) < 2**16):
        raise ValueError(
            f"--config.distributed=auto: {found[0]} is no address "
            "where processes could meet; JAX_COORDINATOR_ADDRESS must be HOST:PORT, "
            "and JAX_COORDINATOR_PORT a number up to 65535"
        )
    return given


def _connect(given: dict[str, Any]) -> Rank:
    import jax
    from jax._src.distributed import global_state

    # Its handler of SIGTERM would replace ours.
    jax.config.update("jax_enable_preemption_service", False)
    where, own = given["coordinator_address"], given["process_id"]
    _pass_by_proxies(where)
    did_not_meet = (
        f"this process and the others did not all meet within {CONNECT_S} s at "
        f"{where}; check that all were started, with the same address and count and "
        "each with its own index, and that the port is open"
    )
    deadline_s = time.monotonic() + CONNECT_S
    if why := rendezvous.meet(where, own, given["num_processes"], deadline_s):
        raise LostProcessError(f"{did_not_meet} ({why})")
    _speak_when_aborted(did_not_meet)
    try:
        jax.distributed.initialize(
            initialization_timeout=CONNECT_S,
            heartbeat_timeout_seconds=HEARTBEAT_S,
            **given,
        )
    except jax.errors.JaxRuntimeError as error:
        raise ValueError(f"process 0 cannot listen at {where} ({error})") from error
    return Rank(global_state.process_id, global_state.num_processes)


def _pass_by_proxies(where: str) -> None:
    """Lets processes talk to process 0 directly, whatever proxy the web is behind.

    Many clusters name one in `http_proxy`, which JAX's connections heed. There they
    would wait until they give up.
    """
    import jax

    own, others = "no_grpc_proxy", "no_proxy"  # It heeds the second without the first.
    spared = os.environ.get(own) or os.environ.get(others)
    host = where.rpartition(":")[0].strip("[]")
    os.environ[own] = ",".join(filter(None, [spared, host]))
    jax.config.update("jax_check_proxy_envs", False)  # It would only warn of them.


def shared(function: Callable[[], Any]) -> Any:
    """Calls a function in process 0 alone, and returns its result in all.

    The result is something that JSON can hold.

    Raises:
        ValueError, OSError: As the function does in process 0; the others raise a
            ValueError with the same text.
    """
    if _rank.count == 1:
        return function()
    key = f"msd_tagger/shared/{next(_calls)}"
    if not is_first():
        answer = json.loads(_client().blocking_key_value_get(key, _FOREVER_MS))
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["value"]
    try:
        value = function()
    except (ValueError, OSError) as error:
        _client().key_value_set(key, json.dumps({"error": str(error)}))
        raise
    _client().key_value_set(key, json.dumps({"value": value}))
    return value


def all_gather(tree: Tree) -> Tree:
    """Collects host arrays `[P, …]` of all processes; shapes are the same in all.

    They travel as one string of bytes: a transfer for each leaf would compile each.
    """
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    structure: Any = jax.tree.structure(tree)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    if _rank.count == 1:
        return structure.unflatten([leaf[None] for leaf in leaves])
    _wait_for_all()
    own = np.frombuffer(b"".join(leaf.tobytes() for leaf in leaves), np.uint8)
    ends = np.cumsum([leaf.nbytes for leaf in leaves])[:-1]
    parts = np.split(multihost_utils.process_allgather(own), ends, axis=1)
    return structure.unflatten(
        np.ascontiguousarray(part).view(leaf.dtype).reshape(-1, *leaf.shape)
        for part, leaf in zip(parts, leaves, strict=True)
    )


@functools.cache
def _wait_for_all() -> None:
    """Waits until all processes have come to their first exchange of arrays.

    There a CPU waits for 30 s, and then takes the others for dead. A process may be
    later than that where it imports from a cold disk, or compiles on a slower machine.
    """
    _client().wait_at_barrier("msd_tagger/exchange", _FOREVER_MS)


def agree(numbers: Sequence[int]) -> list[int]:
    """Returns the largest of each number in any process.

    All have to call it at the same step. It waits for the slowest process and for the
    device, so it should be called rarely.
    """
    import numpy as np

    return all_gather(np.array(numbers, np.int64)).max(0).tolist()


def most_on_a_host() -> int:
    """Counts the processes on the host that has the most; all have to call it."""
    import numpy as np

    digest = hashlib.sha256(this_host().encode()).digest()
    hosts = all_gather(np.frombuffer(digest, np.uint8))
    return int(np.unique(hosts, axis=0, return_counts=True)[1].max())


def check_same(values: dict[str, Any]) -> None:
    """Checks that all processes were given the same values.

    It needs no device, so nothing is compiled before JAX is set up.

    Raises:
        ValueError: In all processes; it names what differs.
    """
    if _rank.count == 1:
        return
    key = f"msd_tagger/given/{next(_calls)}"
    _client().key_value_set(f"{key}/{_rank.index}", json.dumps(values))

    def compare() -> None:
        own = json.loads(json.dumps(values))
        for index in range(1, _rank.count):
            answer = _client().blocking_key_value_get(f"{key}/{index}", _FOREVER_MS)
            other = json.loads(answer)
            for name in own:
                if other.get(name) != own[name]:
                    raise ValueError(
                        f"process 0 was given {name}={own[name]}, process {index} "
                        f"{name}={other.get(name)}; all processes of a job need the "
                        "same command, except for --config.process_index"
                    )

    shared(compare)


def finish() -> None:
    """Waits for the process that still writes: one that left would count as dead."""
    if _rank.count > 1:
        _client().wait_at_barrier("msd_tagger/finish", _FOREVER_MS)


def leave(status: int) -> None:
    """Ends one of several processes without waiting for those that cannot follow.

    It does nothing in a process alone.
    """
    if _rank.count == 1:
        return
    if status != LOST_STATUS:
        # All that fail alike say so before process 0 and its service are gone.
        with contextlib.suppress(Exception):
            _client().wait_at_barrier("msd_tagger/leave", LEAVE_S * 1000)
            if is_first():
                time.sleep(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextlib.contextmanager
def naming_losses() -> Iterator[None]:
    """Turns XLA's errors about lost connections into a `LostProcessError`."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if _rank.count == 1 or not _is_loss(str(error)):
            raise
        raise LostProcessError(
            f"{lost_text()} ({str(error).splitlines()[0]})"
        ) from error


def _is_loss(text: str) -> bool:
    """Tells whether XLA, whose errors begin with a code, lost a connection.

    >>> _is_loss("UNKNOWN: Gloo AllReduce failed: Connection closed by peer")
    True
    >>> _is_loss("RESOURCE_EXHAUSTED: out of memory"), _is_loss("no connection")
    (False, False)
    """
    has_code = re.match("[A-Z_]+: ", text)
    return bool(has_code) and any(word in text.lower() for word in _LOSSES)


def lost_text() -> str:
    """Says why a process ends because of another."""
    return (
        f"process {_rank.index} of {_rank.count}: another process of this job died "
        "or cannot be reached, so this one ends too; give the same command to all "
        "again, and the run goes on from its last checkpoint"
    )


def _client() -> Any:
    """Returns JAX's connection to process 0; there is no public name for it."""
    from jax._src.distributed import global_state

    return global_state.client


_last_words = ""


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _on_abort(_: int) -> None:
    os.write(2, f"{_last_words}\n".encode())
    os._exit(LOST_STATUS)


def _speak_when_aborted(text: str) -> None:
    """Makes the process end with a sentence where JAX aborts it.

    JAX does so, from its own thread, as soon as it hears that another process is dead.
    The only way to be asked first is a handler of the signal in C.
    """
    global _last_words
    _last_words = f"{Path(sys.argv[0]).name}: {text}"
    ctypes.CDLL(None).signal(signal.SIGABRT, _on_abort)
