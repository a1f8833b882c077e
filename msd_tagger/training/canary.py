"""Checks before training that the compiler computes what it is asked to.

Each pattern is one that a release got wrong: a vmapped product of matrix and vector
that a reduction follows, from 32,769 float32 rows on (jaxlib 0.10.2 on CPU, jax issue
39103); operations outside `jit` (0.11.0 and 0.11.1 on one GPU, jax issue 40633);
maxima over windows of rank-7 arrays, which have crashed. A wrong sum would train to a
plausible, wrong result, so it is better to stop.

The numbers are small integers: any order of summation and any precision of
multiplication, bfloat16 on a TPU too, gives them exactly.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from msd_tagger.common.errors import MiscompilationError


def check() -> None:
    """Compares the patterns with NumPy.

    Raises:
        MiscompilationError: The installed jaxlib miscomputes one of them here.
    """
    for name, pattern in PATTERNS.items():
        found, expected = pattern()
        if not np.array_equal(found, expected):
            raise MiscompilationError(
                f"jaxlib {jax.lib.__version__} on {jax.default_backend()} miscomputes "
                f"{name}; its results cannot be trusted. Install a version that "
                "pyproject.toml admits"
            )


def _matrix_vector() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    matrix = random.integers(-2, 3, (3, 3)).astype(np.float32)
    rows = random.integers(-9, 10, (40_000, 3)).astype(np.float32)
    run = jax.jit(lambda x: jax.vmap(lambda row: jnp.square(matrix @ row).sum())(x))
    return np.asarray(run(rows)), np.square(rows @ matrix.T).sum(1)


def _windowed_maximum() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    maps = random.integers(-99, 99, (3, 2, 12, 16, 8)).astype(np.float32)

    def pool(z: jax.Array) -> jax.Array:
        return z.reshape(2, 6, 2, 4, 4, 8).max((2, 4))

    expected = maps.reshape(3, 2, 6, 2, 4, 4, 8).max((3, 5))
    return np.asarray(jax.jit(jax.vmap(pool))(maps)), expected


def _one_by_one() -> tuple[np.ndarray, np.ndarray]:
    found = [jnp.ones(4) + 1, jnp.sqrt(jnp.full(4, 256.0)), jnp.arange(4.0) * 2]
    expected = [[2, 2, 2, 2], [16, 16, 16, 16], [0, 2, 4, 6]]
    return np.stack([np.asarray(one) for one in found]), np.array(expected)


# Each gives what is found and what is expected.
PATTERNS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "a vmapped matrix-vector product and sum": _matrix_vector,
    "a maximum over windows of a rank-7 array": _windowed_maximum,
    "operations one by one, outside of jit": _one_by_one,
}
