"""Similarity of label vectors against co-occurrence (Fig. 9, Table III, section V-A).

    python main.py --config=configs/label_vectors.py

Trains what `variance.py` trains, and reads the last layer of its 15 networks.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """The networks of `variance.py`."""
    config = sweeps.base("label_vectors")
    config.sweep = tuple(sweeps.variance())
    return config
