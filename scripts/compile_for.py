"""Compiles programs for a device that is not here, and says what became of them.

    pip install -e ".[train,cuda13]"  # Or tpu, for tpu-v5e.
    python -m scripts.compile_for h100
    python -m scripts.compile_for h100 15,32,float32,1 15,32,float32,15,stft,evaluate

A case is seeds, clips in a batch, `model.dtype` and `train.seeds_per_chunk`; then,
where they are not mel and train, `spectrogram.kind` and the program. Without a case
those of scripts/devices/DEVICE.json are compiled. That file has what is expected: the
command fails, and says why, where a program has become worse.

Nothing is run: kernels, bytes, memory, registers and cycles are the compiler's. Bytes
are what every kernel reads and writes, as if nothing stayed in a cache. XLA chooses
among cuDNN's algorithms, and among tiles, by trying them on the device; that is left
out.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from configs import default
from configs.keys import KEYS
from msd_tagger import platform
from msd_tagger.common import files
from scripts import hlo

DESCRIPTIONS = Path(__file__).with_name("devices")
BANDWIDTH = 3.35e12  # Bytes a second, of an H100.
CLOCK_HZ = 1.5e9  # Of a TPU v5e.
NUM_TAGS = 50
FLAGS = (
    "--xla_gpu_autotune_level=0",
    # Without trying, no tile of Triton's is found for the first layer's small product.
    "--xla_gpu_enable_triton_gemm=false",
)
# How many times the expected number is still as good.
TOLERANCES = {"kernels": 1.05, "GB a step": 1.03, "temporary GB": 1.05}
TOLERANCES |= {"ms of cycles": 1.05, "% copies": 1.1, "% broadcasts": 1.1}
SPILLED = "most spilled bytes a thread"
MOST_SPILLED_BYTES = 256  # More than that is felt.


class Case(NamedTuple):
    """What is compiled."""

    seeds: int
    clips: int
    dtype: str
    seeds_at_once: int
    kind: str = "mel"
    program: str = "train"


def case_of(text: str) -> Case:
    """Reads a case from the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    number = r"([1-9]\d*)"
    found = re.fullmatch(
        rf"{number},{number},(\w+),{number}(?:,(mel|stft))?(?:,(train|evaluate))?", text
    )
    if not found or found[3] not in KEYS["model.dtype"].allowed:
        raise argparse.ArgumentTypeError(
            f"{text} must be seeds, clips, model.dtype and train.seeds_per_chunk, such "
            "as 15,32,float32,1, and may go on as 15,32,float32,1,stft,evaluate"
        )
    seeds, clips, dtype, at_once, *others = found.groups()
    kind, program = others[0] or "mel", others[1] or "train"
    return Case(int(seeds), int(clips), dtype, int(at_once), kind, program)


def main() -> None:
    """Prints a line for each case, writes them where --out says, and compares them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("device", choices=TARGETS)
    parser.add_argument(
        "cases", nargs="*", type=case_of, help="such as 15,32,float32,1"
    )
    parser.add_argument("--out", type=Path, help="a file for the numbers as JSON")
    options = parser.parse_intermixed_args()
    if options.out and (options.out.exists() or not options.out.parent.is_dir()):
        parser.error(f"--out={options.out} must be a new file in a folder that exists")
    expected = files.read_json(DESCRIPTIONS / f"{options.device}.json")
    cases = options.cases or [case_in(row) for row in expected["cases"]]
    versions, rows = versions_for(TARGETS[options.device]), []
    with tempfile.TemporaryDirectory() as dump:
        compile_case = TARGETS[options.device].start(options.device, Path(dump))
        for case in cases:
            rows.append(case._asdict() | compile_case(case))
            print(*(f"{key} {value}" for key, value in rows[-1].items()), sep=", ")
    found = {"device": options.device, "versions": versions, "cases": rows}
    if options.out:
        files.write_json(options.out, found)
    compare(expected, found)


def case_in(row: dict[str, Any]) -> Case:
    """Returns which case a row of numbers is of."""
    return Case(*(row[name] for name in Case._fields))


def compare(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Ends the process with what is worse than expected, if anything is."""
    if expected["versions"] != found["versions"]:
        print(
            f"expected are numbers of {expected['versions']}, not {found['versions']}"
        )
    known = {case_in(row): row for row in expected["cases"]}
    lines = [
        f"{','.join(map(str, case_in(row)))}: {difference}"
        for row in found["cases"]
        for difference in worse(known.get(case_in(row)), row)
    ]
    if lines:
        sys.exit("\n".join(["Worse than expected:", *lines]))


