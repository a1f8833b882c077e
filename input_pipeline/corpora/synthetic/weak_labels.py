"""What listeners would have tagged: weak labels drawn from true ones.

Clip i gets an activity u_i, Gamma-distributed with shape 1.5 and mean 1: how much its
listeners tag at all. Tag j has a tagability tau_j: how readily they name it. Then

    P(weak | true) = 1 - exp(-tau_j u_i),    P(weak | not true) = 0.02 m_j / (1 - pi_j),

redrawn until the clip has at least one tag, as every clip of the real data set has.
m_j is the tag's share in the real labels, pi_j its share in the truth. The numbers are
in `weak_labels.csv`, fitted by `scripts/weak_labels.py` so that the weak shares
equal m_j, the shares in the Last.fm tags of the Million Song Dataset's public
validation and test split files (41,174 clips). Two of every hundred positives are
wrong, which is about what the paper's Table I says (2 to 6 per cent).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv

from input_pipeline.corpora.synthetic.random_streams import uniforms
from msd_tagger.common.tags import TAGS

ACTIVITY_GAMMA_SHAPE = 1.5
FALSE_SHARE = 0.02
CONSTANTS_PATH = Path(__file__).with_name("weak_labels.csv")


class Listeners(NamedTuple):
    """The noise model's constants, each float64 [K] in the order of `TAGS`."""

    real_shares: np.ndarray  # m, share of real clips with the tag.
    true_shares: np.ndarray  # π, share of synthetic clips for which the tag is true.
    tagabilities: np.ndarray  # τ, without unit.


def read_listeners() -> Listeners:
    """Returns the fitted constants."""
    table = np.loadtxt(CONSTANTS_PATH, delimiter=",", skiprows=1, usecols=(1, 2, 3))
    return Listeners(*table.T.copy())


def weak_tags(
    true_tags: np.ndarray,
    seed: int,
    clip_numbers: np.ndarray,
    tagability_exponent: float,
    listeners: Listeners | None = None,
) -> np.ndarray:
    """Draws weak labels from true ones, `[N, K]`.

    The exponent is the power of tau_j: 1 for the real shares, less for more tags.

    Returns:
        uint8 `[N, K]`, at least one tag in every row.

    Raises:
        ValueError: The exponent is not between 0 and 2.
    """
    if not 0 <= tagability_exponent <= 2:
        raise ValueError(
            f"tagability_exponent is {tagability_exponent}; it must be 0 to 2 "
            "(1 gives the real shares, 0.5 about 2.3 tags a clip)."
        )
    listeners = listeners or read_listeners()
    weak = np.zeros_like(true_tags)
    waiting, attempt = np.arange(len(true_tags)), 0
    false = FALSE_SHARE * listeners.real_shares / (1 - listeners.true_shares)
    while len(waiting):
        stream = f"listeners {attempt}"
        u = uniforms(seed, stream, clip_numbers[waiting], 1 + len(TAGS))
        activity = gammaincinv(ACTIVITY_GAMMA_SHAPE, u[:, :1]) / ACTIVITY_GAMMA_SHAPE
        hit = 1 - np.exp(-(listeners.tagabilities**tagability_exponent) * activity)
        drawn = u[:, 1:] < np.where(true_tags[waiting], hit, false)
        weak[waiting] = drawn
        waiting, attempt = waiting[~drawn.any(axis=1)], attempt + 1
    return weak
