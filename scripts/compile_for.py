"""Compiles the training step for a device that is not here, and says what it became.

    pip install -e ".[train,cuda13]"
    python -m scripts.compile_for h100 15,32,float32,1 15,32,float32,15

An argument is seeds, clips in a batch, `model.dtype`, and `train.seeds_per_chunk`.
Nothing is run: kernels, bytes, memory and registers are the compiler's, the time is
that of moving the bytes. These count what every kernel reads and writes, as if nothing
stayed in a cache. XLA chooses among cuDNN's algorithms, and among tiles, by trying them
on the device; that is left out.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd

from configs import default
from configs.keys import KEYS
from msd_tagger import platform
from msd_tagger.common import files

DESCRIPTIONS = Path(__file__).with_name("devices")
BANDWIDTHS = {"h100": 3.35e12}  # Bytes a second.
NUM_TAGS = 50
FLAGS = (
    "--xla_gpu_autotune_level=0",
    # Without trying, no tile of Triton's is found for the first layer's small product.
    "--xla_gpu_enable_triton_gemm=false",
)
# Of XLA's text: a computation's first line, an instruction, an array's type.
COMPUTATION = re.compile(r"(?:ENTRY )?(%[\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r" +(?:ROOT )?(%[\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)")
ARRAY = re.compile(r"\b(pred|bf16|[fsu]\d+)\[([\d,]*)\]")
# What is no kernel, but a name for arrays.
NAMES = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "after-all"}


class Case(NamedTuple):
    """What is compiled."""

    seeds: int
    clips: int
    dtype: str
    seeds_at_once: int


def case_of(text: str) -> Case:
    """Reads a case from the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = re.fullmatch(r"([1-9]\d*),([1-9]\d*),(\w+),([1-9]\d*)", text)
    if not found or found[3] not in KEYS["model.dtype"].allowed:
        raise argparse.ArgumentTypeError(
            f"{text} must be seeds, clips, model.dtype and train.seeds_per_chunk, such "
            "as 15,32,float32,1"
        )
    return Case(int(found[1]), int(found[2]), found[3], int(found[4]))


def main() -> None:
    """Prints a table, and writes the same as JSON where --out says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("device", choices=BANDWIDTHS)
    parser.add_argument("cases", nargs="+", type=case_of, help="as 15,32,float32,1")
    parser.add_argument("--out", type=Path, help="a file for the table as JSON")
    options = parser.parse_args()
    if options.out and (options.out.exists() or not options.out.parent.is_dir()):
        parser.error(f"--out={options.out} must be a new file in a folder that exists")
    if find_spec("jax_cuda13_plugin") is None:
        sys.exit('JAX for CUDA is not installed: pip install -e ".[train,cuda13]"')
    with tempfile.TemporaryDirectory() as dump:
        device = described_device(options.device, dump)
        rows = [
            measure(case, device, Path(dump), options.device) for case in options.cases
        ]
    print(pd.DataFrame(rows).T.to_string(header=False))
    if options.out:
        files.write_json(options.out, {"device": options.device, "cases": rows})


def described_device(name: str, dump: str) -> Any:
    """Makes a device of its description, and sets this process up to compile for it."""
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
    return device


def measure(case: Case, device: Any, dump: Path, name: str) -> dict[str, Any]:
    """Compiles a case, and counts."""
    lowered, before = lower(case, device), set(dump.iterdir())
    started = time.monotonic()
    compiled = lowered.compile()
    seconds = time.monotonic() - started
    kernels = list(executed(parse(compiled.as_text())))
    num_bytes = sum(kernel.times * kernel.num_bytes for kernel in kernels)
    spills = [spilled_bytes(path) for path in set(dump.glob("*.ptx")) - before]
    return {
        **case._asdict(),
        "kernels": sum(kernel.times for kernel in kernels),
        "different kernels": len(kernels),
        "GB a step": round(num_bytes / 1e9, 2),
        "ms for the bytes": round(1e3 * num_bytes / BANDWIDTHS[name], 2),
        "temporary GB": round(compiled.memory_analysis().temp_size_in_bytes / 1e9, 3),
        "most spilled bytes a thread": max(spills, default=0),
        **Counter(kernel.call for kernel in kernels if kernel.call),
        "compile s": round(seconds),
    }


def lower(case: Case, device: Any) -> Any:
    """Lowers the step of the default configuration, as training maps it."""
    import jax
    import jax.numpy as jnp

    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.network.preprocessing import BandStatistics
    from msd_tagger.training import parallel, setup, steps

    config = default.get_config(model__dtype=case.dtype)
    recipe = Recipe.from_config(config.clip, config.spectrogram, "mel")
    layout = parallel.Layout(
        *("data", 1, case.seeds, case.seeds_at_once), is_one_program=True
    )
    bands = BandStatistics(*(jnp.zeros(recipe.shape[0]) for _ in range(3)))
    schedule = setup.build_schedule(config, case.clips)
    model = setup.build_model(config, NUM_TAGS, bands, layout.axis_name, schedule)
    init = partial(steps.init_state, model=model, input_shape=recipe.shape)
    numbers = jax.ShapeDtypeStruct((case.seeds,), "uint32")
    state = jax.eval_shape(jax.vmap(init), numbers)
    shard = {
        "spectrogram": ((1, case.clips, *recipe.shape), case.dtype),
        "tags": ((1, case.clips, NUM_TAGS), "uint8"),
        "mask": ((1, case.clips), "bool"),
    }
    step = partial(steps.train_step, model=model)
    program = parallel.update_program(step, layout, donate=True, devices=[device])
    arrays = {key: jax.ShapeDtypeStruct(*of_one) for key, of_one in shard.items()}
    return program.lower(state, arrays)


class Kernel(NamedTuple):
    """An instruction that runs."""

    kind: str
    num_bytes: int  # Of all it reads and writes.
    text: str
    times: int = 1  # How often it runs.

    @property
    def call(self) -> str:
        """Names a convolution's call, with its window where that is not 3 x 3."""
        found = re.search(r'custom_call_target="__cudnn\$(\w+)"', self.text)
        size = re.search(r"window=\{size=(\w+)", self.text)
        window = size[1] if size else ""
        return f"{found[1]} {window}".removesuffix(" 3x3") if found else ""


