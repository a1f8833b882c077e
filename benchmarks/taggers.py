"""Audio files to tags as a contestant: this project's own `tag_files`."""

import time
from pathlib import Path
from typing import Any

from msd_tagger import platform as platform_


class Tagging:
    """Tags of a folder's files, again and again.

    Args:
        weights: File that `ours.Training.write_weights` wrote.
        folder: Of audio files.
        platform: "cpu", "gpu", "tpu" or "" for JAX's own choice.
    """

    def __init__(self, weights: str, folder: str, platform: str = "") -> None:
        platform_.set_up(platform)
        platform_.import_numpy()  # As main.py does.
        from msd_tagger.tagging.tagger import Tagger

        self._tagger = Tagger(make_bundle(weights))
        self._files = sorted(Path(folder).glob("*.mp3"))

    def prepare(self) -> dict[str, Any]:
        """Compiles, and tags one file; "values" are its scores."""
        scores = self._tag(self._files[:1])[0].scores
        return {"values": scores[0, 0].tolist()}

    def run(self, seconds: float) -> dict[str, float]:
        """Whole passes over the files; units are files."""
        return repeat(lambda: len(self._tag(self._files)), seconds)

    def _tag(self, files: list[Path]) -> list:
        from msd_tagger.tagging.songs import tag_files

        return list(tag_files(self._tagger, files))


def repeat(one_pass: Any, seconds: float) -> dict[str, float]:
    """Passes until some seconds are over, one at least."""
    started, units = time.perf_counter(), 0
    while not units or time.perf_counter() - started < seconds:
        units += one_pass()
    return {"units": units, "seconds": time.perf_counter() - started}


def make_bundle(weights: str) -> Any:
    """The default network with the given weights, a `bundle.Bundle`."""
    import numpy as np

    from benchmarks import problem
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.network import preprocessing
    from msd_tagger.network.model import Weights
    from msd_tagger.network.pools import POOLS

    tree = _read(weights)
    bands = np.zeros(problem.BANDS, np.float32)
    return Bundle(
        tags=tuple(f"tag {k}" for k in range(problem.TAGS)),
        recipe=Recipe("mel"),
        preprocessing=preprocessing.Preprocessing(),
        network={
            "channels": 32,
            "pools": POOLS["mel"],
            "epsilon": problem.EPSILON,
            "dtype": "float32",
        },
        bands=preprocessing.BandStatistics(bands, bands, bands + 1),
        weights=Weights(tree["params"], tree["batch_stats"]),
        seeds=(0,),
        batch_statistics=False,
        thresholds=None,
        scores={},
        provenance={"source": "benchmark"},
    )


def _read(weights: str) -> dict[str, Any]:
    """Arrays `[1, …]` as nested dictionaries."""
    import numpy as np
    from flax.traverse_util import unflatten_dict

    with np.load(weights) as stored:
        flat = {name: stored[name][None] for name in stored.files}
    return unflatten_dict(flat, sep="/")


class Bundles:
    """Writes bundles in a process of its own: the benchmark never imports JAX."""

    def __init__(self) -> None:
        platform_.set_up("cpu")

    def write(self, weights: str, directory: str) -> None:
        """Writes `make_bundle` to a folder, for the command line."""
        from msd_tagger.bundle.format import write_bundle

        write_bundle(Path(directory), make_bundle(weights))
