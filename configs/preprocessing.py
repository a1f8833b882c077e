"""Decibels, frequency weighting and scaling (Fig. 7, footnote 5).

    python main.py --config=configs/preprocessing.py

Twelve runs on mel bands and two on STFT bins, three seeds each.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """The grid of section IV-D."""
    return sweeps.study("preprocessing", *sweeps.preprocessing())
