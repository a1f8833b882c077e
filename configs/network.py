"""Shapes, parameters and multiply-adds of each layer (Fig. 3, Table II).

    python main.py --config=configs/network.py

`model.pools`, `model.channels`, the clip and the spectrogram are those of the network
that is described; beside it is that of the other kind of spectrogram, with the paper's
poolings. Builds the mel and the STFT network, trains nothing and needs no corpus: seconds.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """The default network, on mel bands and on STFT bins."""
    return default.get_config(name="network", task="network")
