"""Variance over 15 initialisations, in one job on one stream of batches (Fig. 4).

    python main.py --config=configs/variance.py

On the synthetic corpus of 1,350 clips: 900 for training, 12 epochs, 15 seeds.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """`db_mel` with 15 seeds."""
    return sweeps.study("variance", *sweeps.variance())
