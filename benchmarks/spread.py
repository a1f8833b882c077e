"""Medians and their spread."""

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.race import Lane


class Spread(NamedTuple):
    """The middle and the ends of some measurements.

    Attributes:
        median: The middle one.
        lowest: The lowest.
        highest: The highest.
        count: How many there were.
    """

    median: float
    lowest: float
    highest: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value.

        >>> Spread.of([3.0, 1.0, 2.0, 10.0])
        Spread(median=2.5, lowest=1.0, highest=10.0, count=4)
        """
        values = list(values)
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self, digits: int = 3) -> str:
        """Median and ends, to some significant digits.

        >>> Spread(1.2345, 1.1, 1.2999, 3).text()
        '1.23 (1.10 to 1.30)'
        """
        median, lowest, highest = (
            significant(x, digits) for x in (self.median, self.lowest, self.highest)
        )
        return f"{median} ({lowest} to {highest})"


def significant(value: float, digits: int = 3) -> str:
    """A number with so many digits, never in powers of ten.

    >>> [significant(x) for x in (0.01234, 1.2, 98.76, 43210.0)]
    ['0.0123', '1.20', '98.8', '43,210']
    """
    if value == 0:
        return "0"
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def ratios(a: Lane, b: Lane) -> list[float]:
    """Rate of `a` over that of `b`, in each round that both were in."""
    return [
        rate / b.rates[number] for number, rate in a.rates.items() if number in b.rates
    ]


def best(lanes: Sequence[Lane]) -> Lane | None:
    """The fastest by the median of its rates; None where none ran."""
    ran = [lane for lane in lanes if lane.rates and not lane.failure]
    return max(
        ran, key=lambda lane: statistics.median(lane.rates.values()), default=None
    )
