"""Inference clips/s: evaluation as main.py runs it, against PyTorch at its best."""

from collections.abc import Iterator, Sequence

from benchmarks.options import Options
from benchmarks.race import Entrant, race
from benchmarks.results import Part, compare, lane_table
from benchmarks.spread import best
from benchmarks.training import float32_torch, missing_torch, named, torch_lanes

# Of the first clip's logits.
FLOAT32, BFLOAT16 = (2e-3,), (0.5,)

TORCH: dict[str, dict[str, bool]] = {
    "PyTorch eager": {},
    "PyTorch channels-last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels-last": {"compiled": True, "channels_last": True},
    "PyTorch compiled channels-last frozen": {
        "compiled": True,
        "channels_last": True,
        "frozen": True,
    },
    "PyTorch bf16 compiled channels-last frozen": {
        "compiled": True,
        "channels_last": True,
        "frozen": True,
        "bfloat16": True,
    },
}
QUICK = ("PyTorch channels-last",)


def run(options: Options) -> Part:
    """One race, every allocator set alike."""
    sizes = options.sizes((8, 32), (32, 128, 512))
    lanes = race(
        list(_entrants(options, sizes)), options.rounds, 0.7 * options.seconds, 2
    )
    peer = best(float32_torch(lanes))
    missing = missing_torch(lanes)
    what = "inference against the best PyTorch"
    requirements = [
        compare(
            f"{what}, float32, allocator alike",
            1.0,
            best(named(lanes, "ours")),
            peer,
            missing,
        )
    ]
    table = lane_table(
        "Inference, allocator alike",
        lanes,
        peer,
        "clips/s",
        "Stored spectrograms in, scores on the host out. Logits were compared before "
        f"anything was timed. Fastest of all: {_fastest(lanes)}.",
    )
    return Part("inference", requirements, [table], {"all": lanes})


def _fastest(lanes: Sequence) -> str:
    fastest = (
        best([*named(lanes, "ours"), *named(lanes, "ours bf16")]),
        best(torch_lanes(lanes)),
    )
    return " and ".join(lane.name for lane in fastest if lane)


def _entrants(options: Options, sizes: Sequence[int]) -> Iterator[Entrant]:
    settings = tuple({"batch_size": size} for size in sorted(sizes))
    weights = {"weights": options.trained_weights}
    platform = {"platform": options.platform}
    largest = max(sizes) if options.backend == "cpu" else 8
    for name, dtype, allowed in (
        ("ours", "float32", FLOAT32),
        ("ours bf16", "bfloat16", BFLOAT16),
    ):
        yield Entrant(
            name,
            "benchmarks.ours:Inference",
            weights | platform | {"dtype": dtype},
            settings,
            memory_gib=0.5 + 0.04 * largest,
            tolerances=allowed,
        )
    yield Entrant(
        "plain Flax",
        "benchmarks.plain_flax:Inference",
        weights,
        settings[:1],
        memory_gib=1.5,
        tolerances=FLOAT32,
    )
    for name, choices in TORCH.items():
        if options.quick and name not in QUICK:
            continue
        yield Entrant(
            name,
            "benchmarks.torch_network:Inference",
            weights | platform | choices,
            settings,
            memory_gib=0.5 + 0.06 * largest,
            tolerances=BFLOAT16 if choices.get("bfloat16") else FLOAT32,
            environment={"TORCHINDUCTOR_CACHE_DIR": str(options.scratch / "inductor")},
        )