def worse(expected: dict[str, Any] | None, found: dict[str, Any]) -> list[str]:
    """Says in which numbers of a case a program is worse than the expected one.

    Where none is expected, only what is spilled has a limit.
    """
    if expected is None:
        spilled = found.get(SPILLED, 0)
        if spilled <= MOST_SPILLED_BYTES:
            return []
        return [f"{SPILLED} {spilled}, expected at most {MOST_SPILLED_BYTES}"]
    limits = {
        name: factor * expected[name]
        for name, factor in TOLERANCES.items()
        if name in expected
    }
    if SPILLED in expected:
        limits[SPILLED] = max(MOST_SPILLED_BYTES, expected[SPILLED])
    calls = sorted({key for key in expected | found if key.startswith("conv")})
    names = [name for name, limit in limits.items() if found[name] > limit]
    names += [name for name in calls if found.get(name, 0) != expected.get(name, 0)]
    return [
        f"{name} {found.get(name, 0)}, expected {expected.get(name, 0)}"
        for name in names
    ]


class Target(NamedTuple):
    """What compiles for a device."""

    extra: str  # Of pyproject.toml.
    packages: tuple[str, ...]  # Whose versions decide what programs become.
    # Sets this process up, with the device's name and an empty folder. It gives a
    # function that compiles a case and returns its numbers.
    start: Callable[[str, Path], Callable[[Case], dict[str, Any]]]


def versions_for(target: Target) -> dict[str, str]:
    """Returns the versions of what compiles; ends the process where it is missing."""
    try:
        return {name: metadata.version(name) for name in target.packages}
    except metadata.PackageNotFoundError as error:
        install = f'pip install -e ".[train,{target.extra}]"'
        sys.exit(f"{error.name} is not installed: {install}")


