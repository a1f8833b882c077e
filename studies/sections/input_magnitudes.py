"""Figs 6 and 8: how the magnitudes of the input are spread, over values and bands."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table, percent
from studies.records import SweepRecord
from studies.study import FAILS, HOLDS, UNDECIDED, Claim, Study
from studies.study_figures import tags as drawn

NAMES = {"db": "decibels", "linear": "power"}

# Thresholds of our own: the paper shows curves.
LOW_HZ = 500  # "below a few hundred Hz"
FLAT_SHARE = 0.05  # Of the range of the unweighted curve.
NEAR_NORMAL = 0.1  # Largest distance of the distribution functions.
EXTREME = 10  # Deviations.


def magnitudes(record: SweepRecord) -> Study:
    """The figures and claims of `input_stats.npz`, as far as it is there."""
    arrays = record.arrays("input_stats")
    if "histogram_db" not in arrays:
        sentence = "Without input_stats.npz, Figs 6 and 8 are left out."
        return Study("input", "", [sentence])
    edges = arrays["histogram_edges"]
    shares = {kind: arrays[f"histogram_{kind}"] for kind in NAMES}
    means = {
        kind: arrays[f"band_mean_{kind}"]
        for kind in drawn.WEIGHTINGS
        if f"band_mean_{kind}" in arrays
    }
    centres_hz = arrays["band_centres_hz"]
    spectrogram = record.config.get("spectrogram", {}).get("kind", "mel")
    sentence = (
        f"Magnitudes of {int(arrays['num_clips'])} training clips in {len(centres_hz)} "
        f"bands ({spectrogram}), each clip standardised; the paper takes "
        f"{paper.INPUT_EXCERPTS}."
    )
    return Study(
        name="input",
        title="",
        paragraphs=[sentence],
        illustrations=[_histograms(edges, shares), _band_means(centres_hz, means)],
        claims=[
            gaussian_claim(edges, shares),
            extremes_claim(edges, shares),
            *(band_claims(centres_hz, means)),
        ],
    )


def distance_from_normal(edges: np.ndarray, shares: np.ndarray) -> float:
    """Kolmogorov's distance of a histogram from the standard normal distribution.

    Args:
        edges: of the intervals [I + 1].
        shares: of the values in each interval [I]; the outermost take what is beyond.

    Returns:
        The largest difference of the distribution functions, at the inner edges.
    """
    found = np.cumsum(shares)[:-1]
    return float(np.abs(found - stats.norm.cdf(edges[1:-1])).max())


def share_beyond(edges: np.ndarray, shares: np.ndarray, limit: float) -> float:
    """The share of values that are more than `limit` above the mean."""
    return float(shares[edges[:-1] >= limit - 1e-9].sum())


def gaussian_claim(edges: np.ndarray, shares: dict[str, np.ndarray]) -> Claim:
    """Fig. 6, left."""
    far = {kind: distance_from_normal(edges, share) for kind, share in shares.items()}
    near, nearer = far["db"] < NEAR_NORMAL, far["db"] < far["linear"]
    verdict = HOLDS if near and nearer else UNDECIDED if nearer else FAILS
    return Claim(
        "Decibels make the distribution of bins approximately Gaussian.",
        "IV-C, Fig. 6",
        "a curve",
        f"distance from a normal distribution {far['db']:.3f}; of power "
        f"{far['linear']:.3f}",
        verdict,
        "the largest difference of the distribution functions; approximately means "
        f"below {NEAR_NORMAL} and nearer than power, which is our threshold.",
    )


def extremes_claim(edges: np.ndarray, shares: dict[str, np.ndarray]) -> Claim:
    """Fig. 6, right."""
    beyond = {kind: share_beyond(edges, v, EXTREME) for kind, v in shares.items()}
    inside = float(shares["linear"][(edges[1:] <= 0.5) & (edges[:-1] >= -0.5)].sum())
    fits = beyond["linear"] > beyond["db"] and inside > 2 * (stats.norm.cdf(0.5) - 0.5)
    return Claim(
        "Power is condensed in a very small range and has extreme values; decibels "
        "have none.",
        "IV-C, Fig. 6",
        "a curve",
        f"power: {percent(inside)} within half a deviation, "
        f"{percent(beyond['linear'])} above {EXTREME} deviations; "
        f"decibels: {percent(beyond['db'])}",
        HOLDS if fits and beyond["db"] == 0 else FAILS,
        f"of a normal distribution {percent(2 * stats.norm.cdf(0.5) - 1)} lie within "
        f"half a deviation and none above {EXTREME}.",
    )


def band_claims(centres_hz: np.ndarray, means: dict[str, np.ndarray]) -> list[Claim]:
    """Fig. 8: where the unweighted curve peaks, and which weighting makes it flat."""
    if not {"bypass", "per_frequency"} <= set(means):
        return []
    peak_hz = float(centres_hz[np.argmax(means["bypass"])])
    ranges = {kind: float(np.ptp(curve)) for kind, curve in means.items()}
    share = ranges["per_frequency"] / ranges["bypass"]
    return [
        Claim(
            "Without weighting, mean magnitude peaks at low frequencies.",
            "IV-D, Fig. 8",
            "a curve",
            f"the peak is at {peak_hz:,.0f} Hz",
            HOLDS if peak_hz < LOW_HZ else FAILS,
            f"low means below {LOW_HZ} Hz, which is our threshold.",
        ),
        Claim(
            "Standardising each frequency makes the mean response flat.",
            "IV-D, Fig. 8",
            "a curve",
            f"it ranges over {ranges['per_frequency']:.2g} deviations, without "
            f"weighting over {ranges['bypass']:.2g}",
            HOLDS if share < FLAT_SHARE else FAILS,
            f"flat means below {percent(FLAT_SHARE)} of the range without weighting, "
            "which is our threshold.",
        ),
    ]


def _histograms(edges: np.ndarray, shares: dict[str, np.ndarray]) -> Illustration:
    columns = (edges[:-1], edges[1:], *(shares[kind] for kind in NAMES))
    rows = [[f"{cell:.6g}" for cell in row] for row in zip(*columns, strict=True)]
    return Illustration(
        name="magnitude_histograms",
        plot=partial(drawn.magnitude_histograms, edges, shares),
        alt="Histograms of standardised bins: a bell in decibels, a spike as power.",
        caption=(
            "Fig. 6. Magnitudes after standardisation. The inset shows both on a "
            "logarithmic axis, up to its end; the rest of power lies beyond."
        ),
        numbers=Table.of_rows(
            "Share of bins in each interval, the outermost with what lies beyond",
            ("from", "to", *NAMES.values()),
            rows,
        ),
    )


def _band_means(centres_hz: np.ndarray, means: dict[str, np.ndarray]) -> Illustration:
    rows = [
        [f"{centre:.3f}", *(f"{curve[k]:.6g}" for curve in means.values())]
        for k, centre in enumerate(centres_hz)
    ]
    return Illustration(
        name="band_means",
        plot=partial(drawn.band_means, centres_hz, means),
        alt="Mean magnitude by frequency for the three weightings.",
        caption="Fig. 8. Mean magnitude of each band for three frequency weightings.",
        numbers=Table.of_rows("Mean magnitude of each band", ("Hz", *means), rows),
    )
