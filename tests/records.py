"""Builds small run records, so that reports can be tested without a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import metrics

TAGS = """
rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, alternative
rock, jazz, beautiful, metal, chillout, male vocalists, classic rock, soul, indie
rock, Mellow, electronica, 80s, folk, 90s, chill, instrumental, punk, oldies, blues,
hard rock, ambient, acoustic, experimental, female vocalist, guitar, Hip-Hop, 70s,
party, country, easy listening, sexy, catchy, funk, electro, heavy metal,
Progressive rock, 60s, rnb, indie pop, sad, House, happy
"""
TAG_NAMES = [name.strip() for name in TAGS.replace("\n", " ").split(",")]


def write_record(workdir: Path, **changes: Any) -> Path:
    """Writes a complete run record with made-up numbers.

    Args:
        workdir: created if missing.
        **changes: arguments of `make_summary_and_arrays`.

    Returns:
        The working directory.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    summary, predictions = make_summary_and_arrays(**changes)
    write_json(workdir / "config.json", make_config(summary["num_seeds"]))
    write_json(workdir / "config_default.json", make_config(1, batch_size=32))
    write_json(workdir / "environment.json", make_environment())
    write_json(workdir / "summary.json", summary)
    lines = make_metrics(summary["num_seeds"])
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "metrics.jsonl").write_text(text)
    np.savez(workdir / "predictions_test.npz", **predictions)
    np.savez(workdir / "predictions_valid.npz", **first_half(predictions))
    if summary["baseline"]:
        noise = np.random.default_rng(1).normal(size=predictions["tags"].shape)
        linear = np.float32(predictions["scores"][0] + 0.3 * noise)
        np.savez(workdir / "baseline_test.npz", scores=linear)
    np.savez(workdir / "label_stats.npz", **make_label_stats(predictions))
    return workdir


def first_half(predictions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the predictions of the first half of the clips."""
    half = len(predictions["track_id"]) // 2
    names = predictions["tag_names"]
    found = {
        name: array[..., :half, :]
        for name, array in predictions.items()
        if array.ndim > 1
    }
    return found | {"track_id": predictions["track_id"][:half], "tag_names": names}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes one JSON object, refusing NaN as a reader of strict JSON would."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False), encoding="utf-8")


def make_summary_and_arrays(
    num_seeds: int = 3,
    num_clips: int = 200,
    num_tags: int = 50,
    with_truth: bool = True,
    with_baseline: bool = True,
    corpus: dict[str, Any] | None = None,
    empty_tags: tuple[int, ...] = (7,),
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns `summary.json` and the arrays of `predictions_test.npz`."""
    rng = np.random.default_rng(0)
    shares = np.geomspace(0.3, 0.03, num_tags)
    truth = (rng.random((num_clips, num_tags)) < shares * 1.6).astype(np.uint8)
    weak = truth & (rng.random(truth.shape) < 0.6)
    weak[0], weak[1] = 1, 0
    weak[:, [k for k in empty_tags if k < num_tags]] = 0
    clarity = rng.uniform(0.2, 3, num_tags)
    noise = rng.normal(size=(num_seeds + 1, num_clips, num_tags))
    scores = (1 / (1 + np.exp(-(truth * clarity + noise)))).astype(np.float32)
    known = truth if with_truth else None
    network = metrics.score_all(weak, scores[:-1], known)
    baseline = {
        "name": "logistic regression on the mean and deviation of every band",
        "C": 0.003,
        "valid_roc_auc_macro": {"0.001": 0.74, "0.003": 0.75, "0.01": 0.745},
        "scores": {"test": metrics.score_all(weak, scores[-1:], known)},
        "seconds": 4.2,
    }
    names = TAG_NAMES[:num_tags]
    summary = {
        "complete": True,
        "corpus": corpus or SYNTHETIC,
        "num_seeds": num_seeds,
        "steps": 600,
        "train_seconds": 251.3,
        "best_step": best_steps(make_metrics(num_seeds)),
        "scores": {"test": network, "valid": network},
        "baseline": baseline if with_baseline else None,
        "tags": names,
        "parameters": 39282,
        "peak_memory_bytes": 2_345_678_901,
    }
    predictions = {
        "track_id": np.array([f"clip-{i:05d}" for i in range(num_clips)]),
        "tags": weak,
        "scores": scores[:-1],
        "tag_names": np.array(names),
    } | ({"true_tags": truth} if with_truth else {})
    return summary, predictions


SYNTHETIC = {
    "name": "synthetic",
    "version": "1.0",
    "note": "Procedural music; its numbers say nothing about recorded music.",
    "counts": {"train": 600, "valid": 100, "test": 200},
}


def make_metrics(num_seeds: int, steps: int = 600) -> list[dict[str, Any]]:
    """Returns the lines of `metrics.jsonl`: a loss that falls, a score that rises."""
    rng = np.random.default_rng(1)
    lines: list[dict[str, Any]] = []
    best = np.zeros(num_seeds)
    for step in range(10, steps + 1, 10):
        level = 0.14 + 0.5 * np.exp(-step / 60)
        lines.append(
            {
                "kind": "train",
                "step": step,
                "epoch": step / 40,
                "loss": (level + 0.01 * rng.normal(size=num_seeds)).tolist(),
                "clips_per_s": 38 + rng.normal(),
                "seconds": step * 0.4,
            }
        )
        if step % 40 == 0:
            auc = 0.72 - 0.22 * np.exp(-step / 150) + 0.01 * rng.normal(size=num_seeds)
            lines.append(
                {
                    "kind": "evaluation",
                    "step": step,
                    "epoch": step // 40,
                    "split": "valid",
                    "roc_auc_macro": auc.tolist(),
                    "pr_auc_macro": (auc / 4).tolist(),
                    "loss": [level + 0.02] * num_seeds,
                    "best": (auc > best).tolist(),
                    "seconds": 1.9,
                }
            )
            best = np.maximum(auc, best)
    return lines


def best_steps(lines: list[dict[str, Any]]) -> list[int]:
    """Returns the step of each seed's best validation score."""
    evaluations = [line for line in lines if line["kind"] == "evaluation"]
    scores = np.array([line["roc_auc_macro"] for line in evaluations])
    return [evaluations[row]["step"] for row in scores.argmax(axis=0)]


def make_config(num_seeds: int, batch_size: int = 16) -> dict[str, Any]:
    """Returns a nested configuration."""
    return {
        "task": "train",
        "num_seeds": num_seeds,
        "corpus": {"name": "synthetic", "train_clips": 600, "audio_dir": None},
        "spectrogram": {"kind": "mel", "num_mel_bands": 96},
        "train": {"batch_size": batch_size, "learning_rate": 0.005},
    }


def make_environment() -> dict[str, Any]:
    """Returns what a run says about where it ran."""
    return {
        "python": "3.11.7",
        "versions": {"jax": "0.10.1", "flax": "0.12.8"},
        "device": "cpu x 1",
        "commit": "0123abc",
        "command": "main.py --config=configs/db_mel.py",
    }


def make_label_stats(predictions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns `label_stats.npz`, the test labels standing in for every split."""
    tags = predictions["tags"].astype(np.int64)
    stats = {}
    for split, times in (("train", 3), ("valid", 1), ("test", 1)):
        stats[f"{split}_counts"] = times * tags.sum(axis=0)
        stats[f"{split}_co_occurrence"] = times * (tags.T @ tags)
        stats[f"{split}_num_clips"] = np.array(times * len(tags))
    return stats
