"""Decibels, frequency weighting and scaling (Fig. 7, footnote 5).

    python main.py --config=configs/preprocessing.py

Twelve runs on mel bands and two on STFT bins, two seeds each.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """The grid of section IV-D."""
    config = sweeps.base("preprocessing")
    config.sweep = tuple(sweeps.preprocessing())
    return config
