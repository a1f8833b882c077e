"""What the server answers: the page, its files, and the tags of an uploaded song."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from msd_tagger.tagging.server import uploads
from msd_tagger.tagging.server.answers import Limits
from msd_tagger.tagging.server.guard import guarded
from msd_tagger.tagging.server.uploads import sentence

logger = logging.getLogger(__name__)

# What a file may do to whoever reads it.
READING = (ValueError, OSError, RuntimeError, MemoryError)


def create_app(
    read: Callable[[Path], Any],
    tag: Callable[[Any], Mapping[str, Any]],
    files: Mapping[str, tuple[str, str]],
    limits: Limits | None = None,
    host: str = "127.0.0.1",
) -> ASGIApp:
    """Builds the application.

    Args:
        read: Reads an audio file, or raises one of `READING`, which may name the path.
        tag: Gives the answer for what was read. Both are called in a thread, and never
            for two songs at a time.
        files: Path on the server to media type and text.
        limits: The default ones where None.
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
    app.state.limits = limits or Limits()
    app.state.songs, app.state.turn = 0, asyncio.Lock()
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
    with uploads.private_path(state.folder) as path:
        limits = state.limits
        await uploads.receive(request, path, limits.upload_bytes, limits.upload_s)
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
    message = "The server failed at this; its terminal says why."
    return JSONResponse({"error": message}, 500)
