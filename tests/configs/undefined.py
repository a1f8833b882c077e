"""A configuration with a mistake, which a message has to point out."""

from configs import default


def get_config():
    epochs = epochs_per_day  # noqa: F821
    return default.get_config(name=str(epochs))