def start_h100(name: str, dump: Path) -> Callable[[Case], dict[str, Any]]:
    """Starts compiling for a GPU that a file describes."""
    os.environ |= {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1", "CUDA_VISIBLE_DEVICES": ""}
    given = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = " ".join([given, *FLAGS, f"--xla_dump_to={dump}"])
    platform.set_up("cpu")
    from jax._src import xla_bridge
    from jax.experimental import topologies

    # JAX asks the devices that are here which make "gpu" is.
    known = xla_bridge.canonicalize_platform
    mock.patch.object(
        *(xla_bridge, "canonicalize_platform"),
        lambda of: "cuda" if of == "gpu" else known(of),
    ).start()
    text = (DESCRIPTIONS / f"{name}.txtpb").read_text(encoding="utf-8")
    (device,) = topologies.get_topology_desc(
        platform="cuda", target_config=text, topology="1x1x1"
    ).devices
    return partial(measure_on_gpu, device=device, dump=dump)


def start_tpu(name: str, dump: Path) -> Callable[[Case], dict[str, Any]]:
    """Starts compiling for one chip of a host that libtpu knows."""
    os.environ |= {"TPU_ACCELERATOR_TYPE": "v5litepod-4", "TPU_SKIP_MDS_QUERY": "1"}
    os.environ["TPU_WORKER_HOSTNAMES"] = "localhost"
    platform.set_up("cpu")
    from jax.experimental import topologies

    described = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
    return partial(measure_on_tpu, device=described.devices[0])


TARGETS = {
    "h100": Target(
        "cuda13", ("jaxlib", "jax-cuda13-plugin", "nvidia-cuda-nvcc"), start_h100
    ),
    "tpu-v5e": Target("tpu", ("jaxlib", "libtpu"), start_tpu),
}


def measure_on_gpu(case: Case, device: Any, dump: Path) -> dict[str, Any]:
    """Compiles a case, and counts."""
    before = set(dump.iterdir())
    kernels, measured = compile_it(case, device)
    num_bytes = sum(kernel.times * kernel.num_bytes for kernel in kernels)
    # A part of a program that has no kernel of XLA's own is an empty file.
    written = [path for path in set(dump.glob("*.ptx")) - before if path.stat().st_size]
    if not written:
        sys.exit(f"XLA wrote no kernels of {case} to assemble")
    return {
        "kernels": sum(kernel.times for kernel in kernels),
        "different kernels": len(kernels),
        "GB a step": round(num_bytes / 1e9, 3),
        "ms for the bytes": round(1e3 * num_bytes / BANDWIDTH, 2),
        SPILLED: max(map(spilled_bytes, written)),
        **Counter(kernel.call for kernel in kernels if kernel.call),
        **measured,
    }


def measure_on_tpu(case: Case, device: Any) -> dict[str, Any]:
    """Compiles a case, and adds up what its compiler expects."""
    kernels, measured = compile_it(case, device)
    of_kinds: Counter[str] = Counter()
    for kernel in kernels:
        of_kinds[kernel.kind] += kernel.times * kernel.cycles
    total = sum(of_kinds.values())
    return {
        "kernels": sum(kernel.times for kernel in kernels if kernel.cycles),
        "ms of cycles": round(1e3 * total / CLOCK_HZ, 2),
        "% copies": round(100 * of_kinds["copy"] / total, 1),
        "% broadcasts": round(100 * of_kinds["broadcast"] / total, 1),
        **measured,
    }


def compile_it(case: Case, device: Any) -> tuple[list[hlo.Kernel], dict[str, Any]]:
    """Compiles a case; gives its kernels, its memory and the time that it took."""
    lowered, started = lower(case, device), time.process_time()
    compiled = lowered.compile()
    seconds = time.process_time() - started  # Of all threads.
    num_bytes = compiled.memory_analysis().temp_size_in_bytes
    measured = {
        "temporary GB": round(num_bytes / 1e9, 3),
        "CPU s to compile": round(seconds),
    }
    return list(hlo.executed(hlo.parse(compiled.as_text()))), measured


def lower(case: Case, device: Any) -> Any:
    """Lowers a program of the default configuration, as training maps it."""
    import jax
    import jax.numpy as jnp

    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.network.preprocessing import BandStatistics
    from msd_tagger.training import parallel, setup, steps
    from msd_tagger.training.schedule import build_schedule

    config = default.get_config(model__dtype=case.dtype, spectrogram__kind=case.kind)
    recipe = Recipe.from_config(config.clip, config.spectrogram, case.kind)
    layout = parallel.Layout(
        *("data", 1, case.seeds, case.seeds_at_once), is_one_program=True
    )
    bands = BandStatistics(*(jnp.zeros(recipe.shape[0]) for _ in range(3)))
    schedule = build_schedule(config, case.clips)
    model = setup.build_model(config, NUM_TAGS, bands, layout.axis_name, schedule)
    init = partial(steps.init_state, model=model, input_shape=recipe.shape)
    numbers = jax.ShapeDtypeStruct((case.seeds,), "uint32")
    state = jax.eval_shape(jax.vmap(init), numbers)
    shard = {
        "spectrogram": ((1, case.clips, *recipe.shape), case.dtype),
        "tags": ((1, case.clips, NUM_TAGS), "uint8"),
        "mask": ((1, case.clips), "bool"),
    }
    arrays = {key: jax.ShapeDtypeStruct(*of_one) for key, of_one in shard.items()}
    if case.program == "evaluate":
        scoring = partial(steps.evaluation_step, model=model)
        program = parallel.evaluation_program(scoring, layout, devices=[device])
        return program.lower(state.weights, arrays)
    step = partial(steps.train_step, model=model)
    program = parallel.update_program(step, layout, donate=True, devices=[device])
    return program.lower(state, arrays)


def spilled_bytes(ptx: Path) -> int:
    """Assembles kernels; gives the most bytes that a thread of one stores elsewhere."""
    assembler = str(resources.files("nvidia.cu13") / "bin/ptxas")
    done = subprocess.run(
        [assembler, "-v", "-arch=sm_90a", ptx, "-o", os.devnull],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"the kernels of {ptx.name} cannot be assembled: {done.stderr}")
    found = re.findall(r"(\d+) bytes spill stores", done.stderr)
    return max(map(int, found), default=0)


if __name__ == "__main__":
    main()
