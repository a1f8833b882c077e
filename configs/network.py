"""Shapes, parameters and multiply-adds of each layer (Fig. 3, Table II).

    python main.py --config=configs/network.py

Builds the mel and the STFT network, trains nothing and needs no corpus: seconds.
`model.pools` are for the network of `spectrogram.kind`; the other has the paper's.
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """Returns the default network, on mel bands and on STFT bins."""
    return default.get_config(name="network", task="network")
