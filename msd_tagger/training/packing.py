"""Trees of arrays as one vector for each type, which is quick to take and to write."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any


def pack(tree: Tree) -> tuple[dict[str, jax.Array], Callable]:
    """Joins all leaves of a type to a vector.

    Returns:
        The vectors by the name of their type, and a function that undoes it.
    """
    leaves, structure = jax.tree.flatten(tree)
    shapes = [leaf.shape for leaf in leaves]
    of_types: dict[str, list[int]] = {}
    for number, leaf in enumerate(leaves):
        of_types.setdefault(leaf.dtype.name, []).append(number)

    def unpack(vectors: dict[str, jax.Array]) -> Tree:
        found: dict[int, jax.Array] = {}
        for name, numbers in of_types.items():
            ends = np.cumsum([np.prod(shapes[n], dtype=int) for n in numbers])
            parts = jnp.split(vectors[name], ends[:-1])
            pairs = zip(numbers, parts, strict=True)
            found |= {n: part.reshape(shapes[n]) for n, part in pairs}
        return jax.tree.unflatten(structure, [found[n] for n in range(len(shapes))])

    vectors = {
        name: jnp.concatenate([leaves[n].ravel() for n in numbers])
        for name, numbers in of_types.items()
    }
    return vectors, unpack
