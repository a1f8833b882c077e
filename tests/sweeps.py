"""Builds a study's folder with points of chosen skill, without any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import metrics
from studies.records import SweepRecord, read_sweep_record
from tests import records

SEEDS = 6  # Of the points of Figs 5 and 7; a pair of two seeds says little.
SIZES = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
TAGS = ("rock", "female vocalists", "male vocalists", "instrumental", "guitar", "sad")
SETTINGS = {
    "spectrogram": {
        "kind": "mel",
        "sample_rate_hz": 12_000,
        "dft_size_samples": 512,
        "num_mel_bands": 96,
    },
    "preprocessing": {
        "magnitude": "db",
        "frequency_weighting": "bypass",
        "scale": 1.0,
    },
    "train": {
        "fraction": 1.0,
        "labels": "weak",
        "drop_positives": 0.0,
        "flip_labels": 0.0,
        "label_noise": "",
    },
}


def write_sweep(
    workdir: Path,
    points: dict[str, dict[str, Any]],
    missing: tuple[str, ...] = (),
    **shared: Any,
) -> SweepRecord:
    """Writes a study and reads it.

    Args:
        workdir: created if missing.
        points: from a name to the arguments of `write_point`.
        missing: names of points that were asked for and are not there.
        **shared: arguments of every point.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    sweep = [[name, {}] for name in (*points, *missing)]
    records.write_json(workdir / "config.json", {"task": "paper", "sweep": sweep})
    records.write_json(workdir / "environment.json", records.make_environment())
    for name, changes in points.items():
        write_point(workdir / "points" / name, **{**shared, **changes})
    return read_sweep_record(workdir)


def write_point(
    workdir: Path,
    skill: float = 1.0,
    num_seeds: int = 2,
    num_clips: int = 160,
    tags: tuple[str, ...] = TAGS,
    with_truth: bool = True,
    noise_seed: int = 0,
    jitter: float = 0.05,
    own_noise: float = 0.6,
    clips_per_s: float | None = 40.0,
    first_layer: dict[str, np.ndarray] | None = None,
    missing: tuple[float, ...] | None = None,
    **settings: Any,
) -> None:
    """Writes a point whose scores are `skill` times the truth plus noise.

    Every point has the same clips and labels, and noise of its own by `noise_seed`;
    seeds differ by `jitter` in skill. `missing` are rates of the labels that it learnt
    from. `settings` are kind, fraction, magnitude, frequency_weighting and scale, and
    the keys of label noise.
    """
    workdir.mkdir(parents=True)
    config = make_point_config(num_seeds, **settings)
    rng = np.random.default_rng(0)
    truth = (rng.random((num_clips, len(tags))) < 0.4).astype(np.uint8)
    weak = truth & (rng.random(truth.shape) < 0.7)
    noise = rng.normal(size=truth.shape)
    own = np.random.default_rng(noise_seed + 1)
    skills = skill + jitter * own.normal(size=(num_seeds, 1, 1))
    # Of the noise 0.8 is the clip's, the same for every point, and 0.6 the point's own.
    mixed = 0.8 * noise + own_noise * own.normal(size=(num_seeds, *truth.shape))
    scores = skills * truth + mixed
    scores = scores.astype(np.float32)
    known = truth if with_truth else None
    found = metrics.score_all(weak, scores, known)
    clips = max(1, round(600 * config["train"]["fraction"]))
    summary = {
        "complete": True,
        "corpus": records.SYNTHETIC | {"train_clips_used": clips},
        "tags": list(tags),
        "num_seeds": num_seeds,
        "steps": 100,
        "best_step": [100] * num_seeds,
        "train_seconds": 60.0,
        "parameters": 39_282,
        "batch_size": 8,
        "clips_per_s": clips_per_s,
        "scores": {"test": found, "valid": found},
        "baseline": None,
    }
    if missing is not None:
        rates = {"missing": list(missing), "false": [0.01] * len(tags)}
        summary["label_noise"] = {"found": rates, "corrected": None}
    records.write_json(workdir / "config.json", config)
    records.write_json(workdir / "environment.json", records.make_environment())
    records.write_json(workdir / "summary.json", summary)
    (workdir / "metrics.jsonl").write_text("")
    ids = np.array([f"clip-{row:05d}" for row in range(num_clips)])
    truth_array = {"true_tags": truth} if with_truth else {}
    predictions = {"track_id": ids, "tags": weak, "scores": scores} | truth_array
    np.savez(workdir / "predictions_test.npz", **predictions)
    if first_layer is not None:
        of_seeds = {name: array[:num_seeds] for name, array in first_layer.items()}
        np.savez(workdir / "first_layer.npz", **of_seeds)


def make_point_config(num_seeds: int, **settings: Any) -> dict[str, Any]:
    """Returns a point's configuration with some settings changed."""
    config = {section: dict(keys) for section, keys in SETTINGS.items()}
    for key, value in settings.items():
        section = next(name for name in config if key in config[name])
        config[section][key] = value
    return config | {"seed": 0, "num_seeds": num_seeds}


def size_points(kinds: tuple[str, ...] = ("mel", "stft")) -> dict[str, dict[str, Any]]:
    """Points of Fig. 5: skill rises with the logarithm of the size."""
    return {
        f"size-{kind}-{round(100 * share):03d}": {
            "kind": kind,
            "fraction": share,
            "skill": 1.5 + 0.2 * np.log2(share),
            "noise_seed": 100 * row + (kind == "stft"),
            "num_seeds": SEEDS,
            "clips_per_s": 40.0 if kind == "mel" else 16.0,
        }
        for kind in kinds
        for row, share in enumerate(SIZES)
    }


def grid_points(gap: float = 0.5) -> dict[str, dict[str, Any]]:
    """Points of Fig. 7: dB ahead of linear by `gap` in skill, nothing else matters."""
    points = {
        f"pre-{magnitude}-{weighting}-x{scale}": {
            "magnitude": magnitude,
            "frequency_weighting": weighting,
            "scale": float(scale),
        }
        for magnitude in ("db", "linear")
        for weighting in ("per_frequency", "a_weighting", "bypass")
        for scale in (1, 10)
    }
    points |= {
        f"pre-stft-{magnitude}": {"kind": "stft", "magnitude": magnitude}
        for magnitude in ("db", "linear")
    }
    for row, point in enumerate(points.values()):
        skill = 1.5 - gap * (point["magnitude"] == "linear")
        bias = np.zeros((SEEDS, 4))
        beta = np.full((SEEDS, 4), 0.2 * point.get("scale", 1.0))
        layer = {"bias": bias, "beta": beta}
        point |= {"skill": skill, "noise_seed": row, "first_layer": layer}
        point["num_seeds"] = SEEDS
    return points
