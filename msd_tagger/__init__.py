"""The music-tagging ConvNet in JAX: a trained network and what it needs to be used.

    from msd_tagger import Song, load_bundle, rank, tag_files

    tagger = load_bundle("my-bundle")
    for one in tag_files(tagger, ["song.mp3", "folder"]):
        print(rank(one, tagger.bundle)[:5] if isinstance(one, Song) else one.reason)

`tag_files` gives a `Song` for every file, with scores `[S, E, K]` of S seeds, E
excerpts and K tags, or a `Failure` with the reason; `embed_files` an `Embedding` with
features `[S, E, L, C]` of L layers. `tag_samples` and `embed_samples` do the same with
sound that is in memory: `tag_samples(tagger, samples, 44_100)`. `rank` lists a song's
tags, highest score first.

Importing this module alone is cheap: JAX is set up and imported with the first name
that is taken from it.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msd_tagger.tagging.songs import (
        Embedding,
        Failure,
        Song,
        TagScore,
        embed_files,
        embed_samples,
        rank,
        tag_files,
        tag_samples,
    )
    from msd_tagger.tagging.tagger import Tagger, load_bundle

__all__ = [
    "Embedding",
    "Failure",
    "Song",
    "TagScore",
    "Tagger",
    "embed_files",
    "embed_samples",
    "load_bundle",
    "rank",
    "tag_files",
    "tag_samples",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from msd_tagger import platform

    if "numpy" not in sys.modules:
        platform.import_numpy()
    if "jax" not in sys.modules:
        platform.set_up()
    from msd_tagger.tagging import songs, tagger

    return getattr(tagger if name in ("Tagger", "load_bundle") else songs, name)
