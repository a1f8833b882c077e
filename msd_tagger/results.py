"""What a finished run leaves: scores, predictions, weights, statistics."""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from msd_tagger import metrics, parallel
from msd_tagger import preprocessing as pre
from msd_tagger.build import Run
from msd_tagger.record import peak_memory_bytes, read_json, write_json, write_npz
from msd_tagger.train import evaluate_split, is_finished

SPLITS = ("train", "valid", "test")

# Clips and bins of the input's statistics (the paper's Figs 6 and 8 take 200 clips).
INPUT_CLIPS = 200
INPUT_SEED = 2_000_003
HISTOGRAM_EDGES = np.linspace(-5, 15, 401)


def write_results(run: Run, workdir: Path, baseline: dict | None) -> dict:
    """Scores the best weights and writes everything but configuration and metrics.

    Args:
        run: Trained or restored.
        workdir: The run's folder.
        baseline: Scores of the linear baseline, if it was computed.

    Returns:
        The summary, as written.
    """
    data = run.data
    scores = {split: _predict(run, split, workdir) for split in ("valid", "test")}
    _write_weights(run, workdir)
    _write_label_stats(run, workdir)
    _write_input_stats(run, workdir)
    summary = {
        "complete": is_finished(run),
        "corpus": {
            **data.corpus,
            "counts": {split: data.num_clips(split) for split in SPLITS},
            "train_clips_used": run.schedule.num_clips,
        },
        "tags": list(data.tags),
        "num_seeds": run.layout.num_seeds,
        "parameters": num_parameters(run),
        "batch_size": run.schedule.batch_size,
        "steps": int(run.state.step[0]),
        "epochs": run.schedule.epoch(int(run.state.step[0])),
        "best_step": run.state.best_step,
        "train_seconds": run.seconds,
        "clips_per_s": run.clips_per_s,
        "peak_memory_bytes": peak_memory_bytes(),
        "scores": scores,
        "baseline": baseline,
    }
    write_json(workdir / "summary.json", summary)
    return summary


def read_summary(workdir: Path) -> dict | None:
    """The summary of a run, None where there is none.

    It is "complete" unless it was written by an evaluation half way.

    Raises:
        ValueError: It cannot be read.
    """
    path = workdir / "summary.json"
    return read_json(path) if path.exists() else None


def num_parameters(run: Run) -> int:
    """Trainable parameters of one seed."""
    leaves = jax.tree.leaves(run.state.best.params)
    return sum(leaf.size for leaf in leaves) // run.layout.num_seeds


def _predict(run: Run, split: str, workdir: Path) -> dict:
    data = run.data
    weights = parallel.place(run.state.best, run.layout)
    found = evaluate_split(run, weights, split)
    labels = data.labels(split)
    truth = labels["true_tags"]
    arrays = {} if truth is None else {"true_tags": truth}
    write_npz(
        workdir / f"predictions_{split}.npz",
        track_id=np.asarray(labels["track_id"]),
        tags=labels["tags"],
        scores=found["scores"],
        tag_names=np.array(data.tags),
        **arrays,
    )
    return metrics.score_all(labels["tags"], found["scores"], truth)


def _write_weights(run: Run, workdir: Path) -> None:
    params = run.state.best.params
    write_npz(
        workdir / "label_vectors.npz",
        kernel=params["tags"]["kernel"],
        bias=params["tags"]["bias"],
        tag_names=np.array(run.data.tags),
    )
    write_npz(
        workdir / "first_layer.npz",
        kernel=params["conv1_kernel"],
        bias=params["conv1_bias"],
        gamma=params["norm1"]["scale"],
        beta=params["norm1"]["bias"],
    )


def _write_label_stats(run: Run, workdir: Path) -> None:
    """Counts and co-occurrence per split; of training, of the clips trained on."""
    data, arrays = run.data, {}
    shares = {"train": run.config.train.fraction, "valid": 1.0, "test": 1.0}
    for split, share in shares.items():
        tags = data.labels(split, share)["tags"].astype(np.int64)
        arrays[f"{split}_counts"] = tags.sum(0)
        arrays[f"{split}_co_occurrence"] = tags.T @ tags
        arrays[f"{split}_num_clips"] = np.array(len(tags))
    write_npz(workdir / "label_stats.npz", tag_names=np.array(data.tags), **arrays)


def _write_input_stats(run: Run, workdir: Path) -> None:
    """Histograms of standardised bins, and the mean of each band per weighting."""
    config, data = run.config, run.data
    size = run.schedule.batch_size
    count = -(-min(INPUT_CLIPS, run.schedule.num_clips) // size)
    batches = data.train_batches(size, INPUT_SEED, 0, config.train.fraction)
    clips = [batch["spectrogram"] for batch in islice(batches, count)]
    arrays = {"histogram_edges": HISTOGRAM_EDGES, "num_clips": np.array(count * size)}
    for kind in pre.MAGNITUDES:
        settings = pre.Preprocessing(kind, "bypass", True, 1.0)
        arrays[f"histogram_{kind}"] = _mean(clips, run, settings, _histogram)
    for weighting in ("bypass", "a_weighting", "per_frequency"):
        settings = pre.Preprocessing(
            config.preprocessing.magnitude, weighting, True, 1.0
        )
        arrays[f"band_mean_{weighting}"] = _mean(clips, run, settings, _band_mean)
    write_npz(
        workdir / "input_stats.npz",
        band_centres_hz=data.recipe.band_centres_hz(),
        **arrays,
    )


def _mean(
    clips: list[np.ndarray],
    run: Run,
    settings: pre.Preprocessing,
    reduce: Callable[[jax.Array], jax.Array],
) -> np.ndarray:
    """Mean over batches of what `reduce` makes of a preprocessed one."""
    preprocess = partial(pre.apply, preprocessing=settings, bands=run.model.bands)
    step = jax.jit(lambda batch: reduce(preprocess(batch)))
    return np.mean([np.asarray(step(batch)) for batch in clips], axis=0)


def _histogram(x: jax.Array) -> jax.Array:
    """Share of all bins per interval; the outermost ones take what lies beyond."""
    inner = jnp.asarray(HISTOGRAM_EDGES[1:-1])
    at = jnp.searchsorted(inner, x.ravel(), side="right")
    return jnp.bincount(at, length=len(HISTOGRAM_EDGES) - 1) / x.size


def _band_mean(x: jax.Array) -> jax.Array:
    return x.mean((0, 2))