def parse(text: str) -> dict[str, list[Kernel]]:
    """Lists the kernels of each computation; the entry's is named "ENTRY"."""
    found: dict[str, list[Kernel]] = {}
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        if start := COMPUTATION.match(line):
            kernels: list[Kernel] = []
            found["ENTRY" if line.startswith("ENTRY") else start[1]] = kernels
        elif instruction := INSTRUCTION.match(line):
            name, result, kind, rest = instruction.groups()
            # A call of cuDNN also gives its workspace, which is no result.
            sizes[name] = size_of(re.sub(r" [su]8\[\d+\]\S*\)$", "", result))
            if kind not in NAMES:
                operands = re.findall(r"%[\w.-]+", rest.split("), ")[0])
                read = sum(sizes.get(one, 0) for one in operands)
                kernels.append(Kernel(kind, sizes[name] + read, line))
    return found


def size_of(types: str) -> int:
    """Counts the bytes of an array's type, or of several."""
    total = 0
    for kind, shape in ARRAY.findall(types):
        count = 1
        for length in filter(None, shape.split(",")):
            count *= int(length)
        total += count * (1 if kind == "pred" else int(re.sub(r"\D", "", kind)) // 8)
    return total


def executed(
    computations: dict[str, list[Kernel]], name: str = "ENTRY", times: int = 1
) -> Iterator[Kernel]:
    """Yields the kernels that run, those of loops with how often they do."""
    for kernel in computations[name]:
        body = re.search(r"(?:body|to_apply)=(%[\w.-]+)", kernel.text)
        if kernel.kind in ("while", "call") and body:
            trips = re.search(r'"known_trip_count":\{"n":"(\d+)"', kernel.text)
            turns = int(trips[1]) if trips else 1
            yield from executed(computations, body[1], times * turns)
        else:
            yield kernel._replace(times=times)


def spilled_bytes(ptx: Path) -> int:
    """Assembles kernels; gives the most bytes that a thread of one stores elsewhere."""
    assembler = str(resources.files("nvidia.cu13") / "bin/ptxas")
    said = subprocess.run(
        [assembler, "-v", "-arch=sm_90a", ptx, "-o", os.devnull],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    return max(map(int, re.findall(r"(\d+) bytes spill stores", said)), default=0)


if __name__ == "__main__":
    main()
