"""How far scores on noisy labels can be trusted (Fig. 2).

    python main.py --config=configs/reliability.py

The runs of `data_size.py` and `preprocessing.py`, scored on all tags and on the four
instrumentation tags, by the corpus's labels and by the truth.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """Returns runs of many kinds and scores."""
    return sweeps.study("reliability", *sweeps.sizes(), *sweeps.preprocessing())
