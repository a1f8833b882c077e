"""`serve`: a page in the browser on which to try a bundle."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msd_tagger.commands.command_line import Options
from msd_tagger.commands.tag import load_tagger
from msd_tagger.common.messages import quiet_decoders
from msd_tagger.tagging.server.answers import answer, page_files
from msd_tagger.tagging.server.limits import Limits
from msd_tagger.tagging.songs import Excerpts, excerpts
from msd_tagger.tagging.tagger import Tagger

if TYPE_CHECKING:
    from starlette.types import ASGIApp

logger = logging.getLogger(__name__)


def serve(options: Options) -> None:
    """Serves the page until Ctrl-C."""
    check_packages()
    from msd_tagger.tagging.server import run

    if not 0 < options.max_duration_s < math.inf:
        raise ValueError(
            f"--max_duration_s={options.max_duration_s:g}: it must be a positive number"
        )
    limits = Limits(duration_s=options.max_duration_s)
    with run.take_port(options.host, options.port) as listener:
        app = build_app(options, limits)
        if not run.is_private(listener):
            logger.warning(
                "--host=%s: whoever reaches this address can use the page; there is no "
                "password and no encryption",
                options.host,
            )
        address = run.address_of(listener, options.host)
        print(f"Open {address} in a browser; Ctrl-C ends.", flush=True)
        with quiet_decoders():
            run.serve(app, listener)


def check_packages() -> None:
    """Raises a ValueError that says what to install where packages are missing."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"serve needs {error.name}, which is not installed. In the repository: "
            'pip install -e ".[serve]"'
        ) from error


def build_app(options: Options, limits: Limits) -> "ASGIApp":
    """Reads and compiles the network, and puts the page before it."""
    from msd_tagger.tagging.server.app import create_app

    tagger = load_tagger(options)
    bundle = tagger.bundle
    # Compiles, so that the first visitor does not wait.
    tagger.scores(np.zeros((1, *bundle.recipe.shape), np.float16))
    files = page_files(bundle, limits)
    return create_app(*parts_of(tagger, limits), files, limits, options.host)


def parts_of(
    tagger: Tagger, limits: Limits
) -> tuple[Callable[[Path], Excerpts], Callable[[Excerpts], dict[str, Any]]]:
    """Returns how to read a song, and how to tag what was read."""

    def read(path: Path) -> Excerpts:
        return excerpts(path, tagger.bundle.recipe, limits.duration_s)

    def tag(heard: Excerpts) -> dict[str, Any]:
        return answer(tagger.bundle, heard, tagger.scores(heard.spectrograms))

    return read, tag
