"""The mel spectrograms that MTG-Jamendo publishes, as an input instead of audio.

Each is one `.npy` file of a whole track: float32 [96, frames], made by Essentia as the
script `melspectrograms.py` of that data set has it. The script takes `lin2db` (10
log10, at least -100) of mel-band *powers* and doubles it, as if they were amplitudes,
so a stored value of ours is half a published one. docs/mtg_jamendo_corpus.md compares
the two recipes.
"""

import os
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from msd_tagger.frontend import audio
from msd_tagger.frontend.audio_error import AudioError
from msd_tagger.frontend.handles import open_file
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import POWER_FLOOR

SUFFIX = ".npy"
# What a recipe must be to be served; `duration_s` and `offset` are free.
FIELDS = {
    "kind": "mel",
    "sample_rate_hz": 12_000,
    "dft_size_samples": 512,
    "hop_samples": 256,
    "num_mel_bands": 96,
}

_SCALE = 2.0  # Published values are 20 log10 of a power.
_POWER_FLOOR_DB = 10 * np.log10(POWER_FLOOR)
# All that samples of at most 5 (14 dB above full scale) can give, with rounding: what
# lies outside is no decibel, or is in other units.
_LOWEST, _HIGHEST = _SCALE * _POWER_FLOOR_DB - 0.01, 100.0


def is_spectrogram(path: os.PathLike | str) -> bool:
    """Tells whether a clip's file is a published spectrogram rather than audio.

    >>> is_spectrogram("00/7400.npy"), is_spectrogram("00/7400.low.mp3")
    (True, False)
    """
    return os.fspath(path).endswith(SUFFIX)


def check_recipes(
    paths: Iterable[os.PathLike | str], recipes: Sequence[Recipe]
) -> None:
    """Refuses recipes that published spectrograms cannot serve.

    Raises:
        ValueError: There is a spectrogram among the paths, and a recipe with another
            value than `FIELDS` has.
    """
    wrong = {
        name: getattr(recipe, name)
        for recipe in recipes
        for name, value in FIELDS.items()
        if getattr(recipe, name) != value
    }
    if "kind" in wrong:
        wrong = {"kind": wrong["kind"]}  # An STFT has no mel bands to be wrong.
    first = next(filter(is_spectrogram, paths), None) if wrong else None
    if first is not None:
        found = ", ".join(f"{name} {value!r}" for name, value in wrong.items())
        needed = ", ".join(f"{name} {FIELDS[name]!r}" for name in wrong)
        raise ValueError(
            f"{first} is a published mel spectrogram: it has {needed}, and {found} is "
            "asked for. Set spectrogram.* accordingly (and leave other kinds out of "
            "prepare.kinds), or use the audio files"
        )


def read_clip(
    path: os.PathLike | str, recipe: Recipe, start_s: float | None = None
) -> np.ndarray:
    """Reads a clip of a published spectrogram, or its excerpts, as shards hold them.

    Only the frames that they need are read. A clip that ends after the track is
    padded with the floor of -100 dB. Unlike a clip cut out of audio its first and last
    frame see what lies outside of it.

    Args:
        path: A `.npy` file, floating point [M, any number of frames].
        recipe: Number of bands and frames, and the offset.
        start_s: Where the clip starts, rounded to a frame; overrides `recipe.offset`.

    Returns:
        float16 `recipe.stored_shape`, decibels of power.

    Raises:
        AudioError: With one of `REASONS`.
    """
    published = _open(path, recipe)
    firsts = _first_frames(path, recipe, published.shape[1], start_s)
    found = audio.cut_all(path, firsts, partial(_cut, path, recipe, published))
    return np.stack(found).reshape(recipe.stored_shape)


def _cut(
    path: os.PathLike | str, recipe: Recipe, published: np.ndarray, first: int
) -> np.ndarray:
    num_bands, num_frames = recipe.shape
    frames = np.asarray(published[:, first : first + num_frames], np.float32)
    lowest, highest = float(frames.min()), float(frames.max())
    if not np.isfinite([lowest, highest]).all():
        raise AudioError(path, "not finite")
    if lowest < _LOWEST or highest > _HIGHEST:
        detail = f"values from {lowest:.4g} to {highest:.4g}, not -200 to 100"
        raise AudioError(path, "wrong spectrogram", detail)
    if highest <= _SCALE * _POWER_FLOOR_DB:
        raise AudioError(path, "silent", "every band is at the floor")
    clip = np.full((num_bands, num_frames), _POWER_FLOOR_DB, np.float16)
    clip[:, : frames.shape[1]] = np.maximum(frames / _SCALE, _POWER_FLOOR_DB)
    return clip


def _open(path: os.PathLike | str, recipe: Recipe) -> np.ndarray:
    """Maps the file into memory; what it claims to be is checked before it is read."""
    open_file(path).close()
    try:
        # Never executes anything: arrays of objects, which are pickles, are refused.
        published = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # A damaged header raises whatever its parser does.
        raise AudioError(path, "not a spectrogram", str(error)) from error
    if not isinstance(published, np.ndarray):
        published.close()
        raise AudioError(path, "not a spectrogram", "an archive of arrays")
    num_bands, shape = recipe.shape[0], published.shape
    fits = published.ndim == 2 and shape[0] == num_bands and shape[1] > 0
    if not fits or published.dtype.kind != "f":
        detail = f"{published.dtype} {list(shape)}, not float [{num_bands}, frames]"
        raise AudioError(path, "wrong spectrogram", detail)
    return published


def _first_frames(
    path: os.PathLike | str, recipe: Recipe, length: int, start_s: float | None
) -> list[int]:
    if start_s is None:
        spare = max(0, length - recipe.shape[1])
        return [int(spare * share) for share in recipe.shares]
    first = round(start_s * recipe.sample_rate_hz / recipe.hop_samples)
    if first >= length:
        detail = f"start_s {start_s} is frame {first} of {length}"
        raise AudioError(path, "past the end", detail)
    return [first]
