"""Tags: co-occurrence, counts, and the input's statistics (Figs 1, 6, 8, Table III).

    python main.py --config=configs/tags.py

On the synthetic corpus the label statistics are of 200,000 clips, as sparse as
Last.fm's, whose labels are sampled without rendering audio;
`analysis.label_only_clips=0` takes those with audio. It trains nothing.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns label statistics, and input statistics over 200 clips."""
    return default.get_config(name="tags", task="tags")
