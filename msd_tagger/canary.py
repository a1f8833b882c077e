"""A check that the compiler computes what it is asked to, run before training.

jaxlib 0.10.2 silently miscomputes a vmapped matrix-vector product that is followed by
a reduction on CPU, and maxima over windows of rank-7 arrays have crashed. Both are
what vmapped seeds and pooling are made of. A wrong sum would train to a plausible,
wrong result, so it is better to stop.

The numbers are small integers: any order of summation and any precision of
multiplication, bfloat16 on a TPU too, gives them exactly.
"""

import jax
import jax.numpy as jnp
import numpy as np

from msd_tagger.errors import MiscompilationError


def check() -> None:
    """Compares both patterns with NumPy.

    Raises:
        MiscompilationError: The installed jaxlib miscomputes one of them here.
    """
    for name, (found, expected) in (
        ("a vmapped matrix-vector product and sum", _matrix_vector()),
        ("a maximum over windows of a rank-7 array", _windowed_maximum()),
    ):
        if not np.array_equal(found, expected):
            raise MiscompilationError(
                f"jaxlib {jax.lib.__version__} on {jax.default_backend()} miscomputes "
                f"{name}; its results cannot be trusted. Install a version that "
                "requirements.txt admits"
            )


def _matrix_vector() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    matrices = random.integers(-2, 3, (3, 64, 32)).astype(np.float32)
    vectors = random.integers(-2, 3, (3, 32)).astype(np.float32)
    run = jax.jit(jax.vmap(lambda m, v: jnp.square(m @ v).sum()))
    expected = np.square(np.einsum("sij,sj->si", matrices, vectors)).sum(-1)
    return np.asarray(run(matrices, vectors)), expected


def _windowed_maximum() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    maps = random.integers(-99, 99, (3, 2, 12, 16, 8)).astype(np.float32)

    def pool(z: jax.Array) -> jax.Array:
        return z.reshape(2, 6, 2, 4, 4, 8).max((2, 4))

    expected = maps.reshape(3, 2, 6, 2, 4, 4, 8).max((3, 5))
    return np.asarray(jax.jit(jax.vmap(pool))(maps)), expected
