"""Files like the published one, with random weights."""

import h5py
import numpy as np

from msd_tagger.frontend.recipe import Recipe


def arrays(seed=0):
    random = np.random.default_rng(seed)
    samples, bins = np.ogrid[:512, :257]
    window = np.hanning(513)[:512, None]
    phase = 2 * np.pi * samples * bins / 512
    made = {
        "melgram/param_0": (window * np.cos(phase))[:, None, None],
        "melgram/param_1": (window * np.sin(phase))[:, None, None],
        "melgram/param_2": Recipe("mel").mel_filters().T,
        "dense_1/dense_1_W": random.normal(0, 0.2, (32, 50)),
        "dense_1/dense_1_b": random.normal(size=50),
    }
    for i, inputs in enumerate((1, 32, 32, 32, 32), start=1):
        kernel = random.normal(0, 0.1, (32, inputs, 3, 3))
        made[f"ConvBNEluDr/convolution2d_{i}_W"] = kernel
        made[f"ConvBNEluDr/convolution2d_{i}_b"] = random.normal(size=32)
        norm = f"ConvBNEluDr/batchnormalization_{i}_"
        # Some scales are negative, as in the published file.
        made |= {f"{norm}gamma": random.normal(1, 1, 32)}
        made |= {f"{norm}beta": random.normal(size=32)}
        made |= {f"{norm}running_mean": np.zeros(32)}
        made |= {f"{norm}running_std": np.ones(32)}
    return {name: value.astype(np.float32) for name, value in made.items()}


def write(path, changes=None):
    """Writes such a file; `changes` are other arrays or links, None leaves one out."""
    with h5py.File(path, "w") as file:
        for name, value in (arrays() | (changes or {})).items():
            if value is not None:
                file[name] = value
    return path
