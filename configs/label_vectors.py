"""Similarity of label vectors against co-occurrence (Fig. 9, Table III, section V-A).

    python main.py --config=configs/label_vectors.py

Trains what `variance.py` trains, and reads the last layer of its 15 networks.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """The networks of `variance.py`."""
    return sweeps.study("label_vectors", *sweeps.variance())
