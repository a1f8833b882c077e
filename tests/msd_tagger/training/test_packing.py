import jax
import jax.numpy as jnp
import numpy as np

from msd_tagger.training import packing

TREE = {
    "count": jnp.array(2**31 - 1, jnp.int32),
    "params": [jnp.arange(6.0).reshape(2, 3), jnp.zeros((0, 4)), jnp.array(-0.0)],
    "half": jnp.array([[1.5, -2.0]], jnp.bfloat16),
    "steps": jnp.array([7, 2**24 + 1], jnp.int32),
}


def test_a_tree_has_a_vector_for_each_type_and_comes_back():
    vectors, unpack = packing.pack(TREE)
    assert {name: len(vector) for name, vector in vectors.items()} == {
        "int32": 3,
        "float32": 7,
        "bfloat16": 2,
    }
    found = unpack(vectors)
    assert jax.tree.structure(found) == jax.tree.structure(TREE)
    for leaf, expected in zip(*map(jax.tree.leaves, (found, TREE)), strict=True):
        assert leaf.dtype == expected.dtype
        np.testing.assert_array_equal(leaf, expected)


def test_what_is_mapped_over_vectors_gives_the_same_tree():
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), TREE)
    vectors = jax.vmap(lambda one: packing.pack(one)[0])(many)
    found = jax.vmap(packing.pack(TREE)[1])(vectors)
    jax.tree.map(np.testing.assert_array_equal, found, many)
