"""The recipe of a stored spectrogram: every parameter that changes its numbers.

The recipe is part of the path of the shards made with it, so that shards of another
recipe are never read by mistake.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from msd_tagger.common import contents, files
from msd_tagger.common.contents import COUNT, Number
from msd_tagger.common.facts import KINDS
from msd_tagger.frontend import bands, own

OFFSETS = ("start", "centre")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Parameters of a stored spectrogram.

    The defaults are the paper's: 29 s at 12 kHz, a 512-point DFT every 256 samples and
    96 mel bands (section IV-B) make 1 + 348000 // 256 = 1360 frames.
    """

    # "mel" (mel bands), "stft" (every bin of the DFT), or a front end of one's own with
    # all its parameters, as `own.describe` spells it.
    kind: str
    sample_rate_hz: int = 12_000  # Rate the audio is resampled to.
    duration_s: float = 29.0  # Length of a clip; shorter audio is padded with zeros.
    # Which part of a longer file is taken, its "start" or its "centre".
    offset: str = "start"
    dft_size_samples: int = 512  # Length of the DFT and of its Hann window.
    hop_samples: int = 256  # Distance between frames.
    num_mel_bands: int = 96  # Number of bands; always 0 for "stft", which has none.
    # Raised when the code changes what a recipe makes, or how shards hold it. 3 has
    # librosa's filters, off from those of 2 by at most 4e-9; its clips lie in an order
    # of their own.
    version: int = 3
    # How many excerpts of every track there are, evenly spread over it.
    excerpts_per_track: int = 1
    # Of a front end of one's own: what it makes, (M, F), and a digest of its file. It
    # has neither a DFT nor a hop that this code knows.
    own_shape: tuple[int, ...] = ()
    own_source: str = ""

    def __post_init__(self) -> None:
        """Refuses values that make no spectrogram."""
        contents.check(dataclasses.asdict(self), _FIELDS, "the recipe: ")
        object.__setattr__(self, "own_shape", tuple(self.own_shape))
        kinds = (self.kind,) if self.own_shape else KINDS
        for name, allowed in (("kind", kinds), ("offset", OFFSETS)):
            given = getattr(self, name)
            if given not in allowed:
                listed = ", ".join(allowed)
                raise ValueError(f"{name} is {given!r}; choose from {listed}")
        if self.excerpts_per_track > 1 and self.offset != "start":
            raise ValueError(
                f"clip.offset is {self.offset!r}, and several excerpts of a track are "
                "spread evenly over it; leave clip.offset out"
            )
        if self.own_shape:
            for name in ("dft_size_samples", "hop_samples", "num_mel_bands"):
                object.__setattr__(self, name, 0)
            are_sizes = all(isinstance(one, int) for one in self.own_shape)
            if len(self.own_shape) != 2 or not are_sizes:
                raise ValueError(
                    f"own_shape is {self.own_shape}; it must be two sizes, of bands "
                    "and of frames"
                )
            return
        if self.kind == "stft":
            object.__setattr__(self, "num_mel_bands", 0)
        for name, lowest in _LOWEST.items():
            given = getattr(self, name)
            is_unused = name == "num_mel_bands" and self.kind == "stft"
            if given < lowest and not is_unused:
                raise ValueError(f"{name} is {given!r}; it must be at least {lowest}")
        if self.dft_size_samples % 2:
            raise ValueError(
                f"dft_size_samples is {self.dft_size_samples}; it must be even: "
                "centred frames begin half a window early"
            )
        if self.num_samples < self.dft_size_samples:
            raise ValueError(
                f"a clip of {self.duration_s} s at {self.sample_rate_hz} Hz has "
                f"{self.num_samples} samples, fewer than one window of "
                f"{self.dft_size_samples}; raise duration_s or lower dft_size_samples"
            )

    @property
    def num_samples(self) -> int:
        """Number of samples T of a clip.

        >>> Recipe("mel").num_samples
        348000
        """
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bands M and of frames F.

        >>> Recipe("mel").shape, Recipe("stft").shape
        ((96, 1360), (257, 1360))
        """
        if self.own_shape:
            return self.own_shape[0], self.own_shape[1]
        num_bands = self.num_mel_bands or 1 + self.dft_size_samples // 2
        return num_bands, 1 + self.num_samples // self.hop_samples

    @property
    def frames_per_s(self) -> float:
        """How many frames a second has."""
        if self.own_shape:
            return self.shape[1] / self.duration_s
        return self.sample_rate_hz / self.hop_samples

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Sizes of what a record holds: `[M, F]`, or `[E, M, F]` of E excerpts."""
        number = self.excerpts_per_track
        return self.shape if number == 1 else (number, *self.shape)

    @property
    def shares(self) -> list[float]:
        """Where excerpts start, as shares of what a file is longer than a clip.

        >>> Recipe("mel", offset="centre").shares, Recipe("mel").shares
        ([0.5], [0.0])
        >>> Recipe("mel", excerpts_per_track=2).shares
        [0.25, 0.75]
        """
        number = self.excerpts_per_track
        if number > 1:
            return [(k + 0.5) / number for k in range(number)]
        return [0.0 if self.offset == "start" else 0.5]

    @property
    def identifier(self) -> str:
        """Name of the folder that holds shards of this recipe.

        Kind and shape for the reader, a digest of every field for safety.
        """
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:8]
        name = self.kind.partition("(")[0].rpartition(":")[2]
        return f"{name}-{'x'.join(map(str, self.stored_shape))}-{digest}"

    def band_centres_hz(self) -> np.ndarray:
        """Returns the centre of every mel band, or of every bin of the DFT: `[M]`.

        NaN where a front end of one's own has bands without one.
        """
        if self.own_shape:
            return own.centres_hz_of(self)
        if self.kind == "stft":
            return bands.bins_hz(self.dft_size_samples, self.sample_rate_hz)
        return bands.mel_centres_hz(self.num_mel_bands, self.sample_rate_hz)

    def a_weighting_db(self) -> np.ndarray:
        """Returns the A-weighting (IEC 61672:2003) at the centre of every band: `[M]`.

        At 0 Hz, where the standard's curve is minus infinity, it is -80 dB. Bands that
        have no centre are not weighted.
        """
        return np.nan_to_num(bands.a_weighting_db(self.band_centres_hz()))

    def mel_filters(self) -> np.ndarray | None:
        """Returns the filters on powers: float32 `[M, bins]`, or None without any."""
        return _mel_filters(self) if self.kind == "mel" else None

    def to_dict(self) -> dict[str, Any]:
        """Gives all fields but those that came later and are as they always were."""
        values = dataclasses.asdict(self)
        later = {name: values.pop(name) for name in _LATER}
        return values | {
            name: value for name, value in later.items() if value != _LATER[name]
        }

    def to_json(self) -> str:
        """Formats the recipe as one line of JSON with sorted keys."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Reads what `to_json` wrote.

        >>> Recipe.from_json(Recipe("stft").to_json()) == Recipe("stft")
        True

        Raises:
            ValueError: The text is not a recipe, or is one with other fields.
        """
        known = {field.name for field in dataclasses.fields(cls)} - set(_LATER)
        values = files.parse_json(text, "the recipe")
        if set(values) - set(_LATER) != known:
            raise ValueError(
                f"{text[:200]!r} is not a spectrogram recipe; its fields must be "
                f"{sorted(known)}. Prepare the shards again"
            )
        return cls(**values)

    @classmethod
    def from_config(
        cls,
        clip: Mapping[str, Any],
        spectrogram: Mapping[str, Any],
        kind: str,
        excerpts_per_track: int = 1,
    ) -> "Recipe":
        """Builds the recipe of one kind from `config.clip` and `config.spectrogram`.

        Raises:
            ValueError: They make no spectrogram, or there is no such kind.
        """
        found = cls(
            kind="mel",
            duration_s=clip["duration_s"],
            offset=clip["offset"],
            excerpts_per_track=excerpts_per_track,
            **{name: spectrogram[name] for name in _OF_SPECTROGRAM},
        )
        if kind in KINDS:
            return dataclasses.replace(found, kind=kind)
        made = own.describe(kind, found.sample_rate_hz, found.num_samples)
        return dataclasses.replace(found, **made)


