"""How reliable the labels are: error rates, Eq. 2, tagability (Table I).

    python main.py --config=configs/groundtruth.py

Of the synthetic corpus the truth is known, here of 200,000 clips whose labels are
sampled without rendering audio; other corpora need a re-annotation (`--mode=annotate`
writes the pages for it). It trains nothing.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns Subset100 and Subset400 against the truth."""
    return default.get_config(name="groundtruth", task="groundtruth")
