"""`serve`: a page in the browser on which to try a bundle."""

import asyncio
import logging
import math
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msd_tagger.commands.command_line import Options
from msd_tagger.commands.tag import load_tagger
from msd_tagger.common.errors import check_installed
from msd_tagger.common.processes import available_cores
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from msd_tagger.tagging.server.answers import answer, page_files
from msd_tagger.tagging.server.decoders import Decoders
from msd_tagger.tagging.server.limits import Limits
from msd_tagger.tagging.songs import Excerpts, excerpts
from msd_tagger.tagging.tagger import Tagger

if TYPE_CHECKING:
    from starlette.types import ASGIApp

logger = logging.getLogger(__name__)


def serve(options: Options) -> None:
    """Serves the page until a signal comes."""
    check_installed("serve", "serve", "starlette", "uvicorn")
    from msd_tagger.tagging.server import run

    limits, names = limits_of(options), names_of(options)
    with (
        run.take_port(options.host, options.port) as listener,
        tempfile.TemporaryDirectory(prefix="msd-tagger-") as folder,
        built_app(options, limits, Path(folder), names) as app,
    ):
        if not run.is_private(listener):
            logger.warning(
                "--host=%s: whoever reaches this address can use the page; there is no "
                "password and no encryption",
                options.host,
            )
        address = run.address_of(listener, options.host)
        print(f"Open {address} in a browser; Ctrl-C ends.", flush=True)
        run.serve(app, listener)


def limits_of(options: Options) -> Limits:
    """Reads the limits; a ValueError names the flag that is no positive number."""
    names = ("max_duration_s", "max_samples", "max_decode_s")
    values = {name: getattr(options, name) for name in names}
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"--{name}={value:g}: it must be a positive number")
    return Limits(*values.values())


def names_of(options: Options) -> frozenset[str]:
    """Reads the names of a proxy; a ValueError shows one that is none."""
    names = [one.strip().lower() for one in options.names.split(",") if one.strip()]
    for name in names:
        if not re.fullmatch(r"[a-z0-9_][a-z0-9._-]*", name):
            raise ValueError(
                f"--names={options.names}: {name!r} is not the name of a machine; give "
                "names such as music.example.org, without http:// and port"
            )
    return frozenset(names)


@contextmanager
def built_app(
    options: Options, limits: Limits, folder: Path, names: frozenset[str]
) -> Iterator["ASGIApp"]:
    """Reads and compiles the network, and puts the page before it."""
    from msd_tagger.tagging.server.app import create_app

    tagger = load_tagger(options)
    bundle = tagger.bundle
    recipe, host = bundle.recipe, options.host
    with decoders(recipe, limits) as reading, in_turn(tagger) as tag:
        # Compiles, so that the first visitor does not wait.
        tagger.scores(np.zeros((1, *recipe.shape), np.float16))
        files = page_files(bundle, limits)
        yield create_app(reading.read, tag, files, limits, folder, host, names)


def decoders(recipe: Recipe, limits: Limits) -> Decoders:
    """Starts the processes that read songs: some can be ended while others go on."""
    read = partial(
        excerpts,
        recipe=recipe,
        max_duration_s=limits.duration_s,
        max_samples=limits.samples,
    )
    # Two at least: then one visitor cannot keep all others waiting.
    count = min(max(2, available_cores()), limits.songs)
    # What the first spectrogram imports takes 2 s, and on a busy machine a minute.
    silence = np.zeros(recipe.num_samples, np.float32)
    return Decoders(read, count, limits.decode_s, partial(spectrogram, silence, recipe))


@contextmanager
def in_turn(
    tagger: Tagger,
) -> Iterator[Callable[[Excerpts], Awaitable[dict[str, Any]]]]:
    """Gives how to tag what was read, in a thread in which songs take turns."""

    def compute(heard: Excerpts) -> dict[str, Any]:
        return answer(tagger.bundle, heard, tagger.scores(heard.spectrograms))

    async def tag(heard: Excerpts) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, compute, heard)

    thread = ThreadPoolExecutor(1, "network")
    try:
        yield tag
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
