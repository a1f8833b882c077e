"""What this machine reaches: matrix products, copies and writes."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks import clock
from benchmarks.machine import cores
from msd_tagger import platform as platform_

BYTES = 10**9  # Far more than any cache holds.
SIZE = {"cpu": 2048}  # Rows of the square matrices; 8192 elsewhere.


class Rates:
    """Measured on JAX's device; on a CPU copies are NumPy's, on all cores.

    Args:
        platform: "cpu", "gpu", "tpu" or "".
        num_bytes: Of a copy.
    """

    def __init__(self, platform: str = "", num_bytes: int = BYTES) -> None:
        platform_.set_up(platform)
        import jax

        self._on_cpu = jax.default_backend() == "cpu"
        self._size = SIZE.get(jax.default_backend(), 8192)
        self._bytes = num_bytes
        self._buffers: tuple[np.ndarray, np.ndarray] | None = None
        self._steps: dict[str, Any] = {}

    def prepare(self, kind: str) -> dict[str, Any]:
        """Sets up "float32", "bfloat16" (products), "copy" or "write"."""
        if kind in ("copy", "write"):
            make = self._host_traffic if self._on_cpu else self._device_traffic
            self._steps[kind] = make(kind)
        else:
            self._steps[kind] = self._products(kind)
        return {}

    def run(self, seconds: float, kind: str) -> dict[str, float]:
        """Units are operations or bytes."""
        step, finish, units = self._steps[kind]
        return clock.repeat(step, finish, seconds, units)

    def _products(self, dtype: str) -> tuple:
        import jax
        import jax.numpy as jnp

        keys = jax.random.split(jax.random.key(0))
        a, b = (jax.random.normal(k, (self._size,) * 2).astype(dtype) for k in keys)
        multiply = jax.jit(jnp.matmul)
        latest = [multiply(a, b)]

        def step() -> None:
            # One product is one operation of the device: none runs beside another.
            latest[0].block_until_ready()
            latest[0] = multiply(a, b)

        return step, lambda: latest[0].block_until_ready(), 2 * self._size**3

    def _host_traffic(self, kind: str) -> tuple:
        # Faulting memory in takes seconds: once is enough.
        ones = (np.ones(self._bytes, np.uint8) for _ in range(2))
        source, target = self._buffers = self._buffers or tuple(ones)
        cuts = np.linspace(0, self._bytes, cores() + 1).astype(int)
        slices = [slice(a, b) for a, b in itertools.pairwise(cuts)]
        pool = ThreadPoolExecutor(cores())

        def copy(part: slice) -> None:
            np.copyto(target[part], source[part])

        def write(part: slice) -> None:
            target[part] = 1

        def step() -> None:
            list(pool.map(copy if kind == "copy" else write, slices))

        return step, lambda: None, self._bytes * (2 if kind == "copy" else 1)

    def _device_traffic(self, kind: str) -> tuple:
        import jax
        import jax.numpy as jnp

        source = jnp.ones(self._bytes // 4, jnp.float32)
        if kind == "copy":
            move = jax.jit(lambda x: x + 1)
        else:
            move = jax.jit(lambda x: jnp.full(self._bytes // 4, x[0]))
        latest = [move(source)]

        def step() -> None:
            latest[0].block_until_ready()
            latest[0] = move(source)

        def finish() -> None:
            latest[0].block_until_ready()

        return step, finish, self._bytes * (2 if kind == "copy" else 1)
