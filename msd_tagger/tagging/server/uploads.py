"""An uploaded file on its way to the disk and off it again."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request


@contextmanager
def private_path(folder: Path) -> Iterator[Path]:
    """Yields a new path in a folder; whatever is written there goes in the end.

    The name is ours: what a visitor calls a file never reaches the server.
    """
    path = folder / secrets.token_hex(16)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


async def receive(
    request: Request, path: Path, limit_bytes: int, timeout_s: float
) -> None:
    """Writes the body of a request to a new file, piece by piece.

    Raises:
        HTTPException: 413, before anything is read where the request says its size; 408
            where it takes too long; 507 where the disk is full.
        ClientDisconnect: the visitor went away.
    """
    # The HTTP parser lets nothing but a number through.
    declared_bytes = int(request.headers.get("content-length", 0))
    _check_size(declared_bytes, limit_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            await write(request, path, limit_bytes)
    except TimeoutError as error:
        message = f"The upload took more than {timeout_s:g} seconds."
        raise HTTPException(408, message) from error
    except OSError as error:
        message = f"The server cannot keep the file: {error.strerror}."
        raise HTTPException(507, message) from error


async def write(request: Request, path: Path, limit_bytes: int) -> None:
    """Writes what arrives, as long as it is not too much."""
    written_bytes = 0
    with path.open("xb") as file:
        async for piece in request.stream():
            written_bytes += len(piece)
            _check_size(written_bytes, limit_bytes)
            file.write(piece)


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        message = f"The file is larger than {limit_bytes / 1e6:g} MB, the most allowed."
        raise HTTPException(413, message)


def sentence(error: Exception, path: Path) -> str:
    """Words an error for the visitor, who knows the file by another name.

    >>> sentence(ValueError("tmp/3f: not audio (no decoder)"), Path("tmp/3f"))
    'The file cannot be tagged: not audio (no decoder).'
    """
    text = str(error) or type(error).__name__
    text = text.removeprefix(f"{path}: ").replace(str(path), "the file")
    return f"The file cannot be tagged: {text.rstrip('.')}."
