"""What a finished run leaves: scores, predictions, weights, statistics."""

from pathlib import Path

import jax
import numpy as np

from msd_tagger.bundle.thresholds import choose
from msd_tagger.common import metrics
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import read_json, write_json, write_npz
from msd_tagger.common.record import peak_memory_bytes
from msd_tagger.training import parallel
from msd_tagger.training.input_statistics import write_input_statistics
from msd_tagger.training.loop import evaluate_split, is_finished
from msd_tagger.training.run_bundle import write_run_bundle
from msd_tagger.training.setup import Data, Run


def predict(run: Run) -> dict[str, np.ndarray]:
    """Scores `[S, N, K]` of the best weights on each split that is scored."""
    weights = parallel.place(run.state.best, run.layout)
    return {
        split: evaluate_split(run, weights, split)["scores"]
        for split in ("valid", "test")
    }


def write_results(
    run: Run,
    workdir: Path,
    predictions: dict[str, np.ndarray],
    baseline: dict | None,
) -> dict:
    """Writes everything of a run but configuration and metrics.

    Args:
        run: Trained or restored.
        workdir: The run's folder.
        predictions: As `predict` gives them.
        baseline: Scores of the linear baseline, if it was computed.

    Returns:
        The summary, as written.
    """
    data = run.data
    corpus = {
        **data.corpus,
        "counts": {split: data.num_clips(split) for split in SPLITS},
        "train_clips_used": run.schedule.num_clips,
    }
    scores = {
        split: _write_predictions(data, split, found, workdir)
        for split, found in predictions.items()
    }
    tags = data.labels("valid")["tags"]
    thresholds = choose(tags, predictions["valid"], "valid")
    write_run_bundle(run, workdir, scores, thresholds, corpus)
    _write_weights(run, workdir)
    _write_label_stats(run, workdir)
    write_input_statistics(run.config, data, workdir / "input_stats.npz")
    summary = {
        "complete": is_finished(run),
        "corpus": corpus,
        "tags": list(data.tags),
        "num_seeds": run.layout.num_seeds,
        "seeds": run.seeds,
        "failed_seeds": [failure._asdict() for failure in run.failures],
        "parameters": num_parameters(run),
        "batch_size": run.schedule.batch_size,
        "steps": int(run.state.step[0]),
        "epochs": run.schedule.epoch(int(run.state.step[0])),
        "best_step": run.state.best_step,
        "train_seconds": run.seconds,
        "clips_per_s": run.clips_per_s,
        "peak_memory_bytes": peak_memory_bytes(),
        "device_peak_memory_bytes": parallel.peak_memory_bytes(run.layout),
        "scores": scores,
        "baseline": baseline,
    }
    write_json(workdir / "summary.json", summary)
    return summary


def read_summary(workdir: Path) -> dict:
    """The summary of a run.

    It is "complete" unless it was written by an evaluation half way.

    Raises:
        ValueError: It cannot be read.
    """
    return read_json(workdir / "summary.json")


def num_parameters(run: Run) -> int:
    """Trainable parameters of one seed."""
    leaves = jax.tree.leaves(run.state.best.params)
    return sum(leaf.size for leaf in leaves) // run.layout.num_seeds


def _write_predictions(
    data: Data, split: str, scores: np.ndarray, workdir: Path
) -> dict:
    labels = data.labels(split)
    truth = labels["true_tags"]
    arrays = {} if truth is None else {"true_tags": truth}
    write_npz(
        workdir / f"predictions_{split}.npz",
        track_id=np.asarray(labels["track_id"]),
        tags=labels["tags"],
        scores=scores,
        tag_names=np.array(data.tags),
        **arrays,
    )
    return metrics.score_all(labels["tags"], scores, truth)


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
