"""What the server answers: the page, its files, and the tags of an uploaded song."""

import asyncio
import logging
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from msd_tagger.tagging.server.guard import guarded
from msd_tagger.tagging.server.limits import Limits

logger = logging.getLogger(__name__)

# What a file may do to whoever reads it.
READING = (ValueError, OSError, RuntimeError, MemoryError)


def create_app(
    read: Callable[[Path], Any],
    tag: Callable[[Any], Mapping[str, Any]],
    files: Mapping[str, tuple[str, str]],
    limits: Limits,
    host: str = "127.0.0.1",
) -> ASGIApp:
    """Builds the application.

    Args:
        read: Reads an audio file, or raises one of `READING`, which may name the path.
        tag: Gives the answer for what was read. Both are called in a thread, and never
            for two songs at a time.
        files: Path on the server to media type and text.
        limits: What a visitor may ask for.
        host: The name it is to be reached by, beside addresses and localhost.
    """
    routes = [Route(path, _text_of(*file)) for path, file in files.items()]
    routes.append(Route("/tag", _tag_song, methods=["POST"]))
    handlers: dict[type[Exception], Callable[..., Awaitable[Response]]] = {
        HTTPException: _refuse,
        Exception: _fail,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=_lifespan)
    app.state.read, app.state.tag = read, tag
    app.state.limits, app.state.songs, app.state.turn = limits, 0, asyncio.Lock()
    return guarded(app, host)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keeps uploads in a folder that nobody else can read and that goes in the end."""
    with tempfile.TemporaryDirectory(prefix="msd-tagger-") as folder:
        app.state.folder = Path(folder)
        yield


def _text_of(media_type: str, text: str) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        return Response(text, media_type=media_type)

    return respond


async def _tag_song(request: Request) -> Response:
    """Answers a file in the body of a request with its tags; it has no name."""
    state = request.app.state
    if state.songs >= state.limits.songs:
        message = f"{state.songs} songs are being tagged already; try again in a moment"
        raise HTTPException(503, message, {"Retry-After": "10"})
    state.songs += 1
    try:
        return await _tag_upload(request)
    except ClientDisconnect:
        return Response(status_code=499)  # Nobody reads it.
    finally:
        state.songs -= 1


async def _tag_upload(request: Request) -> Response:
    state = request.app.state
    with private_path(state.folder) as path:
        limits = state.limits
        await receive(request, path, limits.upload_bytes, limits.upload_s)
        async with state.turn:
            if await request.is_disconnected():
                raise ClientDisconnect
            try:
                heard = await run_in_threadpool(state.read, path)
            except READING as error:
                raise HTTPException(422, sentence(error, path)) from error
            return JSONResponse(await run_in_threadpool(state.tag, heard))


async def _refuse(request: Request, error: HTTPException) -> Response:
    """Says what is wrong with a request."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _fail(request: Request, error: Exception) -> Response:
    """Says that the fault is ours; the terminal has the details."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "The server failed; its terminal says why."
    return JSONResponse({"error": message}, 500)


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
