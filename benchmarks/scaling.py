"""How speed and memory grow with the batch size, the seeds and the clips."""

from collections.abc import Iterator, Sequence

from benchmarks.options import Options
from benchmarks.race import Entrant, Lane, race
from benchmarks.results import Part, Table, gigabytes
from benchmarks.spread import Spread, significant

BATCH_SIZES = (4, 8, 16, 32, 64)
SEEDS = (1, 2, 4, 8, 15)


def run(options: Options) -> Part:
    """A process for each point, so that each has a peak of its own."""
    sizes = options.sizes(BATCH_SIZES, (32, 64, 128, 256, 512))
    seeds = (1, 2) if options.quick else SEEDS
    size = options.sizes((8,), (32,))[0]
    rounds = options.fewer_rounds
    by_size = race(list(_by_size(options, sizes)), rounds, options.seconds)
    by_seeds = race(list(_by_seeds(options, seeds, size)), rounds, options.seconds)
    tables = [
        _table("Batch size, one seed", "B", by_size, [str(n) for n in sizes]),
        _table(
            f"Seeds, {size} clips in a batch", "S", by_seeds, [str(n) for n in seeds]
        ),
    ]
    races = {"batch size": by_size, "seeds": by_seeds}
    return Part("scaling", [], tables, races)


def _by_size(options: Options, sizes: Sequence[int]) -> Iterator[Entrant]:
    for size in sizes:
        yield _entrant(options, f"batch {size}", 1, size)


def _by_seeds(options: Options, seeds: Sequence[int], size: int) -> Iterator[Entrant]:
    for number in seeds:
        yield _entrant(options, f"{number} seeds", number, size)


def _entrant(options: Options, name: str, num_seeds: int, size: int) -> Entrant:
    on_cpu = options.backend == "cpu"
    return Entrant(
        name,
        "benchmarks.ours:Training",
        {"platform": options.platform, "num_seeds": num_seeds},
        ({"batch_size": size},),
        memory_gib=0.5 + 0.07 * (size if on_cpu else 8),
    )


def _table(title: str, symbol: str, lanes: list[Lane], values: list[str]) -> Table:
    columns = (symbol, "clip-seeds/s", "/ first row", "peak memory", "first step")
    rows = []
    for value, lane in zip(values, lanes, strict=True):
        if lane.failure:
            rows.append([value, lane.failure, "", "", ""])
            continue
        found = Spread.of(lane.rates.values())
        first = None if lanes[0].failure else Spread.of(lanes[0].rates.values()).median
        first_step_s = significant(lane.prepared["first_step_s"], 2)
        rows.append(
            [
                value,
                found.text(),
                significant(found.median / first) if first else "",
                gigabytes(lane.peak_memory_bytes),
                f"{first_step_s} s",
            ]
        )
    note = "The first step includes its compilation. Peak memory is the process's."
    return Table(title, columns, rows, note)
