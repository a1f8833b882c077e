"""The paper, whole: all its figures and tables in one report.

    python main.py --config=configs/paper.py
    python main.py --config=configs/paper.py:quick

Every run of every study, 29 in all, with 15 seeds for Fig. 4 and two elsewhere. `quick`
cuts clips, sizes of the training set and steps: 21 runs of 150 steps, whose networks
are hardly trained; it takes 36 minutes on 2 cores.
"""

from ml_collections import ConfigDict

from configs import sweeps

QUICK_STEPS = 150
QUICK_PERCENTS = (8, 32, 100)


def get_config(size: str = "full") -> ConfigDict:
    """All studies.

    Args:
        size: "full" or "quick".
    """
    if size not in ("full", "quick"):
        raise ValueError(f"configs/paper.py:{size}: choose of paper.py:quick, paper.py")
    config = sweeps.base("paper")
    percents = sweeps.SIZES_PERCENT
    if size == "quick":
        config.name = "paper_quick"
        config.corpus.num_clips = 900
        config.train.max_steps = QUICK_STEPS
        percents = QUICK_PERCENTS
    config.sweep = (
        *sweeps.variance(),
        *sweeps.sizes(percents),
        *sweeps.preprocessing(),
    )
    return config
