"""Reads XLA's text of a compiled program: which kernels run, and what they move."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

# A computation's first line, an instruction, an array's type.
COMPUTATION = re.compile(r"(?:ENTRY )?(%[\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r" +(?:ROOT )?(%[\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)")
ARRAY = re.compile(r"\b(pred|bf16|[fsu]\d+)\[([\d,]*)\]")
# What is no kernel, but a name for arrays.
NAMES = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "after-all"}


class Kernel(NamedTuple):
    """An instruction that runs."""

    kind: str
    num_bytes: int  # Of all it reads and writes.
    text: str
    times: int = 1  # How often it runs; of a loop, how often its body does.

    @property
    def call(self) -> str:
        """Names a convolution's call, with its window where that is not 3 x 3."""
        found = re.search(r'custom_call_target="__cudnn\$(\w+)"', self.text)
        size = re.search(r"window=\{size=(\w+)", self.text)
        window = size[1] if size else ""
        return f"{found[1]} {window}".removesuffix(" 3x3") if found else ""

    @property
    def cycles(self) -> int:
        """Returns how long the compiler for a TPU expects it to run each time."""
        found = re.search(r'"estimated_cycles":"(\d+)"', self.text)
        return int(found[1]) if found else 0


def parse(text: str) -> dict[str, list[Kernel]]:
    """Lists the kernels of each computation; the entry's is named "ENTRY"."""
    found: dict[str, list[Kernel]] = {}
    sizes: dict[str, int] = {}
    bounds: dict[str, int] = {}  # The last whole number in each computation.
    for line in text.splitlines():
        if start := COMPUTATION.match(line):
            kernels: list[Kernel] = []
            place = "ENTRY" if line.startswith("ENTRY") else start[1]
            found[place] = kernels
        elif instruction := INSTRUCTION.match(line):
            name, result, kind, rest = instruction.groups()
            # A call of cuDNN also gives its workspace, which is no result.
            sizes[name] = size_of(re.sub(r" [su]8\[\d+\]\S*\)$", "", result))
            if kind not in NAMES:
                operands = re.findall(r"%[\w.-]+", rest.split("), ")[0])
                read = sum(sizes.get(one, 0) for one in operands)
                times = turns(line, bounds) if kind == "while" else 1
                kernels.append(Kernel(kind, sizes[name] + read, line, times))
            elif kind == "constant" and (number := re.match(r"\d+(?=\))", rest)):
                bounds[place] = int(number[0])
    return found


def turns(line: str, bounds: dict[str, int]) -> int:
    """Reads how often a loop runs: as it says, or the bound that its condition has.

    Raises:
        ValueError: Neither is there.
    """
    if told := re.search(r'"known_trip_count":\{"n":"(\d+)"', line):
        return int(told[1])
    condition = re.search(r"condition=(%[\w.-]+)", line)
    if condition and condition[1] in bounds:
        return bounds[condition[1]]
    raise ValueError(f"it cannot be seen how often this loop runs: {line.strip()}")


def size_of(types: str) -> int:
    """Counts the bytes of an array's type, or of several."""
    total = 0
    for kind, shape in ARRAY.findall(types):
        count = math.prod(map(int, filter(None, shape.split(","))))
        total += count * (1 if kind == "pred" else int(re.sub(r"\D", "", kind)) // 8)
    return total


def executed(
    computations: dict[str, list[Kernel]], name: str = "ENTRY", times: int = 1
) -> Iterator[Kernel]:
    """Yields the kernels that run, those of loops with how often they do."""
    for kernel in computations[name]:
        body = re.search(r"(?:body|to_apply)=(%[\w.-]+)", kernel.text)
        if kernel.kind in ("while", "call") and body:
            yield from executed(computations, body[1], times * kernel.times)
        else:
            yield kernel._replace(times=times)
