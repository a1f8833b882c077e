from benchmarks import costs


def test_by_hand():
    # 4 x 6 with one channel, 3 maps, pooled by (2, 3) and by (2, 2).
    first, second = costs.layers((4, 6), ((2, 3), (2, 2)), 3)
    assert first == (4, 6, 1, 3, 4) and second == (2, 2, 3, 3, 1)
    assert first.convolution_flops == 2 * 9 * 1 * 3 * 24 == 1296
    assert second.convolution_flops == 2 * 9 * 3 * 3 * 4 == 648
    network = [first, second]
    assert costs.inference_flops(network, 5) == 1296 + 648 + 2 * 3 * 5 == 1974
    assert costs.training_flops(network, 5) == 3 * 1974 - 1296
    # Raw maps four times, the input twice, pooled maps once and their gradients twice.
    expected = (4 * 72 + 2 * 24 + 12 + 2 * 12) + (4 * 12 + 2 * 12 + 3)
    assert costs.training_bytes(network, 4) == 4 * expected


def test_the_network_of_the_paper():
    from msd_tagger.network.pools import POOLS

    network = costs.layers((96, 1360), POOLS["mel"], 32)
    # The first map is 96 x 1360, the second 48 x 340: about 0.4 and 1.1 GFLOP a clip.
    assert [layer.places for layer in network] == [130560, 16320, 1360, 136, 16]
    assert 0.40e9 < costs.inference_flops(network, 50) < 0.42e9
    assert 1.1e9 < costs.training_flops(network, 50) < 1.2e9
