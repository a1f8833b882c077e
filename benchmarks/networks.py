"""Clips/s of training and of inference: ours, PyTorch at its best, and plain Flax."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks import results
from benchmarks.race import Entrant, Lane, Options, race
from benchmarks.results import Part, Requirement, best, compare

SEEDS = 15
ALIKE, AS_STARTED = "allocator alike", "as a user starts it"
# Names and options of the PyTorch contestants.
EAGER: dict[str, dict[str, bool]] = {
    "PyTorch eager": {},
    "PyTorch channels-last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels-last": {"compiled": True, "channels_last": True},
}
BF16_CHANNELS_LAST = {"bfloat16": True, "channels_last": True}
FROZEN = {"compiled": True, "channels_last": True, "frozen": True}
QUICK = ("PyTorch channels-last", "PyTorch bf16 channels-last")


class Task(NamedTuple):
    """What all networks are asked to do.

    Attributes:
        function: Of the contestants' modules.
        ours: Options of this project's contestants, by name.
        torch: Options of PyTorch's, by name.
        gib_per_clip: Host memory for a clip, from measured peaks: of ours, of plain
            Flax, of PyTorch, and of PyTorch in bfloat16.
        float32: How far the compared values may be apart.
        bfloat16: Likewise.
    """

    function: str
    ours: dict[str, dict[str, Any]]
    torch: dict[str, dict[str, bool]]
    gib_per_clip: tuple[float, float, float, float]
    float32: tuple[float, ...]
    bfloat16: tuple[float, ...]


TRAINING = Task(
    "training",
    {
        "ours": {},
        "ours bf16": {"dtype": "bfloat16"},
        f"ours {SEEDS} seeds": {"num_seeds": SEEDS},
    },
    EAGER
    | {
        "PyTorch bf16 channels-last": BF16_CHANNELS_LAST,
        "PyTorch bf16 compiled channels-last": BF16_CHANNELS_LAST | {"compiled": True},
    },
    (0.07, 0.2, 0.15, 0.09),
    # The first loss is that of equal weights. Later ones have passed through Adam,
    # which turns the rounding of gradients near zero into whole steps.
    float32=(1e-3, 2e-2),
    bfloat16=(1e-2, 0.15),
)
INFERENCE = Task(
    "inference",
    {"ours": {}, "ours bf16": {"dtype": "bfloat16"}},
    EAGER
    | {
        "PyTorch compiled channels-last frozen": FROZEN,
        "PyTorch bf16 compiled channels-last frozen": FROZEN | {"bfloat16": True},
    },
    (0.04, 0.1, 0.06, 0.06),
    # Of logits.
    float32=(2e-3,),
    bfloat16=(0.5,),
)


def training(options: Options) -> Part:
    """Runs two races: every allocator set alike; and all as a user starts them.

    Ours sets its allocator itself in both.
    """
    sizes = options.sizes((8, 16), (32, 128, 512))
    entrants = list(_entrants(TRAINING, options, sizes, options.weights))
    alike = race(entrants, options.rounds, options.seconds, num_references=2)
    peers = [x._replace(keep_buffers=False) for x in entrants if _is_peer(x.name)]
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
    races = {ALIKE: alike, AS_STARTED: started}
    return Part("training", _training_requirements(alike, started), tables, races)


def inference(options: Options) -> Part:
    """Runs one race, every allocator set alike."""
    sizes = options.sizes((8, 32), (32, 128, 512))
    entrants = list(_entrants(INFERENCE, options, sizes, options.trained_weights))
    lanes = race(entrants, options.rounds, 0.7 * options.seconds, num_references=2)
    fastest = (best(_ours(lanes)), best(_torch(lanes)))
    requirement = compare(
        f"inference against the best PyTorch, float32, {ALIKE}",
        1.0,
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
    return Part("inference", [requirement], [table], {"all": lanes})


def _entrants(
    task: Task, options: Options, sizes: Sequence[int], weights: str
) -> Iterator[Entrant]:
    given = {"weights": weights}
    platform = {"platform": options.platform}

    def entrant(
        name: str, module: str, of: Sequence[int], number: int, **choices: Any
    ) -> Entrant:
        clips = max(of) if options.backend == "cpu" else 8
        return Entrant(
            name,
            f"benchmarks.{module}:{task.function}",
            choices,
            tuple({"batch_size": size} for size in of),
            memory_gib=0.5 + task.gib_per_clip[number] * clips,
            tolerances=task.bfloat16 if "bf16" in name else task.float32,
            environment=options.torch_environment if module == "torch_network" else {},
        )

    for name, choices in task.ours.items():
        of = sizes[:1] if "num_seeds" in choices else sizes
        if options.quick and "num_seeds" in choices:
            choices = {"num_seeds": 2}
        # Training makes the initial weights itself; they are those of the file.
        mine = platform | choices | (given if task is INFERENCE else {})
        yield entrant(name, "ours", of, 2 if "num_seeds" in choices else 0, **mine)
    # One size, as it takes longest by far.
    yield entrant("plain Flax", "plain_flax", sizes[:1], 1, **given)
    for name, chosen in task.torch.items():
        if options.quick and name not in QUICK:
            continue
        # On a CPU every size costs half a minute of C++ compilation.
        once = task is TRAINING and "compiled" in chosen and options.backend == "cpu"
        of, number = sizes[:1] if once else sizes, 3 if "bfloat16" in chosen else 2
        torch = given | platform | chosen
        yield entrant(name, "torch_network", of, number, **torch)


def _training_requirements(alike: list[Lane], started: list[Lane]) -> list[Requirement]:
    ours, peer = best(_named(alike, "ours")), best(_float32_torch(alike))
    seeds = best(_named(alike, f"ours {SEEDS} seeds"))
    # One seed at the batch size of the fifteen: only the number of seeds differs.
    size = seeds and seeds.setting
    single = next((x for x in _named(alike, "ours") if x.setting == size), None)
    user, user_peer = best(_named(started, "ours")), best(_float32_torch(started))
    missing = _missing(alike)
    one, many = "training, one seed", f"{SEEDS} seeds in one job"
    rest = "against the best float32 PyTorch"
    in_turn = f"{rest} training them one after another"
    dtypes = f"{one}, best dtype against best dtype, {ALIKE}"
    any_ours, any_torch = best(_ours(alike)), best(_torch(alike))
    return [
        compare(f"{one}, {rest}, {ALIKE}", 1.2, ours, peer, missing),
        compare(f"{one}, {rest}, {AS_STARTED}", 3.0, user, user_peer, missing),
        compare(dtypes, 1.0, any_ours, any_torch, missing),
        compare(f"{many} (clip-seeds/s) against our single seed", 1.0, seeds, single),
        compare(f"{many} {in_turn}, {ALIKE}", 1.2, seeds, peer, missing),
    ]


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


def _ours(lanes: Sequence[Lane]) -> list[Lane]:
    """Returns the lanes of one seed of ours."""
    return _named(lanes, "ours", "ours bf16")


def _torch(lanes: Sequence[Lane]) -> list[Lane]:
    return [lane for lane in lanes if lane.name.startswith("PyTorch")]


def _float32_torch(lanes: Sequence[Lane]) -> list[Lane]:
    return [lane for lane in _torch(lanes) if "bf16" not in lane.name]


def _is_peer(name: str) -> bool:
    return not name.startswith("ours")


def _missing(lanes: Sequence[Lane]) -> str:
    """Says why no lane of PyTorch ran."""
    failures = [lane.failure for lane in _torch(lanes) if lane.failure]
    return failures[0] if failures else "no such contestant ran"
