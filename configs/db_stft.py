"""Decibel STFT, 257 bins (section IV-B, Fig. 5).

    python main.py --config=configs/db_stft.py

The paper finds it within 0.007 of mel at every size of the training set, at 2.7 times
the input and about three times the cost.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns `db_mel` with STFT bins instead of mel bands."""
    return default.get_config(name="db_stft", spectrogram__kind="stft")
