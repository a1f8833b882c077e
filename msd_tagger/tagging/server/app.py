"""What the server answers: the page, its files, and the tags of an uploaded song."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from msd_tagger.tagging.server.guard import guarded
from msd_tagger.tagging.server.limits import Limits

logger = logging.getLogger(__name__)

Done = TypeVar("Done")


def create_app(
    read: Callable[[Path], Awaitable[Any]],
    tag: Callable[[Any], Awaitable[Mapping[str, Any]]],
    files: Mapping[str, tuple[str, str | bytes]],
    limits: Limits,
    folder: Path,
    host: str = "127.0.0.1",
    proxies: frozenset[str] = frozenset(),
) -> ASGIApp:
    """Builds the application.

    Args:
        read: Reads an audio file, or raises a ValueError, which may name the path.
        tag: Gives the answer for what was read. Both are cancelled when the visitor
            leaves.
        files: Path on the server to media type and content.
        limits: What a visitor may ask for.
        folder: Keeps uploads; nobody else should be able to read it.
        host: The name it is to be reached by, beside addresses and localhost.
        proxies: Names of what may pass requests on, in small letters.
    """
    routes = [Route(path, _file_of(*file)) for path, file in files.items()]
    routes.append(Route("/tag", _tag_song, methods=["POST"]))
    handlers: dict[type[Exception], Callable[..., Awaitable[Response]]] = {
        HTTPException: _refuse,
        Exception: _fail,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.read, app.state.tag = read, tag
    app.state.limits, app.state.songs, app.state.folder = limits, 0, folder
    return guarded(app, host, proxies)


def _file_of(media_type: str, content: str | bytes) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        return Response(content, media_type=media_type)

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
    except asyncio.CancelledError:
        return await _refuse(request, HTTPException(503, "The server is ending."))
    finally:
        state.songs -= 1


async def _tag_upload(request: Request) -> Response:
    state = request.app.state
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        message = "Send the file itself, not a form: curl --data-binary @song.mp3"
        raise HTTPException(415, message)
    with private_path(state.folder) as path:
        await receive(request, path, state.limits)
        try:
            heard = await attended(request, state.read(path))
        except ValueError as error:
            raise HTTPException(422, _worded(error, path)) from error
    return JSONResponse(await attended(request, state.tag(heard)))


async def attended(request: Request, work: Awaitable[Done]) -> Done:
    """Does what a visitor waits for, and cancels it when the visitor leaves.

    Raises:
        ClientDisconnect: The visitor left.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for one in (working, leaving):
            one.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


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


async def receive(request: Request, path: Path, limits: Limits) -> None:
    """Writes the body of a request to a new file, piece by piece.

    Raises:
        HTTPException: 413, before anything is read where the request says its size; 408
            where it takes too long, as a whole or between two pieces; 507 where the
            disk is full.
        ClientDisconnect: the visitor went away.
    """
    # The HTTP parser lets nothing but a number through.
    declared_bytes = int(request.headers.get("content-length", 0))
    _check_size(declared_bytes, limits.upload_bytes)
    try:
        await write(request, path, limits)
    except TimeoutError as error:
        message = (
            f"The upload took more than {limits.upload_s:g} seconds, paused for "
            f"{limits.pause_s:g}, or was slower than "
            f"{limits.upload_bytes_per_s / 1e3:g} kB/s."
        )
        raise HTTPException(408, message) from error
    except OSError as error:
        message = f"The server cannot keep the file: {error.strerror}."
        raise HTTPException(507, message) from error


async def write(request: Request, path: Path, limits: Limits) -> None:
    """Writes what arrives, as long as it is not too much, nor too slow."""
    written_bytes, clock = 0, asyncio.get_running_loop().time
    began_s = clock()
    with path.open("xb") as file:
        async with asyncio.timeout(limits.pause_s) as patience:
            async for piece in request.stream():
                written_bytes += len(piece)
                _check_size(written_bytes, limits.upload_bytes)
                file.write(piece)
                needs_s = limits.pause_s + written_bytes / limits.upload_bytes_per_s
                ends_s = began_s + min(limits.upload_s, needs_s)
                patience.reschedule(min(clock() + limits.pause_s, ends_s))


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        message = f"The file is larger than {limit_bytes / 1e6:g} MB, the most allowed."
        raise HTTPException(413, message)


def _worded(error: Exception, path: Path) -> str:
    """Words an error for the visitor, who knows the file by another name.

    >>> _worded(ValueError("tmp/3f: not audio (no decoder)"), Path("tmp/3f"))
    'The file cannot be tagged: not audio (no decoder).'
    """
    text = str(error) or type(error).__name__
    text = text.removeprefix(f"{path}: ").replace(str(path), "the file")
    return f"The file cannot be tagged: {text.rstrip('.')}."
