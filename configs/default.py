"""The default configuration; `keys.py` says what each key means.

The other files in this folder override some of them; the command line overrides both
(`--config.train.max_epochs=20`). A key that is not there is an error.
"""

from ml_collections import ConfigDict

from configs.keys import KEYS


def get_config(**changes: object) -> ConfigDict:
    """Decibel mel spectrograms, one seed; `train__fraction=0.5` changes a key."""
    config = ConfigDict()
    for key in KEYS.values():
        section, _, name = key.name.rpartition(".")
        if section and section not in config:
            config[section] = ConfigDict()
        (config[section] if section else config)[name] = key.default
    config.lock()
    config.update_from_flattened_dict(
        {name.replace("__", "."): value for name, value in changes.items()}
    )
    return config
