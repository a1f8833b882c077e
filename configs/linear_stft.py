"""Linear (power) STFT, 257 bins (section IV-C, footnote 5).

    python main.py --config=configs/linear_stft.py

The paper reports, without numbers, that decibels do better here too.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns `db_stft` with power instead of decibels."""
    return default.get_config(
        name="linear_stft", spectrogram__kind="stft", preprocessing__magnitude="linear"
    )
