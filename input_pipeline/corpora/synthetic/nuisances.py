"""What differs from clip to clip and must predict no tag.

Drawn from a stream of its own, so independent of all attributes by construction.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtri

from input_pipeline.corpora.synthetic.random_streams import uniforms

NUM_EQUALISER_KNOTS = 7
_EQUALISER_DEVIATION_DB = 4.5
_BAND_LIMITED_SHARE = 0.35


@dataclass(frozen=True)
class Nuisances:
    """Nuisances of N clips (arrays `[N]`), or of one clip (scalars)."""

    level_db: np.ndarray  # Peak of the clip relative to full scale, -14 to -1.
    noise_floor_db: np.ndarray  # White noise under everything, -75 to -48.
    band_limit_hz: np.ndarray  # Second-order low pass, 2,600 to 5,200, or infinity.
    root: np.ndarray  # MIDI number of the key note, 40 to 51.
    formant_scale: np.ndarray  # Size of the singer's throat.
    equaliser_db: np.ndarray  # Gains at seven log-spaced frequencies, [N, 7].

    def row(self, index: int) -> "Nuisances":
        """Return one clip's nuisances."""
        return Nuisances(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def draw_nuisances(seed: int, clip_numbers: np.ndarray) -> Nuisances:
    """Draw the nuisances of clips."""
    u = uniforms(seed, "nuisances", clip_numbers, 6 + NUM_EQUALISER_KNOTS)
    band_limit_hz = 2600.0 * 2.0 ** u[:, 3]
    limited = u[:, 2] < _BAND_LIMITED_SHARE
    return Nuisances(
        level_db=-14 + 13 * u[:, 0],
        noise_floor_db=-75 + 27 * u[:, 1],
        band_limit_hz=np.where(limited, band_limit_hz, np.inf),
        root=40 + (12 * u[:, 4]).astype(np.int64),
        formant_scale=1 + 0.05 * ndtri(u[:, 5]),
        equaliser_db=_EQUALISER_DEVIATION_DB * ndtri(u[:, 6:]),
    )
