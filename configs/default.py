"""The default configuration; `keys.py` says what each key means.

The other files in this folder override some of them; the command line overrides both
(`--config.train.max_epochs=20`). A key that is not there is an error.
"""

from ml_collections import ConfigDict

from configs.keys import KEYS, no_such_key


def get_config(**changes: object) -> ConfigDict:
    """Returns all defaults; `train__fraction=0.5` changes a key."""
    names = {name.replace("__", "."): value for name, value in changes.items()}
    for name in names.keys() - KEYS.keys():
        raise no_such_key(name, name)
    config = ConfigDict()
    for key in KEYS.values():
        section, _, name = key.name.rpartition(".")
        if section and section not in config:
            config[section] = ConfigDict()
        (config[section] if section else config)[name] = key.default
    config.lock()
    config.update_from_flattened_dict(names)
    return config
