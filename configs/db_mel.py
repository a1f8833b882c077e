"""Decibel mel spectrograms: the paper's best network (section IV, Fig. 7, "1").

    python main.py --config=configs/db_mel.py

On the embedded synthetic corpus: PLACEHOLDER.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Decibels, mel bands, no frequency weighting, per-clip standardisation."""
    config = default.get_config()
    config.name = "db_mel"
    return config
