"""The model bundle that a run leaves, with its best weights."""

from pathlib import Path

import jax
import numpy as np

from msd_tagger.bundle.format import Bundle, read_bundle, write_bundle
from msd_tagger.bundle.thresholds import Thresholds
from msd_tagger.common import metrics, record
from msd_tagger.network import preprocessing as pre
from msd_tagger.training.setup import Run


def write_run_bundle(
    run: Run, workdir: Path, scores: dict, thresholds: Thresholds, corpus: dict
) -> None:
    """Writes `<workdir>/bundle`; one from an earlier evaluation gives way.

    Args:
        run: Trained or restored.
        workdir: The run's folder.
        scores: Of each split, as `metrics.score_all` gives them.
        thresholds: Chosen on the validation split.
        corpus: What the summary says of it.
    """
    bundle = bundle_of(run, scores, thresholds, provenance(run, corpus))
    write_bundle(workdir / "bundle", bundle, replace=True)


def bundle_of(
    run: Run, scores: dict, thresholds: Thresholds | None, provenance: dict
) -> Bundle:
    """A run's best weights and what they need to be used."""
    network = run.model.network
    return Bundle(
        tags=tuple(run.data.tags),
        recipe=run.data.recipe,
        preprocessing=run.model.preprocessing,
        network={
            "channels": network.channels,
            "pools": tuple(map(tuple, network.pools)),
            "epsilon": network.epsilon,
            "dtype": np.dtype(network.dtype).name,
        },
        bands=pre.BandStatistics(*map(np.asarray, run.model.bands)),
        weights=jax.tree.map(np.asarray, run.state.best),
        seeds=run.seeds,
        batch_statistics=False,
        thresholds=thresholds,
        scores={split: averages(of_split) for split, of_split in scores.items()},
        provenance=provenance,
    )


def averages(scores: dict) -> dict:
    """The named averages of a split by kind of label, without those of single tags."""
    found = {"num_clips": scores["num_clips"]}
    for kind in ("weak", "true"):
        of_kind = scores[kind]
        found[kind] = of_kind and {
            "per_seed": [
                {name: one[name] for name in (*metrics.AVERAGES, "num_tags_scored")}
                for one in of_kind["per_seed"]
            ],
            "mean": of_kind["mean"],
            "std": of_kind["std"],
        }
    return found


def provenance(run: Run, corpus: dict) -> dict:
    """Where weights come from; no paths, as bundles are passed on."""
    return {
        "source": "trained",
        "name": run.config.name,
        "corpus": corpus,
        "steps": int(run.state.step[0]),
        "best_step": run.state.best_step,
        "started_from": started_from(run),
        **record.origin(),
    }


def started_from(run: Run) -> dict | None:
    """Where the weights come from that training started with, None for none."""
    train = run.config.train
    if not train.init_bundle:
        return None
    return {"freeze": train.freeze, **read_bundle(Path(train.init_bundle)).provenance}
