"""Fit the weak-label model to the real labels and write its table.

    MSD_TAGGER_REFERENCE=<directory with msd/> python -m scripts.fit_weak_labels

Needed whenever styles, attributes or tag rules change: tau_j is multiplied by (real
share / simulated weak share) twelve times, on the same 500,000 virtual clips.
"""

import csv
import os
from pathlib import Path

import numpy as np

from input_pipeline.corpora.synthetic import weak_labels
from input_pipeline.corpora.synthetic.attributes import draw_attributes
from input_pipeline.corpora.synthetic.tag_rules import true_tags
from msd_tagger.common.facts import TAGS

# The rarest tag, happy, then has 1,500 weak positives: its share is known to 3 %.
NUM_CLIPS = 500_000
NUM_ROUNDS = 12
SEED = 20_170_601


def read_real_labels(directory: Path) -> np.ndarray:
    """Return the published validation and test labels, bool [41174, K]."""
    paths = [directory / "msd" / f"{split}_y.npy" for split in ("valid", "test")]
    return np.concatenate([np.load(path) for path in paths])


def fit(real_shares: np.ndarray) -> weak_labels.Listeners:
    """Return constants whose weak shares equal the real ones.

    Args:
        real_shares: m_j, float [K].
    """
    clips = np.arange(NUM_CLIPS)
    true = true_tags(draw_attributes(SEED, clips))
    shares = true.mean(axis=0)
    tagabilities = real_shares / shares
    for fitting_round in range(NUM_ROUNDS):
        listeners = weak_labels.Listeners(real_shares, shares, tagabilities)
        weak = weak_labels.weak_tags(true, SEED, clips, 1.0, listeners)
        error = np.abs(weak.mean(axis=0) / real_shares - 1).max()
        print(f"round {fitting_round + 1}: largest relative error {error:.4f}")
        tagabilities = tagabilities * real_shares / weak.mean(axis=0)
    return weak_labels.Listeners(real_shares, shares, tagabilities)


def write(listeners: weak_labels.Listeners) -> None:
    """Write the table that `weak_labels.read_listeners` reads."""
    columns = (listeners.real_shares, listeners.true_shares, listeners.tagabilities)
    with weak_labels.CONSTANTS_PATH.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag", "real_share", "true_share", "tagability"))
        for tag, *values in zip(TAGS, *columns, strict=True):
            writer.writerow((tag, *(f"{value:.6g}" for value in values)))


def main() -> None:
    """Fit and write."""
    reference = os.environ.get("MSD_TAGGER_REFERENCE")
    if not reference:
        raise SystemExit("Set MSD_TAGGER_REFERENCE to the directory that holds msd/.")
    labels = read_real_labels(Path(reference))
    write(fit(labels.mean(axis=0)))
    print(f"wrote {weak_labels.CONSTANTS_PATH}")


if __name__ == "__main__":
    main()
