"""Processes of a job meet at a port, before JAX does there.

Where a port is taken, JAX's own service crashes, and JAX's client waits for minutes for
whatever program has it. If that is the service of another job, that job dies.
"""

import contextlib
import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterator

ANSWER_S = 10  # Process 0 answers within this time, or it is another program.
_HELLO = struct.Struct("!8sHH")  # `_NAME`, number of processes, index.
_NAME, _GO = b"msdtagr1", b"!"


def meet(where: str, index: int, count: int, deadline_s: float) -> str:
    """Waits until all processes are there; says why, where they did not come.

    Args:
        where: "host:port", where process 0 listens.
        index: Of this process, from 0.
        count: Number of processes.
        deadline_s: When to give up, by `time.monotonic`.

    Raises:
        ValueError: Process 0 cannot listen there, or another program does.
    """
    if index == 0:
        return _gather(where, count, deadline_s)
    return _greet(where, index, count, deadline_s)


def _gather(where: str, count: int, deadline_s: float) -> str:
    """Waits for all others, and then lets them go on; says which did not come."""
    missing, here = set(range(1, count)), []
    with contextlib.ExitStack() as stack:
        with _listen(where) as listener:
            hellos = _hear(listener, stack, deadline_s)
            while missing:
                peer, hello = next(hellos, (None, b""))
                if peer is None:
                    numbers = ", ".join(map(str, sorted(missing)))
                    return f"missing here: process {numbers}"
                name, job_size, index = _HELLO.unpack(hello)
                if (name, job_size) == (_NAME, count):
                    _say(peer, _NAME)
                    here.append(peer)
                    missing.discard(index)
        for peer in here:
            _say(peer, _GO)
    return ""


def _hear(
    listener: socket.socket, stack: contextlib.ExitStack, deadline_s: float
) -> Iterator[tuple[socket.socket, bytes]]:
    """Yields who connects, with what it says first, until a time.

    Whoever connects and says nothing, as a scan of ports does, holds nobody up. All
    stay connected until the stack is closed.
    """
    with selectors.DefaultSelector() as heard:
        heard.register(listener, selectors.EVENT_READ)
        while ready := heard.select(max(0, deadline_s - time.monotonic())):
            for key, _ in ready:
                if key.fileobj is listener:
                    peer = stack.enter_context(listener.accept()[0])
                    heard.register(peer, selectors.EVENT_READ, peer)
                else:
                    heard.unregister(key.fileobj)
                    yield key.data, _read(key.data, _HELLO.size, 0)


def _listen(where: str) -> socket.socket:
    """Takes the port of every address, as JAX will."""
    where = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", where)
    address = ("", int(where.rpartition(":")[2]))
    try:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(address, family=family, dualstack_ipv6=both)
    except OSError as error:
        problem = f"process 0 cannot have it ({os.strerror(error.errno or 0)})"
        raise ValueError(_about_port(where, problem)) from error


def _greet(where: str, index: int, count: int, deadline_s: float) -> str:
    """Waits for process 0, and then for its word that all came; says why it ended."""
    host, _, port = where.rpartition(":")
    why = "no answer"
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            peer = _connect(host.strip("[]"), int(port), left_s)
        except OSError as error:  # It has not been started yet.
            why = f"process 0: {error.strerror or error}"
            time.sleep(0.2)
            continue
        with peer:
            _say(peer, _HELLO.pack(_NAME, count, index))
            if _read(peer, len(_NAME), ANSWER_S) != _NAME:
                problem = "another program, or another job, listens there"
                raise ValueError(_about_port(where, problem))
            has_come = _read(peer, 1, left_s) == _GO
            return "" if has_come else "process 0 answered, others did not come"
    return why


def _connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connects to a port; an OSError says that nobody listens there."""
    peer = socket.create_connection((host, port), timeout_s)
    if peer.getsockname() != peer.getpeername():
        return peer
    # On one machine the system may give this end the very port that it asks for: it
    # then talks to itself, and keeps the port from process 0.
    peer.close()
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _say(peer: socket.socket, text: bytes) -> None:
    with contextlib.suppress(OSError):  # It has gone, and will be missed.
        peer.sendall(text)


def _read(peer: socket.socket, size: int, timeout_s: float) -> bytes:
    """Reads what the other side says; zeros where it says nothing."""
    peer.settimeout(timeout_s)
    with contextlib.suppress(OSError):
        return peer.recv(size, socket.MSG_WAITALL).ljust(size, b"\0")
    return bytes(size)


def _about_port(where: str, problem: str) -> str:
    port = where.rpartition(":")[2]
    return (
        f"port {port} of {where}: {problem}; choose another with "
        "--config.distributed=HOST:PORT, or JAX_COORDINATOR_PORT with auto"
    )
