"""Audio files to clips: decode, average the channels, resample, cut.

Preparation, tagging and the tests all go through these functions, so that a network
hears the same numbers everywhere.
"""

import functools
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import soxr

from msd_tagger.frontend.audio_error import AudioError
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.sources import Source, open_source

SILENCE_PEAK = 1e-4  # -80 dB of full scale
LOUDEST_PEAK = 1e6  # Of full scale: a power of more overflows what is stored.
MOST_VALUES_PER_S = 16 * 192_000  # Of all channels, which bounds the memory.

# Codecs that carry state (MP3's bit reservoir, Opus) are exact again 3,000 samples
# behind a seek, and soxr's filter rings for fewer: half a second is ample.
_MARGIN_S = 0.5
# Behind the clip only the filter counts, 120 samples of the lower of the two rates.
# With ten times that the clip is, bit for bit, what more would give.
_TAIL_SAMPLES = 1200

Start = TypeVar("Start")


def read_clip(
    path: os.PathLike | str, recipe: Recipe, start_s: float | None = None
) -> np.ndarray:
    """Reads one clip as the network hears it.

    Only the seconds that the clip needs are decoded. What cannot be noticed: an MP3
    without a Xing or Info header, or an Ogg file, that was cut between two frames or
    pages, and damage that a decoder conceals.

    Args:
        path: Whatever libsndfile decodes, and PyAV where that is installed; any rate,
            any channels.
        recipe: Sample rate, duration and offset of the clip.
        start_s: Where the clip starts; overrides `recipe.offset`.

    Returns:
        float32 `[T]` at `recipe.sample_rate_hz`; channels averaged, padded with zeros
        at the end where the file is short.

    Raises:
        AudioError: With one of `REASONS`.
    """
    with open_source(path) as source:
        return clip_of(source, recipe, start_s)


def read_excerpts(
    path: os.PathLike | str, recipe: Recipe, start_s: float | None = None
) -> list[np.ndarray]:
    """Reads the excerpts of a track that a recipe asks for, as `read_clip` reads one.

    They start at `recipe.shares` of what the track is longer than a clip.

    Raises:
        AudioError: With one of `REASONS`; "silent" if all excerpts are.
    """
    with open_source(path) as source:
        starts_s = [start_s]
        if recipe.excerpts_per_track > 1 and start_s is None:
            spare_s = max(0.0, source.length_s - recipe.duration_s)
            starts_s = [spare_s * share for share in recipe.shares]
        return cut_all(path, starts_s, partial(clip_of, source, recipe))


def cut_all(
    path: os.PathLike | str,
    starts: Sequence[Start],
    cut: Callable[[Start], np.ndarray],
) -> list[np.ndarray]:
    """Cuts excerpts; for a silent one of several the nearest that sounds is taken.

    Raises:
        AudioError: As `cut`; "silent" if all excerpts are.
    """
    cut = functools.cache(cut)  # All excerpts of a short track are the same.
    heard: dict[int, np.ndarray] = {}
    for number, start in enumerate(starts):
        try:
            heard[number] = cut(start)
        except AudioError as error:
            if error.reason != "silent" or len(starts) == 1:
                raise
    if not heard:
        raise AudioError(path, "silent", f"in all of {len(starts)} excerpts")
    return [
        heard[min(heard, key=lambda other: abs(other - number))]
        for number in range(len(starts))
    ]


def clip_of(source: Source, recipe: Recipe, start_s: float | None = None) -> np.ndarray:
    """Reads a clip of an opened file: seeking on is fast, opening it again is not.

    Each clip seeks back into its margin, also where it follows the one before: between
    two reads soundfile asks for the position, and an MP3 decoder then loses a frame.
    """
    path = source.path
    rate_hz, (samples, lead_s) = source.rate_hz, _decode(source, recipe, start_s)
    num_channels = samples.shape[1]
    # A matrix product: NumPy's mean over a last axis of two is 30 times slower.
    weights = np.full(num_channels, 1 / num_channels, np.float32)
    mono = samples[:, 0] if num_channels == 1 else samples @ weights
    if not np.isfinite(mono).all():
        raise AudioError(path, "not finite")
    if rate_hz != recipe.sample_rate_hz:
        mono = soxr.resample(mono, rate_hz, recipe.sample_rate_hz, quality="HQ")
    clip = fit(mono[round(lead_s * recipe.sample_rate_hz) :], recipe.num_samples)
    peak = np.abs(clip).max()
    # Not `peak > LOUDEST_PEAK`: the filter makes NaN of samples near float32's largest.
    if not peak <= LOUDEST_PEAK:
        raise AudioError(path, "not finite", f"peak {peak:.1e}")
    if peak < SILENCE_PEAK:
        detail = f"peak {peak:.1e}"
        if np.abs(samples).max(initial=0) >= SILENCE_PEAK and num_channels > 1:
            detail += " as the mean of its channels, which cancel each other"
        raise AudioError(path, "silent", detail)
    return clip


def start_s(
    path: os.PathLike | str, recipe: Recipe, given_s: float | None = None
) -> float:
    """Returns where a clip starts in its file, in seconds."""
    with open_source(path) as source:
        return _start_s(source, recipe, given_s)


def fit(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """Trims at the end, or pads it with zeros: `[any]` -> `[num_samples]`.

    >>> fit(np.array([1.0, 2.0, 3.0]), 2), fit(np.array([1.0]), 2)
    (array([1., 2.]), array([1., 0.]))
    """
    if len(samples) >= num_samples:
        return samples[:num_samples]
    return np.pad(samples, (0, num_samples - len(samples)))


def _decode(
    source: Source, recipe: Recipe, start_s: float | None
) -> tuple[np.ndarray, float]:
    """Decodes `[samples, channels]` with a margin; also gives the seconds before it."""
    rate_hz = source.rate_hz
    if rate_hz * source.num_channels > MOST_VALUES_PER_S:
        detail = f"{source.num_channels} channels of {rate_hz} Hz"
        raise AudioError(source.path, "too many values", detail)
    start_s = _start_s(source, recipe, start_s)
    lead_s = min(start_s, _MARGIN_S)
    tail_s = _TAIL_SAMPLES / min(rate_hz, recipe.sample_rate_hz)
    first = round((start_s - lead_s) * rate_hz)
    samples = source.read(first, round((lead_s + recipe.duration_s + tail_s) * rate_hz))
    if len(samples) < round((lead_s + recipe.duration_s) * rate_hz):
        _check_not_truncated(source, first + len(samples), len(samples))
    return samples, lead_s


def _start_s(source: Source, recipe: Recipe, start_s: float | None) -> float:
    length_s = source.length_s
    if start_s is None:
        return max(0.0, length_s - recipe.duration_s) * recipe.shares[0]
    if start_s >= length_s > 0:
        detail = f"start_s {start_s}, length {length_s:.2f} s"
        raise AudioError(source.path, "past the end", detail)
    return start_s


def _check_not_truncated(source: Source, end: int, num_read: int) -> None:
    """Tells a file that is short from one that was cut."""
    missing = source.num_samples - end
    if num_read and missing <= source.slack_samples and not source.cut:
        return
    if not source.num_samples and not source.cut:
        raise AudioError(source.path, "empty")
    detail = f"{end / source.rate_hz:.2f} s of {source.length_s:.2f} s decoded"
    if source.cut:
        detail = f"{detail}; {source.cut}"
    raise AudioError(source.path, "truncated", detail)
