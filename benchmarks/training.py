"""Training clips/s: ours, the same network in PyTorch, and written plainly in Flax."""

from collections.abc import Iterator, Sequence

from benchmarks.options import Options
from benchmarks.race import Entrant, Lane, race
from benchmarks.results import Part, Requirement, Table, compare, lane_table
from benchmarks.spread import best

SEEDS = 15
# The first loss is that of equal weights. Later ones have passed through Adam, which
# turns the rounding of gradients near zero into whole steps.
FLOAT32, BFLOAT16 = (1e-3, 2e-2), (1e-2, 0.15)
ALIKE, AS_STARTED = "allocator alike", "as a user starts it"

# Names and options of the PyTorch contestants.
TORCH: dict[str, dict[str, bool]] = {
    "PyTorch eager": {},
    "PyTorch channels-last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels-last": {"compiled": True, "channels_last": True},
    "PyTorch bf16 channels-last": {"channels_last": True, "bfloat16": True},
    "PyTorch bf16 compiled channels-last": {
        "channels_last": True,
        "compiled": True,
        "bfloat16": True,
    },
}
QUICK = ("PyTorch channels-last", "PyTorch bf16 channels-last")


def run(options: Options) -> Part:
    """Two races: every allocator set alike; and all as a user starts them.

    Ours sets its allocator itself in both.
    """
    sizes = sorted(options.sizes((8, 16), (32, 128, 512)))
    ours = list(_ours(options, sizes))
    alike = race(
        [*ours, *_peers(options, sizes, True)], options.rounds, options.seconds, 2
    )
    rounds = options.fewer_rounds
    started = race([ours[0], *_peers(options, sizes, False)], rounds, options.seconds)
    return Part(
        "training",
        _requirements(alike, started),
        list(_tables(alike, started)),
        {ALIKE: alike, AS_STARTED: started},
    )


def _ours(options: Options, sizes: Sequence[int]) -> Iterator[Entrant]:
    settings = _settings(sizes)
    factory, platform = "benchmarks.ours:Training", {"platform": options.platform}
    memory_gib = _memory_gib(sizes, 0.07, options)
    yield Entrant(
        "ours", factory, platform, settings, memory_gib=memory_gib, tolerances=FLOAT32
    )
    bfloat16 = platform | {"dtype": "bfloat16"}
    yield Entrant(
        "ours bf16",
        factory,
        bfloat16,
        settings,
        memory_gib=memory_gib,
        tolerances=BFLOAT16,
    )
    yield Entrant(
        f"ours {SEEDS} seeds",
        factory,
        platform | {"num_seeds": 2 if options.quick else SEEDS},
        settings[:1],
        memory_gib=_memory_gib(sizes[:1], 0.15, options),
        tolerances=FLOAT32,
    )


def _peers(options: Options, sizes: Sequence[int], alike: bool) -> Iterator[Entrant]:
    weights = {"weights": options.weights}
    # One size, as it takes longest by far.
    yield Entrant(
        "plain Flax",
        "benchmarks.plain_flax:Training",
        weights,
        _settings(sizes[:1]),
        alike,
        _memory_gib(sizes[:1], 0.2, options),
        FLOAT32,
    )
    for name, choices in TORCH.items():
        if options.quick and name not in QUICK:
            continue
        half = choices.get("bfloat16")
        # On a CPU every size costs half a minute of C++ compilation.
        once = choices.get("compiled") and options.backend == "cpu"
        of_peer = sizes[:1] if once else sizes
        memory_gib = _memory_gib(of_peer, 0.09 if half else 0.15, options)
        yield Entrant(
            name,
            "benchmarks.torch_network:Training",
            weights | choices | {"platform": options.platform},
            _settings(of_peer),
            alike,
            memory_gib,
            BFLOAT16 if half else FLOAT32,
            {"TORCHINDUCTOR_CACHE_DIR": str(options.scratch / "inductor")},
        )


def _requirements(alike: list[Lane], started: list[Lane]) -> list[Requirement]:
    ours, peer = best(named(alike, "ours")), best(float32_torch(alike))
    any_ours = best([*named(alike, "ours"), *named(alike, "ours bf16")])
    any_peer = best(torch_lanes(alike))
    seeds = best(named(alike, f"ours {SEEDS} seeds"))
    # One seed at the batch size of the fifteen: only the number of seeds differs.
    size = seeds and seeds.setting
    single = next((x for x in named(alike, "ours") if x.setting == size), None)
    missing = missing_torch(alike)
    what = "training, one seed, against the best float32 PyTorch"
    return [
        compare(f"{what}, {ALIKE}", 1.2, ours, peer, missing),
        compare(
            f"{what}, {AS_STARTED}",
            3.0,
            best(named(started, "ours")),
            best(float32_torch(started)),
            missing,
        ),
        compare(
            f"training, one seed, best dtype against best dtype, {ALIKE}",
            1.0,
            any_ours,
            any_peer,
            missing,
        ),
        compare(
            f"{SEEDS} seeds in one job (clip-seeds/s) against our single seed",
            1.0,
            seeds,
            single,
        ),
        compare(
            f"{SEEDS} seeds in one job against the best float32 PyTorch training them "
            f"one after another, {ALIKE}",
            1.2,
            seeds,
            peer,
            missing,
        ),
    ]


def _tables(alike: list[Lane], started: list[Lane]) -> Iterator[Table]:
    losses = (
        "The losses of the first three steps were compared before anything was timed. "
    )
    yield lane_table(
        f"Training, {ALIKE}",
        alike,
        best(float32_torch(alike)),
        "clips/s (seeds: clip-seeds/s)",
        f"{losses}Several models trained one after another run at the speed of one, so "
        "that is what several seeds are compared with.",
    )
    yield lane_table(
        f"Training, {AS_STARTED}",
        started,
        best(float32_torch(started)),
        "clips/s",
        "PyTorch and plain Flax with glibc's own settings; ours sets its allocator at "
        "its start.",
    )


def named(lanes: Sequence[Lane], name: str) -> list[Lane]:
    """Lanes of one entrant."""
    return [lane for lane in lanes if lane.name == name]


def torch_lanes(lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes of PyTorch."""
    return [lane for lane in lanes if lane.name.startswith("PyTorch")]


def float32_torch(lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes of PyTorch that compute in float32."""
    return [lane for lane in torch_lanes(lanes) if "bf16" not in lane.name]


def missing_torch(lanes: Sequence[Lane]) -> str:
    """Why no lane of PyTorch ran."""
    failures = [lane.failure for lane in torch_lanes(lanes) if lane.failure]
    return failures[0] if failures else "no such contestant ran"


def _settings(sizes: Sequence[int]) -> tuple[dict[str, int], ...]:
    return tuple({"batch_size": size} for size in sizes)


def _memory_gib(sizes: Sequence[int], per_clip: float, options: Options) -> float:
    """What a worker needs on the host, from measured peaks."""
    return 0.5 + per_clip * (max(sizes) if options.backend == "cpu" else 8)
