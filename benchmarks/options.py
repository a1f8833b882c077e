"""What the command line chooses."""

from pathlib import Path
from typing import NamedTuple


class Options(NamedTuple):
    """Of all parts.

    Attributes:
        scratch: Folder for this run's files; deleted at the end.
        weights: File of initial weights for the peers.
        trained_weights: File of weights after some steps.
        platform: "cpu", "gpu", "tpu" or "".
        batch_sizes: To use instead of each part's own; () for those.
        rounds: Visits to each contestant.
        seconds: Of each visit.
        quick: Few contestants, tiny sizes: shows that it runs, measures nothing.
        backend: Of JAX, as it was found.
    """

    scratch: Path
    weights: str
    trained_weights: str
    platform: str = ""
    batch_sizes: tuple[int, ...] = ()
    rounds: int = 5
    seconds: float = 1.0
    quick: bool = False
    backend: str = "cpu"

    @property
    def fewer_rounds(self) -> int:
        """For long or steady races."""
        return max(1, self.rounds - 2)

    def sizes(self, on_cpu: tuple[int, ...], elsewhere: tuple[int, ...]) -> tuple:
        """Batch sizes of a part: those asked for, else its own."""
        if self.batch_sizes:
            return self.batch_sizes
        if self.quick:
            return (2,)
        return on_cpu if self.backend == "cpu" else elsewhere
