"""`import`: the weights that the paper's author published, as a bundle."""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from msd_tagger.bundle import format as bundles
from msd_tagger.bundle import published_weights
from msd_tagger.bundle.format import Bundle
from msd_tagger.bundle.published_weights import Published
from msd_tagger.commands.command_line import Options
from msd_tagger.common import files, processes
from msd_tagger.common.messages import quiet_decoders
from msd_tagger.common.provenance import origin
from msd_tagger.common.tags import TAGS
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from msd_tagger.network import preprocessing
from msd_tagger.network.model import Weights, estimate_statistics
from msd_tagger.network.pools import POOLS
from msd_tagger.tagging.songs import audio_files

logger = logging.getLogger(__name__)

# On the synthetic corpus, scores by the statistics of 512 clips are on average within
# 0.001 of those by half of them; with 16 clips they are 0.007 away, with 8 0.014.
MAX_CLIPS, MIN_CLIPS = 512, 16

# Gives float16 clips `[N, M, F]` of a folder, and what they are, in words.
ReadClips = Callable[[Path, Recipe], tuple[np.ndarray, str]]


def start(options: Options, read_shards: ReadClips | None = None) -> None:
    """Imports what the flags name; `read_shards` is given where those can be read.

    Raises:
        ValueError: The command line is wrong, or the weights cannot be had.
    """
    if bool(options.keras) == options.published:
        given = "both are given" if options.published else "neither is given"
        raise ValueError(
            "--published fetches the weights, --keras=FILE takes them from a file: "
            f"{given}, give one of them"
        )
    calibrate = Path(options.calibrate) if options.calibrate else None
    out = Path(options.out)
    if options.keras:
        return import_weights(Path(options.keras), out, calibrate, read_shards)
    files.check_unused(out)  # Before anything is fetched.
    with tempfile.TemporaryDirectory() as folder:
        keras = published_weights.fetch(Path(folder))
        return import_weights(keras, out, calibrate, read_shards)


def import_weights(
    keras: Path, out: Path, calibrate: Path | None, read_shards: ReadClips | None = None
) -> None:
    """Reads the Keras file, estimates statistics where asked to, writes the bundle.

    Without `calibrate`, a folder of audio files or prepared shards, it stays with the
    statistics of each batch, as published.
    """
    files.check_unused(out)
    published = published_weights.read_keras(keras)
    recipe = Recipe("mel")
    filters = np.asarray(recipe.mel_filters())
    shares = published_weights.compare_front_end(published, filters)
    for name, share in shares.items():
        logger.info("%s as ours, to %.1g of the largest value", name, share)
    bundle = build_bundle(published, recipe, keras)
    if calibrate is None:
        logger.warning(
            "a song's tags will depend on the songs tagged with it, as published; "
            "--calibrate=FOLDER with varied music prevents that"
        )
    else:
        bundle = calibrated(bundle, *read_clips(calibrate, recipe, read_shards))
    bundles.write_bundle(out, bundle)
    print(f"bundle: {out}")


def build_bundle(published: Published, recipe: Recipe, keras: Path) -> Bundle:
    """Builds the network as published: by the statistics and maximum of each batch."""
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
            np.asarray(recipe.a_weighting_db(), np.float32),
            np.zeros(num_bands, np.float32),
            np.ones(num_bands, np.float32),
        ),
        weights=jax.tree.map(lambda leaf: np.asarray(leaf)[None], weights),
        seeds=(0,),
        batch_statistics=True,
        thresholds=None,
        scores={},
        # No paths, as bundles are passed on.
        provenance={
            "source": published_weights.SOURCE,
            "licence": published_weights.LICENCE,
            "corpus": {"name": published_weights.CORPUS},
            "file": keras.name,
            "file_sha256": hashlib.sha256(keras.read_bytes()).hexdigest(),
            **origin(),
        },
    )


def calibrated(bundle: Bundle, clips: np.ndarray, source: str) -> Bundle:
    """Builds the same by fixed statistics: tags depend on their clip alone.

    The statistics are those of clips, float16 `[N, M, F]`; `source` says in words what
    they are.
    """
    if len(clips) < MIN_CLIPS:
        raise ValueError(
            f"--calibrate: {source} are too few to estimate batch statistics; at least "
            f"{MIN_CLIPS} varied clips, better {MAX_CLIPS}, are needed. "
            "Without --calibrate the bundle needs no clips"
        )
    logger.info("batch statistics: %s", source)
    bundle = bundle._replace(
        preprocessing=bundle.preprocessing._replace(reference="clip"),
        batch_statistics=False,
        provenance=bundle.provenance | {"batch_statistics": source},
    )
    model = bundles.build_model(bundle)
    return bundle._replace(weights=estimate_statistics(bundle.weights, model, clips))


def read_clips(
    source: Path, recipe: Recipe, read_shards: ReadClips | None = None
) -> tuple[np.ndarray, str]:
    """Reads at most `MAX_CLIPS` of a corpus, in an order that is always the same.

    Raises:
        ValueError: There is no such folder, or it cannot be read here.
    """
    if (source / "corpus.json").exists():
        if read_shards is None:
            raise ValueError(
                f"--calibrate={source} holds prepared shards, which only main.py of "
                "the repository reads (--mode=import); give a folder of audio files"
            )
        return read_shards(source, recipe)
    if not source.is_dir():
        also = ", or the folder with the corpus.json of prepared shards"
        raise ValueError(
            f"--calibrate={source} is not a folder; give a folder of audio files"
            f"{also if read_shards else ''}"
        )
    return _read_audio(source, recipe)


def _read_audio(source: Path, recipe: Recipe) -> tuple[np.ndarray, str]:
    """Reads the first seconds of each file; leaves out what it cannot read, by name."""

    def read(path: str) -> np.ndarray | None:
        try:
            return spectrogram(audio.read_clip(path, recipe), recipe)
        except audio.AudioError as error:
            logger.warning("left out: %s", error)
        return None

    found = audio_files([source])
    # In an order that is random, and always the same.
    order = np.random.default_rng(0).permutation(len(found))
    chosen = [found[row] for row in order[:MAX_CLIPS]]
    with (
        quiet_decoders(),
        ThreadPoolExecutor(processes.available_cores()) as pool,
        processes.progress_bar(len(chosen), "calibrate", "file") as bar,
    ):
        kept = []
        for clip in pool.map(read, chosen):
            bar.update()
            kept += [] if clip is None else [clip]
    clips = np.array(kept, np.float16)
    return clips, f"{len(clips)} audio files of {source.resolve().name}"
