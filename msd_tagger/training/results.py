"""What a finished run leaves: scores, predictions, weights, statistics, its bundle."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from msd_tagger.bundle.format import Bundle, fields_of, write_bundle
from msd_tagger.bundle.thresholds import Thresholds, choose
from msd_tagger.common import metrics
from msd_tagger.common.facts import LABELS, SPLITS
from msd_tagger.common.files import write_json, write_npz
from msd_tagger.common.processes import peak_memory_bytes
from msd_tagger.common.provenance import origin
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.own import LAST, has_last_layer
from msd_tagger.training import parallel
from msd_tagger.training.evaluation import evaluate_split, write_predictions
from msd_tagger.training.input_statistics import write_input_statistics
from msd_tagger.training.loop import Trained


def predict(trained: Trained) -> dict[str, np.ndarray]:
    """Computes scores `[S, N, K]` of the best weights on each split that is scored."""
    setup = trained.setup
    weights = parallel.to_devices(trained.state.best, setup.layout)
    return {
        split: evaluate_split(setup, weights, split)["scores"]
        for split in ("valid", "test")
    }


def write_results(
    trained: Trained,
    workdir: Path,
    predictions: dict[str, np.ndarray],
    baseline: dict[str, Any] | None,
) -> dict[str, Any]:
    """Writes all of a run but configuration and metrics, and returns its summary.

    That is "complete" unless an evaluation half way wrote it. Predictions are those of
    `predict`; scores of the linear baseline may be missing.
    """
    setup, state = trained.setup, trained.state
    data = setup.data
    corpus = {
        **data.corpus,
        "counts": {split: data.num_clips(split) for split in SPLITS},
        "train_clips_used": setup.schedule.num_clips,
    }
    scores = {
        split: write_predictions(workdir, split, data.labels(split), found, data.tags)
        for split, found in predictions.items()
    }
    tags = data.labels("valid")["tags"]
    thresholds = choose(tags, predictions["valid"], "valid")
    bundle = _bundle(trained, scores, thresholds, corpus)
    # The one of an earlier evaluation gives way.
    write_bundle(workdir / "bundle", bundle, overwrite=True)
    _write_weights(trained, workdir)
    _write_label_stats(trained, workdir)
    write_input_statistics(setup.config, data, workdir / "input_stats.npz")
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.best.params))
    summary = {
        "complete": trained.is_finished,
        "corpus": corpus,
        "tags": list(data.tags),
        "num_seeds": setup.layout.num_seeds,
        "seeds": trained.seeds,
        "failed_seeds": [failure._asdict() for failure in trained.failures],
        "parameters": parameters // setup.layout.num_seeds,
        "batch_size": setup.schedule.batch_size,
        "steps": int(state.step[0]),
        "epochs": setup.schedule.epoch(int(state.step[0])),
        "best_step": state.best_step,
        "train_seconds": trained.seconds,
        "clips_per_s": trained.clips_per_s,
        "peak_memory_bytes": peak_memory_bytes(),
        "device_peak_memory_bytes": parallel.peak_memory_bytes(setup.layout),
        "scores": scores,
        "baseline": baseline,
        "label_noise": setup.noise.record(),
    }
    write_json(workdir / "summary.json", summary)
    return summary


def _bundle(
    trained: Trained, scores: dict[str, Any], thresholds: Thresholds, corpus: dict
) -> Bundle:
    """Puts together the best weights and what they need to be used."""
    setup = trained.setup
    return Bundle(
        tags=tuple(setup.data.tags),
        # A network hears one excerpt at a time.
        recipe=dataclasses.replace(setup.data.recipe, excerpts_per_track=1),
        preprocessing=setup.model.preprocessing,
        network=fields_of(setup.model.network),
        bands=pre.BandStatistics(*map(np.asarray, setup.model.bands)),
        weights=jax.tree.map(np.asarray, trained.state.best),
        seeds=trained.seeds,
        batch_statistics=False,
        thresholds=thresholds,
        scores={split: _averages(of_split) for split, of_split in scores.items()},
        # No paths, as bundles are passed on.
        provenance={
            "source": "trained",
            "name": setup.config.name,
            "corpus": corpus,
            "steps": int(trained.state.step[0]),
            "best_step": trained.state.best_step,
            "labels": _of_labels(trained),
            "started_from": setup.bundle
            and {"freeze": setup.config.train.freeze, **setup.bundle.provenance},
            **origin(),
        },
    )


def _of_labels(trained: Trained) -> dict[str, Any]:
    """Says what was learnt from: which labels, noise on purpose, what was corrected."""
    setup = trained.setup
    train = setup.config.train
    found = {key: train[key] for key in ("labels", "drop_positives", "flip_labels")}
    found["class_weights"] = Path(train.class_weights).name  # Of a file, its name.
    return found | {"corrected_for": setup.noise.record()["corrected"]}


def _averages(scores: dict[str, Any]) -> dict[str, Any]:
    """Picks the named averages of a split, without the scores of single tags."""
    found, names = {"num_clips": scores["num_clips"]}, metrics.AVERAGES
    for labels in LABELS:
        of_labels = scores[labels]
        found[labels] = of_labels and {
            "per_seed": [
                {name: one[name] for name in (*names, "num_tags_scored")}
                for one in of_labels["per_seed"]
            ],
            **{name: of_labels[name] for name in ("mean", "std")},
        }
    return found


def _write_weights(trained: Trained, workdir: Path) -> None:
    params = trained.state.best.params
    if has_last_layer(params):
        write_npz(
            workdir / "label_vectors.npz",
            **params[LAST],
            tag_names=np.array(trained.setup.data.tags),
        )
    if not isinstance(trained.setup.model.network, ConvNet):
        return  # Of one's own network layers are not known.
    write_npz(
        workdir / "first_layer.npz",
        kernel=params["conv1_kernel"],
        bias=params["conv1_bias"],
        gamma=params["norm1"]["scale"],
        beta=params["norm1"]["bias"],
    )


def _write_label_stats(trained: Trained, workdir: Path) -> None:
    """Writes counts and co-occurrence per split; for training, of the clips used."""
    data, arrays = trained.setup.data, {}
    shares = {"train": trained.setup.config.train.fraction, "valid": 1.0, "test": 1.0}
    for split, share in shares.items():
        tags = data.labels(split, share)["tags"].astype(np.int64)
        arrays[f"{split}_counts"] = tags.sum(0)
        arrays[f"{split}_co_occurrence"] = tags.T @ tags
        arrays[f"{split}_num_clips"] = np.array(len(tags))
    write_npz(workdir / "label_stats.npz", tag_names=np.array(data.tags), **arrays)
