"""Tags: co-occurrence, counts, and the input's statistics (Figs 1, 6, 8, Table III).

    python main.py --config=configs/tags.py

On the synthetic corpus the label statistics are of 200,000 clips that are drawn and not
played, as sparse as Last.fm's; `analysis.label_only_clips=0` takes those that are.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Label statistics, and input statistics over 200 clips."""
    config = default.get_config()
    config.name = config.task = "tags"
    return config
