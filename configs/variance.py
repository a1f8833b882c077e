"""Variance over 15 initialisations, in one job on one stream of batches (Fig. 4).

    python main.py --config=configs/variance.py

On the synthetic corpus: 900 clips for training, 12 epochs, 15 seeds; 2,000 test clips.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """`db_mel` with 15 seeds."""
    return sweeps.study("variance", *sweeps.variance())
