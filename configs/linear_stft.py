"""Linear (power) STFT, 257 bins (section IV-C, footnote 5).

    python main.py --config=configs/linear_stft.py

The paper reports, without numbers, that decibels do better here too.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """As `db_stft`, but power instead of decibels."""
    config = default.get_config()
    config.name = "linear_stft"
    config.spectrogram.kind = "stft"
    config.preprocessing.magnitude = "linear"
    return config
