"""The floor: what a step must compute and move, at this machine's measured rates."""

from typing import Any

from benchmarks import costs, problem
from benchmarks.options import Options
from benchmarks.race import Entrant, Lane, find, race
from benchmarks.results import Part, Table
from benchmarks.spread import Spread, significant
from msd_tagger.network.pools import POOLS

CHANNELS = 32
BYTES = {"float32": 4, "bfloat16": 2}


def run(options: Options) -> Part:
    """Measures rates and a training step in the same rounds."""
    size = options.sizes((8,), (128,))[0]
    setting = {"batch_size": size}
    platform = {"platform": options.platform}
    dtypes = ("float32",) if options.quick else tuple(BYTES)
    entrants = [
        Entrant(
            "ours" if dtype == "float32" else "ours bf16",
            "benchmarks.ours:Training",
            platform | {"dtype": dtype},
            (setting,),
            memory_gib=0.5 + 0.07 * size,
        )
        for dtype in dtypes
    ]
    kinds = tuple({"kind": kind} for kind in ("float32", "bfloat16", "copy", "write"))
    num_bytes = 10**8 if options.quick else 10**9
    rates = Entrant(
        "rates",
        "benchmarks.rates:Rates",
        platform | {"num_bytes": num_bytes},
        kinds,
        memory_gib=2.5,
    )
    lanes = race([rates, *entrants], options.rounds, 0.5 * options.seconds)
    network = costs.layers((problem.BANDS, problem.FRAMES), POOLS["mel"], CHANNELS)
    steps = {
        dtype: _step(lanes, entrant.name, dtype, network, setting)
        for dtype, entrant in zip(dtypes, entrants, strict=True)
    }
    tables = [_rate_table(lanes), _step_table(steps, size)]
    return Part("floor", [], tables, {"all": lanes}, {"steps": steps})


def _step(
    lanes: list[Lane], name: str, dtype: str, network: list, setting: dict
) -> dict[str, Any]:
    """Seconds of a step: at least by arithmetic and by traffic, and in fact."""
    size = setting["batch_size"]
    flops = size * costs.training_flops(network, problem.TAGS)
    moved = size * costs.training_bytes(network, BYTES[dtype])
    lane = find(lanes, name, **setting)
    products, copies = (find(lanes, "rates", kind=kind) for kind in (dtype, "copy"))
    failure = lane.failure or products.failure or copies.failure
    if failure:
        return {"failure": failure}
    gemm, copy = (Spread.of(one.rates.values()).median for one in (products, copies))
    arithmetic_s, traffic_s = flops / gemm, moved / copy
    step_s = size / Spread.of(lane.rates.values()).median
    return {
        "gflop": flops / 1e9,
        "gigabytes": moved / 1e9,
        "arithmetic_s": arithmetic_s,
        "traffic_s": traffic_s,
        "step_s": step_s,
        "ratio_to_floor": step_s / max(arithmetic_s, traffic_s),
    }


def _rate_table(lanes: list[Lane]) -> Table:
    names = {
        "float32": ("matrix product, float32", "GFLOP/s"),
        "bfloat16": ("matrix product, bfloat16", "GFLOP/s"),
        "copy": ("copy of 1 GB (read and written bytes)", "GB/s"),
        "write": ("write of 1 GB to memory in use", "GB/s"),
    }
    rows = []
    for kind, (name, unit) in names.items():
        lane = find(lanes, "rates", kind=kind)
        rates = [rate / 1e9 for rate in lane.rates.values()]
        found = f"{Spread.of(rates).text()} {unit}" if rates else lane.failure or ""
        rows.append([name, found])
    return Table("Rates of this machine, all cores", ("what", "rate"), rows)


def _step_table(steps: dict[str, dict], size: int) -> Table:
    columns = (
        "step",
        "GFLOP",
        "GB",
        "floor by arithmetic",
        "floor by traffic",
        "measured",
        "measured / higher floor",
    )
    rows = []
    for dtype, step in steps.items():
        if "failure" in step:
            rows.append([dtype, step["failure"], "", "", "", "", ""])
            continue
        floors = (step["arithmetic_s"], step["traffic_s"], step["step_s"])
        rows.append(
            [
                dtype,
                significant(step["gflop"]),
                significant(step["gigabytes"]),
                *(f"{significant(1e3 * seconds)} ms" for seconds in floors),
                significant(step["ratio_to_floor"]),
            ]
        )
    note = (
        "Counted are convolutions and the last layer, and maps that cannot stay in a "
        "cache: each raw map written, read, its gradient written and read once "
        "(`benchmarks/costs.py`). A step that computes a raw map again instead of "
        "keeping it trades traffic for arithmetic that is not counted here. A floor "
        "assumes that arithmetic and traffic overlap."
    )
    return Table(f"A training step of {size} clips", columns, rows, note)
