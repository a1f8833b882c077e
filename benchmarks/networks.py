"""Clips/s of training and of inference: ours, PyTorch at its best, and plain Flax."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import results
from benchmarks.race import Entrant, Lane, Options, race
from benchmarks.results import Part, best, compare

SEEDS = 15
ALIKE, AS_STARTED = "allocator alike", "as a user starts it"
OURS_SEEDS = f"ours {SEEDS} seeds"
# What the words of a PyTorch contestant's name choose.
TORCH_OPTIONS = {
    "bf16": "bfloat16",
    "compiled": "compiled",
    "channels-last": "channels_last",
    "frozen": "frozen",
}
# Contestants, and the host memory that each needs for a clip, from measured peaks.
GIB_PER_CLIP = {
    "training": {
        "ours": 0.07,
        "ours bf16": 0.07,
        OURS_SEEDS: 0.15,
        "plain Flax": 0.2,
        "PyTorch eager": 0.15,
        "PyTorch channels-last": 0.15,
        "PyTorch compiled": 0.15,
        "PyTorch compiled channels-last": 0.15,
        "PyTorch bf16 channels-last": 0.09,
        "PyTorch bf16 compiled channels-last": 0.09,
    },
    "inference": {
        "ours": 0.04,
        "ours bf16": 0.04,
        "plain Flax": 0.1,
        "PyTorch eager": 0.06,
        "PyTorch channels-last": 0.06,
        "PyTorch compiled": 0.06,
        "PyTorch compiled channels-last": 0.06,
        "PyTorch compiled channels-last frozen": 0.06,
        "PyTorch bf16 compiled channels-last frozen": 0.06,
    },
}
QUICK = ("PyTorch channels-last", "PyTorch bf16 channels-last")
# How far the compared values may be apart, in float32 and in bfloat16. The first loss
# is that of equal weights. Later ones have passed through Adam, which turns the
# rounding of gradients near zero into whole steps. Of inference they are logits.
TOLERANCES = {
    "training": ((1e-3, 2e-2), (1e-2, 0.15)),
    "inference": ((2e-3,), (0.5,)),
}


def training(options: Options) -> Part:
    """Runs two races: every allocator set alike; and all as a user starts them.

    Ours sets its allocator itself in both.
    """
    sizes = options.sizes((8, 16), (32, 128, 512))
    entrants = list(_entrants("training", options, sizes))
    alike = race(entrants, options.rounds, options.seconds, num_references=2)
    peers = [x._replace(keep_buffers=False) for x in entrants if "ours" not in x.name]
    started = race([entrants[0], *peers], options.fewer_rounds, options.seconds)
    tables = [
        _table(
            f"Training, {ALIKE}",
            alike,
            "clips/s (seeds: clip-seeds/s)",
            "The losses of the first three steps were compared before anything was "
            "timed. Several models trained one after another run at the speed of one, "
            "so that is what several seeds are compared with.",
        ),
        _table(
            f"Training, {AS_STARTED}",
            started,
            "clips/s",
            "PyTorch and plain Flax with glibc's own settings; ours sets its allocator "
            "at its start.",
        ),
    ]
    ours, peer = best(_named(alike, "ours")), best(_float32_torch(alike))
    seeds = best(_named(alike, OURS_SEEDS))
    # One seed at the batch size of the fifteen: only the number of seeds differs.
    size = seeds and seeds.setting
    single = next((x for x in _named(alike, "ours") if x.setting == size), None)
    user, user_peer = best(_named(started, "ours")), best(_float32_torch(started))
    missing = _missing(alike)
    one, many = "training, one seed", f"{SEEDS} seeds in one job"
    rest = "against the best float32 PyTorch"
    in_turn = f"{rest} training them one after another"
    dtypes = f"{one}, best dtype against best dtype, {ALIKE}"
    any_ours, any_torch = best(_single_seed(alike)), best(_torch(alike))
    summary = [
        compare(f"{one}, {rest}, {ALIKE}", ours, peer, missing),
        compare(f"{one}, {rest}, {AS_STARTED}", user, user_peer, missing),
        compare(dtypes, any_ours, any_torch, missing),
        compare(f"{many} (clip-seeds/s) against our single seed", seeds, single),
        compare(f"{many} {in_turn}, {ALIKE}", seeds, peer, missing),
    ]
    return Part("training", summary, tables, {ALIKE: alike, AS_STARTED: started})


def inference(options: Options) -> Part:
    """Runs one race, every allocator set alike."""
    sizes = options.sizes((8, 32), (32, 128, 512))
    entrants = list(_entrants("inference", options, sizes))
    lanes = race(entrants, options.rounds, 0.7 * options.seconds, num_references=2)
    fastest = (best(_single_seed(lanes)), best(_torch(lanes)))
    ratio = compare(
        f"inference against the best PyTorch, float32, {ALIKE}",
        best(_named(lanes, "ours")),
        best(_float32_torch(lanes)),
        _missing(lanes),
    )
    table = _table(
        f"Inference, {ALIKE}",
        lanes,
        "clips/s",
        "Stored spectrograms in, scores on the host out. Logits were compared before "
        "anything was timed. Fastest of all: "
        f"{' and '.join(lane.name for lane in fastest if lane)}.",
    )
    return Part("inference", [ratio], [table], {"all": lanes})


def _entrants(task: str, options: Options, sizes: Sequence[int]) -> Iterator[Entrant]:
    trains, on_cpu = task == "training", options.backend == "cpu"
    given: dict[str, Any]
    given = {"weights": options.weights if trains else options.trained_weights}
    platform: dict[str, Any] = {"platform": options.platform}
    for name, gib in GIB_PER_CLIP[task].items():
        words, is_torch = name.split(), name.startswith("PyTorch")
        if is_torch and options.quick and name not in QUICK:
            continue
        if is_torch:
            module, choices = "pytorch", given | platform
            choices |= {TORCH_OPTIONS[x]: True for x in words if x in TORCH_OPTIONS}
        elif "Flax" in words:
            module, choices = "plain_flax", given
        else:
            # Training makes the initial weights itself; they are those of the file.
            module, choices = "ours", platform | ({} if trains else given)
            if "bf16" in words:
                choices["dtype"] = "bfloat16"
            if "seeds" in words:
                choices["num_seeds"] = 2 if options.quick else SEEDS
        # Of what takes longest one size. On a CPU every compiled one of PyTorch costs
        # half a minute of C++ compilation.
        once = "seeds" in words or "Flax" in words
        once = once or (trains and "compiled" in words and on_cpu)
        of = sizes[:1] if once else sizes
        yield Entrant(
            name,
            f"benchmarks.{module}:{task}",
            choices,
            tuple({"batch_size": size} for size in of),
            memory_gib=0.5 + gib * (max(of) if on_cpu else 8),
            tolerances=TOLERANCES[task]["bf16" in words],
            environment=options.torch_environment if is_torch else {},
        )


def _table(title: str, lanes: list[Lane], unit: str, note: str) -> str:
    columns = {
        unit: results.rate,
        **results.against(best(_float32_torch(lanes))),
        "peak memory": results.memory,
        "first step": results.first_step,
    }
    names = {"contestant": results.label}
    return results.lane_table(title, lanes, names, columns, note)


def _named(lanes: Sequence[Lane], *names: str) -> list[Lane]:
    return [lane for lane in lanes if lane.name in names]


def _single_seed(lanes: Sequence[Lane]) -> list[Lane]:
    return _named(lanes, "ours", "ours bf16")


def _torch(lanes: Sequence[Lane]) -> list[Lane]:
    return [lane for lane in lanes if lane.name.startswith("PyTorch")]


def _float32_torch(lanes: Sequence[Lane]) -> list[Lane]:
    return [lane for lane in _torch(lanes) if "bf16" not in lane.name]


def _missing(lanes: Sequence[Lane]) -> str:
    """Says why no lane of PyTorch ran."""
    failures = [lane.failure for lane in _torch(lanes) if lane.failure]
    return failures[0] if failures else results.NONE_RAN
