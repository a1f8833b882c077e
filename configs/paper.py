"""The paper, whole: all its figures and tables in one report.

    python main.py --config=configs/paper.py
    python main.py --config=configs/paper.py:quick

Every run of every study, 28 in all: 15 seeds for Fig. 4, five for each point of Fig. 7
on mel bands, three elsewhere. Two points are the same run and trained once: STFT on all
clips of Fig. 5, and decibels on STFT of footnote 5.
`quick` cuts clips, seeds, sizes of the training set and steps: 19 runs of 150 steps,
whose networks are hardly trained; it takes at most 36 minutes on 2 cores.
"""

from ml_collections import ConfigDict

from configs import sweeps

QUICK_STEPS, QUICK_SEEDS = 150, 2
QUICK_PERCENTS = (8, 32, 100)


def get_config(size: str = "full") -> ConfigDict:
    """Returns all studies, "full" or "quick"."""
    if size not in ("full", "quick"):
        raise ValueError(
            f"configs/paper.py:{size}: choose configs/paper.py:quick or "
            "configs/paper.py"
        )
    is_quick = size == "quick"
    percents = QUICK_PERCENTS if is_quick else sweeps.SIZES_PERCENT
    paired = QUICK_SEEDS if is_quick else sweeps.PAIRED_SEEDS
    config = sweeps.study(
        "paper",
        *sweeps.variance(),
        *sweeps.sizes(percents),
        *sweeps.preprocessing(paired),
    )
    if is_quick:
        config.name = "paper_quick"
        config.corpus.train_clips = 600
        config.corpus.valid_clips = 100
        config.corpus.test_clips = 200
        config.train.max_steps = QUICK_STEPS
        config.num_seeds = QUICK_SEEDS
    return config
