"""Variance over 15 initialisations, in one job on one stream of batches (Fig. 4).

    python main.py --config=configs/variance.py

On the synthetic corpus: 900 clips for training, 12 epochs, 15 seeds; 2,000 test clips.
With --config.corpus.train_clips=2700 it takes 3 h 31 min on 2 cores without AVX-512 and
reaches 0.853 ± 0.003 (weak labels) and 0.895 ± 0.003 (true ones); docs/claims.md.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """Returns `db_mel` with 15 seeds."""
    return sweeps.study("variance", *sweeps.variance())
