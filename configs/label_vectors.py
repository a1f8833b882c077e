"""Similarity of label vectors against co-occurrence (Fig. 9, Table III, section V-A).

    python main.py --config=configs/label_vectors.py

Trains what `variance.py` trains, and reads the last layer of its 15 networks.
With --config.corpus.train_clips=2700 it takes 3 h 31 min on 2 cores without AVX-512 and
reaches 0.853 ± 0.003 (weak labels) and 0.895 ± 0.003 (true ones); docs/claims.md.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """Returns the networks of `variance.py`."""
    return sweeps.study("label_vectors", *sweeps.variance())
