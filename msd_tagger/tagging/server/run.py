"""Takes a port and serves on it until somebody says stop."""

import asyncio
import errno
import ipaddress
import socket

import uvicorn
from starlette.types import ASGIApp

from msd_tagger.common import interruption
from msd_tagger.common.errors import Interrupted
from msd_tagger.tagging.server.connections import Connection

# How long a song that is being tagged may take after a signal.
GRACE_S = 2


def take_port(host: str, port: int) -> socket.socket:
    """Opens a socket; port 0 takes any that is free.

    Whoever connects from now on waits until it is served.

    Raises:
        ValueError: There is no such host, or the port cannot be had.
    """
    where = f"--port={port} of --host={host}"
    if not host:
        raise ValueError(f"{where}: an address of this machine is needed")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ValueError(f"{where}: no such address ({error})") from error
    family, _, _, _, address = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ValueError(f"{where}: {_reason(error)}") from error
    return listener


def _reason(error: OSError) -> str:
    advice = "choose another with --port, or let --port=0 choose"
    if error.errno == errno.EADDRINUSE:
        return f"another program has this port; {advice}"
    if error.errno == errno.EACCES:
        return f"only the administrator may use ports below 1024; {advice}"
    return f"{error.strerror}; --host must be an address of this machine"


def address_of(listener: socket.socket, host: str) -> str:
    """Says what to type into a browser on this machine.

    >>> with take_port("127.0.0.1", 0) as listener:
    ...     address_of(listener, "127.0.0.1").rpartition(":")[0]
    'http://127.0.0.1'
    """
    bound, port = listener.getsockname()[:2]
    name = "localhost" if ipaddress.ip_address(bound).is_unspecified else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def is_private(listener: socket.socket) -> bool:
    """Tells whether only programs of this machine reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Returns a server that says nothing itself; the application words what it has."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="critical",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serves until a signal comes.

    Raises:
        Interrupted: It came, and the server has ended.
    """
    try:
        with interruption.deferred() as asked:
            asyncio.run(_serve(server_of(app), listener, asked))
    except Interrupted as ended:
        raise Interrupted(ended.number, "the server has ended", False) from None


async def _serve(
    server: uvicorn.Server, listener: socket.socket, asked: interruption.Interruption
) -> None:
    """Lets uvicorn answer SIGINT and SIGTERM, which it hands on, and the others too."""
    serving = asyncio.create_task(server.serve([listener]))
    while not serving.done():
        server.should_exit |= asked.number is not None
        await asyncio.wait([serving], timeout=0.1)
    await serving
