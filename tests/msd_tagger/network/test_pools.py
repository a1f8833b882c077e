import ast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.pools import (
    POOLS,
    check_pools,
    heard,
    propose_pools,
    unheard,
)

SHAPES = {"mel": (96, 1360), "stft": (257, 1360)}


@pytest.mark.parametrize("kind", SHAPES)
def test_published_poolings_end_at_one_and_hear_everything(kind):
    check_pools(SHAPES[kind], POOLS[kind])
    assert not unheard(SHAPES[kind], POOLS[kind])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((40, 1360), "in bands layer 5 pools 1 of them by 4 and leaves none"),
        ((96, 400), "in frames layer 5 pools 1 of them by 4 and leaves none"),
        ((96, 60), "in frames layer 3 pools 3 of them by 5 and leaves none"),
        ((96, 2600), "in frames layer 5 pools 8 of them by 4 and leaves 2"),
    ],
)
def test_the_layer_that_does_not_fit_is_named_with_poolings_that_do(shape, message):
    with pytest.raises(ValueError, match=message) as raised:
        check_pools(shape, POOLS["mel"])
    proposed = ast.literal_eval(str(raised.value).split('pools="')[1].split('"')[0])
    check_pools(shape, proposed)
    assert not unheard(shape, proposed)


@pytest.mark.parametrize("num_layers", [1, 3, 5, 7])
def test_proposed_poolings_fit_whatever_the_size(num_layers):
    for size in (1, 2, 17, 96, 97, 128, 191, 257, 1025, 1360, 2559, 168_750):
        pools = [bands for bands, _ in propose_pools((size, size), num_layers)]
        assert len(pools) == num_layers
        check_pools((size, size), [(pool, pool) for pool in pools])
        assert heard(size, pools) > 0.97 * size


@pytest.mark.parametrize("shape", [(7, 47), (9, 38)])
def test_what_is_not_heard_changes_no_output(shape):
    pools = ((2, 3), (3, 4), (1, 3))
    network = ConvNet(num_tags=1, pools=pools, channels=2)
    # A maximum hears one position of its window, so that many inputs are needed.
    x = jax.random.normal(jax.random.key(1), (200, *shape))
    variables = network.init(jax.random.key(0), x)
    logits = jax.jit(network.apply)
    for axis, what in enumerate(("bands", "frames")):
        count = heard(shape[axis], [pool[axis] for pool in pools])
        positions = jnp.arange(shape[axis])
        positions = positions[:, None] if axis == 0 else positions
        without_unheard = logits(variables, jnp.where(positions < count, x, 0))
        without_last = logits(variables, jnp.where(positions < count - 1, x, 0))
        np.testing.assert_array_equal(without_unheard, logits(variables, x))
        assert not np.array_equal(without_last, without_unheard)
        assert (what in unheard(shape, pools)) == (count < shape[axis])
