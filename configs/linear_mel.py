"""Linear (power) mel spectrograms (section IV-C, Fig. 7, "2").

    python main.py --config=configs/linear_mel.py

The paper scores it below decibels at every size of the training set. It reads the same
shards as `db_mel.py` and takes as long.
Time and score have not been measured.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns `db_mel` with power instead of decibels."""
    return default.get_config(name="linear_mel", preprocessing__magnitude="linear")
