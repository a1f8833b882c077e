"""Spectrograms as small pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import image

MAX_ROWS, MAX_COLUMNS = 130, 700
RANGE_DB = 80.0
# Few enough levels that the file compresses, more than one sees.
LEVELS = 24
FREQUENCIES_HZ = (100, 500, 1000, 2000, 4000, 8000, 16000)


def spectrogram_png(decibels: np.ndarray) -> bytes:
    """Draws a spectrogram `[M, F]`, dB of power, as PNG, low frequencies at the bottom.

    What lies more than 80 dB below the maximum is drawn as silence. There are at most
    130 x 700 pixels, means of M and F, and no axes.
    """
    picture = _shrink(np.asarray(decibels, np.float32), MAX_ROWS, MAX_COLUMNS)
    relative = np.clip((picture - picture.max()) / RANGE_DB + 1, 0, 1)
    levels = np.round(relative * (LEVELS - 1)) / (LEVELS - 1)
    buffer = io.BytesIO()
    image.imsave(
        buffer, levels, vmin=0, vmax=1, cmap="magma", origin="lower", format="png"
    )
    return buffer.getvalue()


def frequencies(centres_hz: np.ndarray) -> list[dict[str, Any]]:
    """Finds where round frequencies lie in the picture, as a share of its height.

    >>> frequencies(np.arange(0, 700, 100))
    [{'name': '100 Hz', 'height': 0.21...}, {'name': '500 Hz', 'height': 0.78...}]
    """
    bands = np.arange(len(centres_hz))
    shown = [hz for hz in FREQUENCIES_HZ if centres_hz[0] <= hz <= centres_hz[-1]]
    return [
        {
            "name": f"{hz} Hz" if hz < 1000 else f"{hz // 1000} kHz",
            "height": (float(np.interp(hz, centres_hz, bands)) + 0.5) / len(centres_hz),
        }
        for hz in shown
    ]


def _shrink(picture: np.ndarray, max_rows: int, max_columns: int) -> np.ndarray:
    """Averages blocks of pixels until the picture is small enough."""
    for axis, allowed in ((0, max_rows), (1, max_columns)):
        block = -(-picture.shape[axis] // allowed)
        starts = np.arange(0, picture.shape[axis], block)
        sizes = np.diff(np.append(starts, picture.shape[axis]))
        sums = np.add.reduceat(picture, starts, axis=axis)
        picture = sums / np.expand_dims(sizes, 1 - axis)
    return picture
