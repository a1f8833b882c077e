"""`--mode=import`: the weights that the paper's author published, as a bundle."""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modes import Options

if TYPE_CHECKING:
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.bundle.published_weights import Published
    from msd_tagger.frontend.recipe import Recipe

logger = logging.getLogger(__name__)

# On the synthetic corpus, scores by the statistics of 512 clips are on average within
# 0.001 of those by half of them; with 16 clips they are 0.007 away, with 8 0.014.
MAX_CLIPS, MIN_CLIPS = 512, 16


def start(options: Options) -> None:
    """Imports what the flags name."""
    calibrate = Path(options.calibrate) if options.calibrate else None
    import_weights(Path(options.keras), Path(options.out), calibrate)


def import_weights(keras: Path, out: Path, calibrate: Path | None) -> None:
    """Reads the Keras file, estimates statistics where asked to, writes the bundle.

    Args:
        keras: The published file.
        out: The bundle's folder, new or empty.
        calibrate: A folder of audio files, or prepared shards; None stays with the
            statistics of each batch, as published.
    """
    from msd_tagger import platform
    from msd_tagger.bundle import published_weights
    from msd_tagger.common import files
    from msd_tagger.frontend.recipe import Recipe

    platform.set_up("cpu")
    from msd_tagger.bundle import format as bundles

    files.check_unused(out)
    published = published_weights.read_keras(keras)
    recipe = Recipe("mel")
    shares = published_weights.compare_front_end(published, recipe.mel_filters())
    for name, share in shares.items():
        logger.info("%s as ours, to %.1g of the largest value", name, share)
    bundle = build_bundle(published, recipe, keras)
    if calibrate is None:
        logger.warning(
            "tags will depend on what else is tagged with a song, as published; "
            "--calibrate=FOLDER with varied music changes that"
        )
    else:
        bundle = calibrated(bundle, *read_clips(calibrate, recipe))
    bundles.write_bundle(out, bundle)
    print(f"bundle: {out}")


def build_bundle(published: Published, recipe: Recipe, keras: Path) -> Bundle:
    """The network as published: by the statistics and the maximum of each batch."""
    import jax

    from msd_tagger.bundle import published_weights
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.common.facts import TAGS
    from msd_tagger.network import preprocessing
    from msd_tagger.network.model import Weights
    from msd_tagger.network.pools import POOLS

    weights = Weights(published.params, published.batch_stats)
    num_bands = recipe.shape[0]
    return Bundle(
        tags=TAGS,
        recipe=recipe,
        preprocessing=preprocessing.Preprocessing(
            "db", "bypass", standardise_clip=False, reference="batch"
        ),
        network={
            "channels": published_weights.CHANNELS,
            "pools": POOLS["mel"],
            "epsilon": published_weights.EPSILON,
            "dtype": "float32",
        },
        bands=preprocessing.BandStatistics(
            np.float32(recipe.a_weighting_db()),
            np.zeros(num_bands, np.float32),
            np.ones(num_bands, np.float32),
        ),
        weights=jax.tree.map(lambda leaf: np.asarray(leaf)[None], weights),
        seeds=(0,),
        batch_statistics=True,
        thresholds=None,
        scores={},
        provenance=provenance(keras),
    )


def provenance(keras: Path) -> dict:
    """Where the weights come from; no paths, as bundles are passed on."""
    from msd_tagger.bundle import published_weights
    from msd_tagger.common import record

    return {
        "source": published_weights.SOURCE,
        "licence": published_weights.LICENCE,
        "corpus": {"name": published_weights.CORPUS},
        "file": keras.name,
        "file_sha256": hashlib.sha256(keras.read_bytes()).hexdigest(),
        **record.origin(),
    }


def calibrated(bundle: Bundle, clips: np.ndarray, source: str) -> Bundle:
    """The same network by fixed statistics: tags depend on their clip alone.

    Args:
        bundle: As published.
        clips: float16 `[N, M, F]`.
        source: What they are, in words.
    """
    from msd_tagger.bundle.format import build_model
    from msd_tagger.network.model import estimate_statistics

    if len(clips) < MIN_CLIPS:
        raise ValueError(
            f"--calibrate: {source} are too few to estimate batch statistics; at least "
            f"{MIN_CLIPS} varied clips, better {MAX_CLIPS}, are needed"
        )
    logger.info("batch statistics: %s", source)
    bundle = bundle._replace(
        preprocessing=bundle.preprocessing._replace(reference="clip"),
        batch_statistics=False,
        provenance=bundle.provenance | {"batch_statistics": source},
    )
    model = build_model(bundle)
    return bundle._replace(weights=estimate_statistics(bundle.weights, model, clips))


def read_clips(source: Path, recipe: Recipe) -> tuple[np.ndarray, str]:
    """Clips of a corpus, in a random order that is always the same.

    Args:
        source: A folder of audio files, or of prepared shards.
        recipe: Of the spectrograms.

    Returns:
        float16 `[N, M, F]`, at most `MAX_CLIPS`, and what they are, in words.
    """
    if (source / "corpus.json").exists():
        return _read_shards(source, recipe)
    if not source.is_dir():
        raise ValueError(
            f"--calibrate={source} is no folder; give one with audio files, or the one "
            "that holds the corpus.json of prepared shards"
        )
    return _read_audio(source, recipe)


def _read_shards(source: Path, recipe: Recipe) -> tuple[np.ndarray, str]:
    from input_pipeline.batches import open_shards

    data = open_shards(source, recipe, reader="plain")
    rows = _choose(data.num_clips("train"))
    clips = data.read("train", rows)["spectrogram"]
    return clips, f"{len(clips)} training clips of {data.corpus['name']}"


def _read_audio(source: Path, recipe: Recipe) -> tuple[np.ndarray, str]:
    """The first seconds of each file; what cannot be read is named and left out."""
    from msd_tagger.common import processes
    from msd_tagger.frontend import audio
    from msd_tagger.frontend.spectrogram import spectrogram
    from msd_tagger.tagging.songs import audio_files

    def read(path: str) -> np.ndarray | None:
        try:
            return spectrogram(audio.read_clip(path, recipe), recipe)
        except audio.AudioError as error:
            logger.warning("left out: %s", error)
        return None

    files = audio_files([source])
    chosen = [files[row] for row in _choose(len(files))]
    with (
        ThreadPoolExecutor(processes.available_cores()) as pool,
        processes.progress_bar(len(chosen), "calibrate", "file") as bar,
    ):
        found = []
        for clip in pool.map(read, chosen):
            bar.update()
            found += [] if clip is None else [clip]
    clips = np.array(found, np.float16)
    return clips, f"{len(clips)} audio files of {source.resolve().name}"


def _choose(num_clips: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(num_clips)[:MAX_CLIPS]
