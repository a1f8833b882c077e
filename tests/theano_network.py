"""The published network as its authors ran it, in NumPy and float64, from their file.

It judges the import, and shares nothing with it: convolutions are convolutions here, by
the convolution theorem, and spectrograms come from the file's own DFT kernels. After
https://github.com/keunwoochoi/music-auto_tagging-keras (compact_cnn), Keras 1.2, Theano
and kapre of that time.
"""

import h5py
import numpy as np
from scipy import fft

POOLS = ((2, 4), (3, 4), (2, 5), (2, 4), (4, 4))


def decibels(path, samples):
    """Samples [B, T] to decibels relative to the batch's maximum, [B, 96, frames].

    'half' padding, 256 zeros on both sides, and a flipped kernel, every 256 samples.
    """
    with h5py.File(path) as file:
        parts = [file[f"melgram/param_{k}"][:, 0, 0].astype(float) for k in (0, 1)]
        mel = file["melgram/param_2"][:].astype(float)
    padded = np.pad(np.asarray(samples, float), ((0, 0), (256, 256)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512, axis=1)[:, ::256]
    power = sum((frames @ part[::-1]) ** 2 for part in parts)
    db = 10 * np.log10(np.maximum(power @ mel, 1e-10)).transpose(0, 2, 1)
    return np.maximum(db - db.max(), -80)


def forward(path, x):
    """Decibels [B, 96, 1360] to sigmoids [B, 50], and each layer's mean and variance.

    Every batch normalises by its own statistics, when training is over too.
    """
    statistics = []
    with h5py.File(path) as file:
        x = np.asarray(x, float)[:, None]
        for i, pool in enumerate(POOLS, start=1):
            layer = file["ConvBNEluDr"]
            z = convolve(x, layer[f"convolution2d_{i}_W"][:])
            z += layer[f"convolution2d_{i}_b"][:][:, None, None]
            mean, variance = z.mean((0, 2, 3)), z.var((0, 2, 3))
            statistics.append((mean, variance))
            scale = layer[f"batchnormalization_{i}_gamma"][:] / np.sqrt(variance + 1e-3)
            shift = layer[f"batchnormalization_{i}_beta"][:] - scale * mean
            u = scale[:, None, None] * z + shift[:, None, None]
            x = pool_max(np.where(u > 0, u, np.expm1(np.minimum(u, 0))), pool)
        logits = x.reshape(len(x), -1) @ file["dense_1/dense_1_W"][:].astype(float)
        logits += file["dense_1/dense_1_b"][:]
    return 1 / (1 + np.exp(-logits)), statistics


def convolve(x, kernel):
    """'Same' convolution of [B, C, M, F] with [C', C, 3, 3], as Theano means it."""
    *_, bands, frames = x.shape
    shape = [fft.next_fast_len(n + 2, real=True) for n in (bands, frames)]
    spectra = fft.rfft2(x, shape)
    maps = [
        fft.irfft2((spectra * fft.rfft2(one, shape)).sum(1), shape)
        for one in kernel.astype(float)
    ]
    return np.stack(maps, axis=1)[:, :, 1 : bands + 1, 1 : frames + 1]


def pool_max(x, pool):
    """Largest value of each window; what does not fill one is left out."""
    b, c, bands, frames = x.shape
    bands, frames = bands // pool[0], frames // pool[1]
    x = x[:, :, : bands * pool[0], : frames * pool[1]]
    return x.reshape(b, c, bands, pool[0], frames, pool[1]).max((3, 5))
