"""What differences a study can tell from chance: said before it trains, and after.

Two points with S seeds each, scored on N test clips, are told apart where their macro
ROC-AUC differs by more than half the 95 % interval of the difference (`comparison.py`).
"""

import math
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.pages.tables import ABSENT, Table, duration, number
from studies import comparison, statistics
from studies.records import RunRecord
from studies.texts import captioned

# Guesses, for a study of which nothing is trained: the deviation of a run over seeds,
# and the standard error over test clips of a difference of two runs, times the root of
# the number of clips. Thirteen runs on 450 clips had 0.0095 and 0.125
# (configs/label_noise.py).
GUESSED_STD, GUESSED_CLIPS_ERROR = 0.01, 0.13
SEEDS = (2, 3, 5, 10, 15)
# Of one run, in clips a second for each CPU core, before anything is measured.
GUESSED_CLIPS_PER_S = 30.0


class Foresight(NamedTuple):
    """How much chance there is in the scores of a study."""

    num_clips: int  # Of the test split.
    std: float  # Of a run over seeds.
    clips_error: float  # Standard error of a difference over test clips.
    num_points: int = 0  # Complete ones that this comes from.
    guesses: tuple[str, ...] = ()  # What does not, for people.

    @property
    def basis(self) -> str:
        """Says where the two deviations come from."""
        if not self.guesses:
            return f"as measured in {self.num_points} complete points"
        end = "are guesses" if self.guesses[1:] else "is a guess"
        return f"{' and '.join(self.guesses)} {end}"

    def visible(self, num_seeds: int, pairs: int = 1) -> float:
        """Computes half the interval of a difference of points; infinite for one seed.

        A sweep compares every pair of its points, and corrects for so many.
        """
        over_seeds = statistics.t_half_width(
            math.sqrt(2) * self.std, num_seeds, num_seeds - 1, pairs
        )
        over_clips = statistics.normal_half_width(self.clips_error, 1, pairs)
        half = math.hypot(over_seeds, over_clips)
        return half if math.isfinite(half) else math.inf

    def sentence(self, num_seeds: Collection[int], pairs: int = 1) -> str:
        """Says what points of each number of seeds show, in each of so many pairs."""
        several = sorted({n for n in num_seeds if n > 1})
        if not several:
            return (
                "no difference between two points can be told from chance with one "
                "seed each: give --config.num_seeds=3"
            )
        least = (f"{self.visible(n, pairs):.4f} with {n} seeds each" for n in several)
        return (
            "two points can be told apart if their macro ROC-AUC differs by at least "
            f"{' or '.join(least)} (95 %{_of(pairs)}; {self.num_clips:,} test clips; "
            f"{self.basis})"
        )


def _of(pairs: int) -> str:
    return f" for {pairs} pairs at once" if pairs > 1 else ""


def foresee(points: Mapping[str, RunRecord], num_clips: int) -> Foresight:
    """Takes the chance in scores from complete points, or guesses without."""
    std, freedom = comparison.run_spread(points, "weak")
    placed = comparison.place(points, "weak")
    errors = [
        placed.error({one: 1.0, other: -1.0})
        for one, other in pairwise(placed.placements)
    ]
    guesses = []
    if not freedom:
        std = GUESSED_STD
        guesses.append(f"a deviation of {std} over seeds")
    if errors:
        clips_error = float(np.median(errors))
    else:
        clips_error = GUESSED_CLIPS_ERROR / math.sqrt(num_clips)
        guesses.append(f"a standard error of {number(clips_error)} over test clips")
    return Foresight(num_clips, std, clips_error, len(points), tuple(guesses))


class Speed(NamedTuple):
    """How fast a study trains."""

    clips_per_s: float  # Counted for every seed.
    basis: str  # For people.


def speed(points: Mapping[str, RunRecord], num_cores: int) -> Speed | None:
    """Returns the speed of complete points, or a guess by the number of CPU cores.

    None where nothing is complete and no cores are given, as on an accelerator.
    """
    known = [(one.summary["num_seeds"], one.summary) for one in points.values()]
    rates = [n * one["clips_per_s"] for n, one in known if one.get("clips_per_s")]
    if rates:
        return Speed(
            float(np.median(rates)), f"as fast as {len(rates)} complete points"
        )
    if not num_cores:
        return None
    rate = GUESSED_CLIPS_PER_S * num_cores
    return Speed(rate, f"a guess: {rate:g} clips/s on {num_cores} cores")


def table(points: Mapping[str, RunRecord], is_sweep: bool = False) -> Table | None:
    """Tabulates which difference so many seeds a point show, and the time they take.

    None where fewer than two seeds, or fewer than two points, are trained. Of a sweep
    all pairs are compared.
    """
    if len(points) < 2:
        return None
    some = next(iter(points.values()))
    found = foresee(points, int(some.summary["scores"]["test"]["num_clips"]))
    if found.guesses:
        return None
    times = [
        (one.summary.get("train_seconds") or math.nan) / int(one.summary["num_seeds"])
        for one in points.values()
    ]
    a_seed = float(np.sum(times))
    is_timed = math.isfinite(a_seed)
    pairs = math.comb(len(points), 2) if is_sweep else 1
    columns = {
        "seeds a point": SEEDS,
        "smallest difference": [number(found.visible(n, pairs)) for n in SEEDS],
        "training": [duration(n * a_seed) if is_timed else ABSENT for n in SEEDS],
    }
    std, error = number(found.std), number(found.clips_error)
    words: dict[str, Any] = {
        "clips": found.num_clips,
        "std": std,
        "error": error,
        "pairs": _of(pairs),
    }
    return captioned("foresight", columns, **words)
