"""Seeds and devices: the one place that calls `vmap` and `pmap`.

A step is written for one seed on one shard of a batch. Here it becomes
`pmap(vmap(step))`, in one of two modes:

* "data": the batch is split over the devices, every device holds all seeds, and
  gradients and batch statistics are reduced over the axis `DEVICES`;
* "seeds": every device holds its share of the seeds and sees the whole batch; nothing
  is communicated but scores and, between processes, losses. The number of seeds is
  padded to a multiple of the devices.

Devices may belong to several processes (`distributed.py`): each then fills its own,
reads its own rows of a split batch, and sees all scores. There `pmap` gives way to the
program that it compiles, `jit(shard_map)`, whose arrays lie on all devices together.

Seeds may also run in chunks, one after another on the same batch: on a CPU the
working set of several seeds at once outgrows the caches, on accelerators it grows with
their number. On a CPU each chunk is a call of its own, as XLA's loops are slow there;
elsewhere one program has them all. Outside this module states have a leading seed axis
`[S, …]`, on the host.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from msd_tagger.training import distributed, packing

DEVICES = "devices"
MODES = ("data", "seeds")
# How an array lies on the devices: its leading axis over them, or a copy on each.
SPLIT, COPIED = PartitionSpec(DEVICES), PartitionSpec()
Tree = Any

# Rows that `hold` writes at once on a device: 8 MB of mel spectrograms.
HELD_AT_ONCE = 32


class Layout(NamedTuple):
    """How seeds and batches lie on devices."""

    mode: str  # One of `MODES`.
    num_devices: int  # D, of all processes together.
    num_seeds: int
    seeds_per_chunk: int  # Seeds that run at once on each device.
    rank: distributed.Rank = distributed.Rank()
    # Whether chunks take turns inside one program; else each is a call of its own.
    is_one_program: bool = False

    @property
    def num_own_devices(self) -> int:
        """Counts the devices of this process."""
        return self.num_devices // self.rank.count

    @property
    def axis_name(self) -> str | None:
        """Names the axis that a step has to reduce over, if the batch is split."""
        return DEVICES if self.mode == "data" and self.num_devices > 1 else None

    @property
    def seeds_and_batch(self) -> tuple[PartitionSpec, PartitionSpec]:
        """Says how chunks of seeds and shards of a batch lie on the devices."""
        return (COPIED, SPLIT) if self.mode == "data" else (SPLIT, COPIED)

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """Lists start and stop of the seeds of each call; the last may be padded."""
        if self.is_one_program:
            return [(0, self.num_seeds)]
        spread = self.num_devices if self.mode == "seeds" else 1
        size = min(self.seeds_per_chunk * spread, self.num_seeds)
        starts = range(0, self.num_seeds, size)
        return [(start, min(start + size, self.num_seeds)) for start in starts]


def choose_layout(
    mode: str, num_seeds: int, seeds_per_chunk: int, num_devices: int = 0
) -> Layout:
    """Chooses a layout for the devices of all processes of the job.

    The mode "auto" is "seeds" where there are as many seeds as devices or more: then
    nothing is communicated, and every device has a whole batch to work on, at the price
    of at most one turn in which some devices have none. `seeds_per_chunk` 0 means one;
    `num_devices` is of each process, 0 for all there are.

    Raises:
        ValueError: More devices are asked for than there are, or processes have
            different numbers of them.
    """
    rank = distributed.rank()
    counts = [len(jax.local_devices(process)) for process in range(rank.count)]
    if not num_devices and len(set(counts)) > 1:
        raise ValueError(
            f"the processes have {counts} devices; give "
            f"train.num_devices={min(counts)}, so that all use as many"
        )
    if num_devices > min(counts):
        raise ValueError(
            f"train.num_devices={num_devices}: {min(counts)} available: "
            f"{[str(device) for device in jax.local_devices()]}; ask for at most as "
            "many, or 0 for all of them"
        )
    of_all = (num_devices or counts[0]) * rank.count
    if mode == "auto":
        mode = "seeds" if 1 < of_all <= num_seeds else "data"
    is_one_program = jax.default_backend() != "cpu"
    return Layout(mode, of_all, num_seeds, seeds_per_chunk or 1, rank, is_one_program)


def own_rows(batch_size: int, layout: Layout) -> slice:
    """Returns the rows of every batch that this process computes on and reads."""
    if layout.mode == "seeds":
        return slice(None)
    index, count = layout.rank.index, layout.rank.count
    return slice(index * batch_size // count, (index + 1) * batch_size // count)


def to_devices(state: Tree, layout: Layout) -> list[Tree]:
    """Moves host arrays `[S, …]` to the devices, in chunks for the mapped functions.

    The chunks lie on the devices as a mapped function's results do, so that its first
    call compiles for all that follow.
    """
    sharding = _sharding(layout, layout.seeds_and_batch[0])

    def cut(leaf: np.ndarray, start: int, stop: int) -> np.ndarray:
        part = np.asarray(leaf)[start:stop]
        if layout.mode == "data":
            return part
        # Seeds that fill the last device repeat the last real one.
        missing = -len(part) % layout.num_devices
        part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        part = part.reshape(layout.num_devices, -1, *part.shape[1:])
        return np.split(part, layout.rank.count)[layout.rank.index]

    chunks = [
        jax.tree.map(partial(cut, start=start, stop=stop), state)
        for start, stop in layout.bounds
    ]
    return [_place(chunk, sharding) for chunk in chunks]


def from_devices(chunks: list[Tree], layout: Layout) -> Tree:
    """Collects host arrays `[S, …]` in every process; undoes `to_devices`."""

    def own_seeds(leaf: jax.Array) -> np.ndarray:
        shards = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        return np.concatenate(np.concatenate(shards))

    if layout.mode == "data":
        return _join(jax.tree.map(np.asarray, chunks), layout)
    chunks = distributed.all_gather(jax.tree.map(own_seeds, chunks))
    return _join(jax.tree.map(np.concatenate, chunks), layout)


def map_update(
    step: Callable, layout: Layout, prepare: Callable, donate: bool
) -> Callable:
    """Maps `step(state, prepare(batch)) -> (state, output)` over seeds and devices.

    The step is for one seed and one shard of a batch; its results are the same on every
    device that shares a batch (it reduces over `layout.axis_name`). `prepare` is done
    once for all seeds, clip by clip. With `donate` the old state's memory may be used
    for the new one.

    Returns:
        A function of the list of chunks and a host batch, this process's rows of it.
        It gives the list of new chunks and the list of the outputs of all seeds, as
        device arrays.
    """
    run = _map_batch(update_program(step, layout, donate), layout, prepare)

    def update_all(
        chunks: list[Tree], batch: dict[str, np.ndarray]
    ) -> tuple[list[Tree], list[Tree]]:
        results = list(run(chunks, batch))
        return [new for new, _ in results], [output for _, output in results]

    return update_all


def update_program(
    step: Callable,
    layout: Layout,
    donate: bool,
    devices: Sequence[jax.Device] | None = None,
) -> jax.stages.Wrapped:
    """Maps a step to the program that `map_update` calls for each chunk.

    It can be lowered for other devices than those of this job, which need not exist.
    """
    on_device = _over_seeds(step, layout)
    # Each process holds some seeds, and needs the outputs of all to log and check them.
    gathers = layout.mode == "seeds" and layout.rank.count > 1

    def update(chunk: Tree, shard: dict[str, jax.Array]) -> tuple[Tree, Tree]:
        new, output = on_device(chunk, shard)
        if gathers:
            output = jax.lax.all_gather(output, DEVICES, tiled=True)
        return new, output

    seeds, batch = layout.seeds_and_batch
    lie = (seeds, batch), (seeds, COPIED if gathers else seeds)
    return _over_devices(update, layout, *lie, donate, devices)


def map_evaluation(step: Callable, layout: Layout, prepare: Callable) -> Callable:
    """Maps `step(state, prepare(batch)) -> outputs [B, …]` over seeds and devices.

    Returns:
        A function of the list of chunks and a host batch, this process's rows of it.
        It gives host arrays `[S, B, …]` of the whole batch in every process.
    """
    run = _map_batch(evaluation_program(step, layout), layout, prepare)

    def evaluate(chunks: list[Tree], batch: dict[str, np.ndarray]) -> Tree:
        parts = [jax.tree.map(np.asarray, part) for part in run(chunks, batch)]
        return _join(parts, layout)

    return evaluate


def evaluation_program(
    step: Callable, layout: Layout, devices: Sequence[jax.Device] | None = None
) -> jax.stages.Wrapped:
    """Maps a step to the program that `map_evaluation` calls, as `update_program`."""
    on_device, axis = _over_seeds(step, layout), int(layout.mode == "data")

    def everywhere(chunk: Tree, shard: dict[str, jax.Array]) -> Tree:
        outputs = on_device(chunk, shard)  # [S, B / D, …] or [S / D, B, …]
        return jax.lax.all_gather(outputs, DEVICES, axis=axis, tiled=True)

    lie = layout.seeds_and_batch
    return _over_devices(everywhere, layout, lie, COPIED, devices=devices)


def map_seeds(function: Callable, layout: Layout) -> Callable:
    """Maps a function of states over seeds, to one of lists of chunks."""
    mapped, (lie, _) = jax.vmap(function), layout.seeds_and_batch
    if lie == SPLIT:
        mapped = jax.vmap(mapped)
    mapped = jax.jit(mapped, out_shardings=_sharding(layout, lie))
    return lambda *lists: [mapped(*chunks) for chunks in zip(*lists, strict=True)]


def init_seeds(init: Callable, first_seed: int, num_seeds: int) -> Tree:
    """Computes host arrays `[S, …]` of `init(seed)` for consecutive seeds."""
    seeds = jnp.arange(first_seed, first_seed + num_seeds, dtype=jnp.uint32)
    # Random numbers are what XLA takes longest to compile for a CPU: 8 s, and 3 s with
    # less optimisation, which changes no bit of them.
    is_cpu = jax.default_backend() == "cpu"
    options = {"xla_backend_optimization_level": 2} if is_cpu else None
    return jax.device_get(jax.jit(jax.vmap(init), compiler_options=options)(seeds))


def pad_batch_size(batch_size: int, layout: Layout) -> int:
    """Rounds a batch size up to one that splits evenly over the devices."""
    parts = layout.num_devices if layout.mode == "data" else 1
    return -(-batch_size // parts) * parts


def hold(
    batches: Iterable[Tree], num_rows: int, layout: Layout
) -> Callable[[np.ndarray], Tree]:
    """Keeps the rows of all batches in the devices' memory.

    In mode "data" each row lies on one device, else on every one. Batches are host
    arrays, this process's rows of `held_batch_size` rows, and together have `num_rows`
    and padding.

    Returns:
        A function of row numbers `[B]`, counted through the batches. It gives these
        rows, on the devices as `map_update` splits a batch.
    """
    parts = layout.num_devices if layout.mode == "data" else 1
    sharding = _sharding(layout, layout.seeds_and_batch[1])
    depth = held_rows(num_rows, layout)

    def empty(batch: Tree) -> Tree:
        def zeros(leaf: np.ndarray) -> jax.Array:
            return jnp.zeros((parts, depth, *leaf.shape[1:]), leaf.dtype)

        return jax.jit(lambda: jax.tree.map(zeros, batch), out_shardings=sharding)()

    @partial(jax.jit, donate_argnums=0, out_shardings=sharding)
    def write(held: Tree, batch: Tree, start: int) -> Tree:
        def put(rows: jax.Array, new: jax.Array) -> jax.Array:
            new = new.reshape(parts, -1, *new.shape[1:])
            return jax.lax.dynamic_update_slice_in_dim(rows, new, start, axis=1)

        return jax.tree.map(put, held, batch)

    held: Tree = None
    for start, batch in zip(range(0, depth, HELD_AT_ONCE), batches, strict=True):
        if held is None:
            held = empty(batch)
        held = write(held, _place(batch, sharding), start)
    return partial(_map_take(layout), held)


def held_batch_size(layout: Layout) -> int:
    """Counts the rows of a batch for `hold`."""
    return pad_batch_size(1, layout) * HELD_AT_ONCE


def held_rows(num_rows: int, layout: Layout) -> int:
    """Counts the rows that `hold` keeps on each device, padding included."""
    return -(-num_rows // held_batch_size(layout)) * HELD_AT_ONCE


def free_memory_bytes(layout: Layout) -> int | None:
    """Returns the least free memory of any device; None where they do not tell.

    All processes return the same.
    """
    stats = [device.memory_stats() or {} for device in _own_devices(layout)]
    if not all("bytes_limit" in one for one in stats):
        return None
    free = min(one["bytes_limit"] - one["bytes_in_use"] for one in stats)
    return -distributed.agree([-free])[0]


def peak_memory_bytes(layout: Layout) -> int | None:
    """Returns the highest memory use on any device; None where they do not tell."""
    stats = [device.memory_stats() or {} for device in _own_devices(layout)]
    peaks = [one.get("peak_bytes_in_use") for one in stats]
    return max((peak for peak in peaks if peak is not None), default=None)


def _over_seeds(step: Callable, layout: Layout) -> Callable:
    """Maps a step over the leading axis of its state, not of its batch.

    A single seed needs no axis: XLA's CPU convolutions and reductions take twice the
    time when they carry one of length one.
    """
    at_once = layout.seeds_per_chunk

    def over(state: Tree, batch: dict[str, jax.Array]) -> Tree:
        num_seeds = len(jax.tree.leaves(state)[0])
        if num_seeds == 1:
            result = step(jax.tree.map(lambda leaf: leaf[0], state), batch)
            return jax.tree.map(lambda leaf: leaf[None], result)
        if num_seeds <= at_once:
            return jax.vmap(step, in_axes=(0, None))(state, batch)
        size = at_once if at_once > 1 else None  # Of None there is no axis either.
        return _in_turn(lambda seed: step(seed, batch), state, size)

    return over


def _in_turn(function: Callable, state: Tree, batch_size: int | None) -> Tree:
    """Maps a function over the leading axis in a loop.

    Each turn takes and writes a vector or two: with a hundred leaves it would start
    fifty more kernels.
    """
    _, unpack = packing.pack(jax.tree.map(lambda leaf: leaf[0], state))
    unpack_result: Callable = unpack

    def turn(vectors: Tree) -> Tree:
        nonlocal unpack_result
        packed, unpack_result = packing.pack(function(unpack(vectors)))
        return packed

    vectors = jax.vmap(lambda one: packing.pack(one)[0])(state)
    results = jax.lax.map(turn, vectors, batch_size=batch_size)
    return jax.vmap(unpack_result)(results)


def _join(parts: list[Tree], layout: Layout) -> Tree:
    """Joins chunks to `[S, …]`, without the seeds that only fill the last one."""
    return jax.tree.map(
        lambda *leaves: np.concatenate(leaves)[: layout.num_seeds], *parts
    )


def _map_take(layout: Layout) -> Callable[[Tree, np.ndarray], Tree]:
    """Maps taking rows of what `hold` keeps; no arithmetic touches them.

    Where devices hold different rows, each takes what it has of a whole batch, and
    sends to each other one what that one computes on.
    """
    sharding = _sharding(layout, layout.seeds_and_batch[1])
    size = held_batch_size(layout)

    @partial(jax.jit, out_shardings=sharding)
    def take(held: Tree, places: jax.Array) -> Tree:
        return jax.tree.map(lambda rows: _at(rows[0], places), held)

    def exchange(held: Tree, places: jax.Array, holders: jax.Array) -> Tree:
        share = len(places) // layout.num_devices
        first = jax.lax.axis_index(DEVICES) * share
        own_holders = jax.lax.dynamic_slice_in_dim(holders, first, share)

        def of(rows: jax.Array) -> jax.Array:
            taken = _at(rows, places)  # Of other devices' rows, any.
            got = jax.lax.all_to_all(taken, DEVICES, 0, 0, tiled=True)
            return _at(got, own_holders * share + jnp.arange(share))

        return jax.tree.map(of, held)

    exchanged = _over_devices(exchange, layout, (SPLIT, COPIED, COPIED), SPLIT)

    @partial(jax.jit, out_shardings=sharding)
    def join(shards: Tree) -> Tree:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), shards)

    def take_rows(held: Tree, rows: np.ndarray) -> Tree:
        rows = rows.astype(np.int32)
        places = rows // size * HELD_AT_ONCE + rows % HELD_AT_ONCE
        if layout.axis_name is None:
            return take(held, places)
        return join(exchanged(held, places, rows % size // HELD_AT_ONCE))

    return take_rows


def _at(rows: jax.Array, places: jax.Array) -> jax.Array:
    """Takes rows at places that exist."""
    return rows.at[places].get(mode="promise_in_bounds")


def _over_devices(
    function: Callable,
    layout: Layout,
    given: Tree,
    found: Tree,
    donate: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> jax.stages.Wrapped:
    """Maps a function over the devices; says how arguments and results lie there.

    In one process this is `pmap`. In several, `pmap` would turn every leaf of a state
    into an array of all devices and back, at every call: 4 ms for a hundred leaves,
    more than a step takes on a fast accelerator. There such arrays stay as they are.
    """
    donated = (0,) if donate else ()
    if layout.rank.count == 1:
        given, found = jax.tree.map({SPLIT: 0, COPIED: None}.get, (given, found))
        devices = devices or _all_devices(layout)
        axes = {"in_axes": given, "out_axes": found, "donate_argnums": donated}
        return jax.pmap(function, DEVICES, devices=devices, **axes)

    def where_split(change: Callable, lie: Tree, trees: Tree) -> Tree:
        def of(lies: PartitionSpec, tree: Tree) -> Tree:
            return jax.tree.map(change, tree) if lies == SPLIT else tree

        return jax.tree.map(of, lie, trees)

    def on_device(*shards: Tree) -> Tree:
        results = function(*where_split(lambda leaf: leaf[0], given, shards))
        return where_split(lambda leaf: leaf[None], found, results)

    mesh = _sharding(layout, SPLIT).mesh
    mapped = jax.shard_map(
        on_device, mesh=mesh, in_specs=given, out_specs=found, check_vma=False
    )
    return jax.jit(mapped, donate_argnums=donated)


def _map_batch(mapped: Callable, layout: Layout, prepare: Callable) -> Callable:
    """Makes a mapped function of a chunk and shards one of all chunks and a host batch.

    The batch goes to the devices once, whatever the number of chunks, and while they
    still compute the step before.
    """
    split, parts = layout.mode == "data", layout.num_own_devices
    sharding = _sharding(layout, layout.seeds_and_batch[1])

    @partial(jax.jit, out_shardings=sharding)
    def prepare_shards(batch: dict[str, jax.Array]) -> Tree:
        def cut(leaf: jax.Array) -> jax.Array:
            shape = (layout.num_devices, -1, *leaf.shape[1:])
            return leaf.reshape(shape) if split else leaf

        return jax.tree.map(cut, prepare(batch))

    def run(chunks: list[Tree], batch: dict[str, np.ndarray]) -> Iterator[Tree]:
        arrays = {key: batch[key] for key in ("spectrogram", "tags", "mask")}
        size = len(arrays["mask"])
        if split and size % parts:
            raise ValueError(
                f"a batch of {size} clips cannot be split over {parts} devices; set "
                f"train.batch_size to a multiple of {parts}, or train.parallel to "
                "'seeds'"
            )
        shards = prepare_shards(_place(arrays, sharding))
        for chunk in chunks:
            yield mapped(chunk, shards)

    return run


def _place(tree: Tree, sharding: NamedSharding) -> Tree:
    """Moves this process's part of host arrays to the devices; others stay there.

    Of several processes, `device_put` would compare what they have, at every step.
    """
    if distributed.rank().count == 1:
        return jax.device_put(tree, sharding)

    def place(leaf: np.ndarray | jax.Array) -> jax.Array:
        if isinstance(leaf, jax.Array):
            return leaf
        return jax.make_array_from_process_local_data(sharding, leaf)

    return jax.tree.map(place, tree)


def _sharding(layout: Layout, lie: PartitionSpec) -> NamedSharding:
    return NamedSharding(Mesh(np.array(_all_devices(layout)), (DEVICES,)), lie)


def _all_devices(layout: Layout) -> list[jax.Device]:
    """Lists all processes' devices, process by process, as the rows of a batch."""
    return [
        device
        for process in range(layout.rank.count)
        for device in jax.local_devices(process)[: layout.num_own_devices]
    ]


def _own_devices(layout: Layout) -> list[jax.Device]:
    return jax.local_devices()[: layout.num_own_devices]
