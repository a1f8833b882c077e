"""Fits the weak-label model to the real labels, or checks how far the two agree.

    MSD_TAGGER_REFERENCE=<directory with msd/> python -m scripts.weak_labels fit
    MSD_TAGGER_REFERENCE=<directory with msd/> python -m scripts.weak_labels check

To fit is needed whenever styles, attributes or tag rules change: tau_j is multiplied by
(real share / simulated weak share) twelve times, on the same 500,000 virtual clips, and
the table of the model is written anew. To check is to calibrate: the generator was
adjusted with these numbers in view.
"""

import os
import sys
from pathlib import Path

import numpy as np

from input_pipeline.corpora.synthetic import label_only, weak_labels
from input_pipeline.corpora.synthetic.attributes import draw_attributes
from input_pipeline.corpora.synthetic.tag_rules import true_tags
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.paper import TABLE_1
from msd_tagger.common.tags import TAGS
from studies import tag_pairs

# The rarest tag, happy, then has 1,500 weak positives: its share is known to 3 %.
FITTED_CLIPS, CHECKED_CLIPS = 500_000, 200_000
NUM_ROUNDS = 12
FITTING_SEED, CHECKING_SEED = 20_170_601, 1
PAIRS = (
    ("alternative rock", "rock"),
    ("alternative rock", "alternative"),
    ("female vocalist", "female vocalists"),
    ("60s", "oldies"),
    ("catchy", "pop"),
    ("sad", "beautiful"),
    ("Mellow", "acoustic"),
)


def fit(real: np.ndarray) -> None:
    """Writes constants whose weak shares equal those of the real labels."""
    real_shares, clips = real.mean(axis=0), np.arange(FITTED_CLIPS)
    true = true_tags(draw_attributes(FITTING_SEED, clips))
    shares = true.mean(axis=0)
    tagabilities = real_shares / shares
    for fitting_round in range(NUM_ROUNDS):
        listeners = weak_labels.Listeners(real_shares, shares, tagabilities)
        weak = weak_labels.weak_tags(true, FITTING_SEED, clips, 1.0, listeners)
        error = np.abs(weak.mean(axis=0) / real_shares - 1).max()
        print(f"round {fitting_round + 1}: largest relative error {error:.4f}")
        tagabilities = tagabilities * real_shares / weak.mean(axis=0)
    columns = zip(TAGS, real_shares, shares, tagabilities, strict=True)
    rows = [(tag, *(f"{value:.6g}" for value in values)) for tag, *values in columns]
    header = ("tag", "real_share", "true_share", "tagability")
    write_csv(weak_labels.CONSTANTS_PATH, [header, *rows])
    print(f"wrote {weak_labels.CONSTANTS_PATH}")


def check(real: np.ndarray) -> None:
    """Prints how far simulated labels agree with the real ones and with Table I."""
    true, weak = label_only(CHECKED_CLIPS, CHECKING_SEED)
    fewer = label_only(20_000, CHECKING_SEED, 0.5)[1]
    simulated = {"simulated": weak, "real": real, "simulated, exponent 0.5": fewer}
    for name, labels in simulated.items():
        counts = labels.sum(axis=1).astype(int)
        parts = (np.bincount(counts, minlength=6)[1:6] / len(labels)).round(3)
        print(f"{name}: {counts.mean():.2f} tags a clip; 1 to 5 tags: {parts}")
    counts = map(tag_pairs.count_together, (weak, real))
    ours, theirs = map(tag_pairs.normalise, counts)
    pairs = ~np.eye(len(TAGS), dtype=bool)
    correlation = np.corrcoef(ours[pairs], theirs[pairs])[0, 1]
    print(f"correlation of {pairs.sum()} C(i, j) with the real ones: {correlation:.3f}")
    for first, second in PAIRS:
        at = TAGS.index(first), TAGS.index(second)
        print(f"  {first} -> {second}: {ours[at]:.2f}, real {theirs[at]:.2f}")
    print("error rates of positive and of negative labels:")
    for tag, row in TABLE_1.items():
        column = TAGS.index(tag)
        holds, given = true[:, column] == 1, weak[:, column] == 1
        errors = 100 * (1 - holds[given].mean()), 100 * holds[~given].mean()
        print(
            f"  {tag}: {errors[0]:.1f} % and {errors[1]:.1f} %, "
            f"Table I {100 * row.error_positive:.0f} % and "
            f"{100 * row.error_negative:.0f} %"
        )


def main() -> None:
    """Fits to the published validation and test labels, or compares with them."""
    reference = os.environ.get("MSD_TAGGER_REFERENCE")
    tasks = {"fit": fit, "check": check}
    if not reference or len(sys.argv) != 2 or sys.argv[1] not in tasks:
        raise SystemExit(__doc__)
    paths = [Path(reference, "msd", f"{split}_y.npy") for split in ("valid", "test")]
    tasks[sys.argv[1]](np.concatenate([np.load(path) for path in paths]))


if __name__ == "__main__":
    main()