_OF_SPECTROGRAM = ("sample_rate_hz", "dft_size_samples", "hop_samples", "num_mel_bands")
# Fields that came later: left out of what is written while they are these, so that
# folders and bundles stay as they were.
_LATER = {"excerpts_per_track": 1, "own_shape": (), "own_source": ""}
_FIELDS = {
    "kind": str,
    "sample_rate_hz": Number(1, 192_000, is_whole=True),  # As configurations may.
    "duration_s": Number(0, 3600),
    "offset": str,
    "dft_size_samples": Number(0, 2**24, is_whole=True),
    "hop_samples": Number(0, 2**24, is_whole=True),
    "num_mel_bands": Number(0, 2**24, is_whole=True),
    "version": COUNT,
    "excerpts_per_track": Number(1, 1000, is_whole=True),
    "own_shape": contents.Each(Number(1, 2**24, is_whole=True)),
    "own_source": str,
}
# Where they are in use.
_LOWEST = {"dft_size_samples": 2, "hop_samples": 1, "num_mel_bands": 1}


@lru_cache(maxsize=8)
def _mel_filters(recipe: Recipe) -> np.ndarray:
    filters = bands.mel_filters(
        recipe.num_mel_bands, recipe.dft_size_samples, recipe.sample_rate_hz
    )
    num_empty = int((~filters.any(axis=1)).sum())
    if num_empty:
        logger.warning(
            "%d of %d mel bands lie between two bins and are always silent; raise "
            "spectrogram.dft_size_samples or lower spectrogram.num_mel_bands",
            num_empty,
            recipe.num_mel_bands,
        )
    return filters
