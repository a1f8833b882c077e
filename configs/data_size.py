"""Mel against STFT by the number of training clips (Fig. 5).

    python main.py --config=configs/data_size.py

Fourteen runs of three seeds, on 2 to 100 % of the training clips.
On 800 clips they trained for 5 h 22 min on 2 cores (docs/claims.md has the scores).
"""

from ml_collections import ConfigDict

from configs import sweeps


def get_config() -> ConfigDict:
    """Returns runs on nested shares of the training clips."""
    return sweeps.study("data_size", *sweeps.sizes())
