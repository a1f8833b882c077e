"""Decibels, frequency weighting and scaling (Fig. 7, footnote 5).

    python main.py --config=configs/preprocessing.py

Twelve runs of five seeds on mel bands, and two of three seeds on STFT bins. They took
2 h 25 min and 45 min on 2 cores with AVX-512, with 800 training clips: docs/claims.md
has their scores.
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """Returns the grid of section IV-D."""
    return sweeps.study("preprocessing", *sweeps.preprocessing())
