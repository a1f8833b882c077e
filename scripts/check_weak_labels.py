"""Print how far the simulated labels agree with the real ones and with Table I.

    MSD_TAGGER_REFERENCE=<directory with msd/> python -m scripts.check_weak_labels

This is calibration: the generator was adjusted with these numbers in view.
"""

import os
from pathlib import Path

import numpy as np

from input_pipeline.corpora.synthetic import label_only
from msd_tagger.common.facts import TAGS
from scripts.fit_weak_labels import read_real_labels

NUM_CLIPS = 200_000
SEED = 1
# Table I, columns (a) and (b): error rates of positive and negative labels in per cent.
TABLE_1 = {
    "female vocalists": (4, 24),
    "male vocalists": (2, 64),
    "instrumental": (6, 12),
    "guitar": (2, 70),
}
PAIRS = (
    ("alternative rock", "rock"),
    ("alternative rock", "alternative"),
    ("female vocalist", "female vocalists"),
    ("60s", "oldies"),
    ("catchy", "pop"),
    ("sad", "beautiful"),
    ("Mellow", "acoustic"),
)


def co_occurrence(labels: np.ndarray) -> np.ndarray:
    """Return C(i, j), the share of clips with tag i that have tag j too, [K, K]."""
    labels = labels.astype(np.float32)
    together = (labels.T @ labels).astype(np.float64)
    return together / np.diag(together)[:, None]


def print_counts(name: str, labels: np.ndarray) -> None:
    """Print tags per clip and the shares of clips with one to five tags."""
    counts = labels.sum(axis=1).astype(int)
    shares = np.bincount(counts, minlength=6)[1:6] / len(labels)
    print(f"{name}: {counts.mean():.2f} tags a clip; 1 to 5 tags: {shares.round(3)}")


def print_co_occurrence(weak: np.ndarray, real: np.ndarray) -> None:
    """Print the correlation of all pairs and a few of them."""
    ours, theirs = co_occurrence(weak), co_occurrence(real)
    pairs = ~np.eye(len(TAGS), dtype=bool)
    correlation = np.corrcoef(ours[pairs], theirs[pairs])[0, 1]
    print(f"correlation of {pairs.sum()} C(i, j) with the real ones: {correlation:.3f}")
    for first, second in PAIRS:
        i, j = TAGS.index(first), TAGS.index(second)
        print(f"  {first} -> {second}: {ours[i, j]:.2f}, real {theirs[i, j]:.2f}")


def print_table_1(true: np.ndarray, weak: np.ndarray) -> None:
    """Print the error rates of positive and negative labels beside the paper's."""
    for tag, (positive, negative) in TABLE_1.items():
        column = TAGS.index(tag)
        holds, given = true[:, column] == 1, weak[:, column] == 1
        errors = 100 * (1 - holds[given].mean()), 100 * holds[~given].mean()
        print(
            f"  {tag}: {errors[0]:.1f} % and {errors[1]:.1f} %, "
            f"Table I {positive} % and {negative} %"
        )


def main() -> None:
    """Print everything."""
    reference = os.environ.get("MSD_TAGGER_REFERENCE")
    if not reference:
        raise SystemExit("Set MSD_TAGGER_REFERENCE to the directory that holds msd/.")
    real = read_real_labels(Path(reference))
    true, weak = label_only(NUM_CLIPS, SEED)
    print_counts("simulated", weak)
    print_counts("real", real)
    print_counts("simulated, exponent 0.5", label_only(20_000, SEED, 0.5)[1])
    print_co_occurrence(weak, real)
    print("error rates of positive and of negative labels:")
    print_table_1(true, weak)


if __name__ == "__main__":
    main()
