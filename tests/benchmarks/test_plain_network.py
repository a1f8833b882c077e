from functools import partial

import jax
import numpy as np

from msd_tagger.network.convnet import ConvNet
from tests import fakes
from tests.plain_network import PlainConvNet, plain_statistics, plain_variables


def trained(network):
    return jax.jit(partial(network.apply, train=True, mutable=["batch_stats"]))


def test_the_plain_network_computes_the_same():
    real = ConvNet(num_tags=5, pools=fakes.POOLS, channels=6)
    plain = PlainConvNet(num_tags=5, pools=fakes.POOLS, channels=6)
    random = np.random.default_rng(0)
    x = random.normal(size=(4, fakes.BANDS, fakes.FRAMES)).astype(np.float32)
    variables = jax.jit(real.init)(jax.random.key(0), x)
    params = jax.tree.map(
        lambda a: a + 0.3 * random.normal(size=a.shape).astype(np.float32),
        variables["params"],
    )
    variables = variables | {"params": params}
    expected, changed = trained(real)(variables, x)
    found, _ = trained(plain)(plain_variables(variables), x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # And with the running statistics that this batch left.
    variables = variables | changed
    assert plain_statistics(changed["batch_stats"])["norm1"].keys() == {"mean", "var"}
    expected = jax.jit(real.apply)(variables, x)
    found = jax.jit(plain.apply)(plain_variables(variables), x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
