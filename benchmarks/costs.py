"""Arithmetic and memory traffic that the network cannot avoid, from its shapes."""

from collections.abc import Sequence
from typing import NamedTuple

from msd_tagger.network.pools import Pools


class Layer(NamedTuple):
    """One convolution layer, for one clip.

    Attributes:
        bands: Of its maps, before pooling.
        frames: Of its maps, before pooling.
        inputs: Channels in.
        outputs: Channels out.
        pooled: Values per channel after pooling.
    """

    bands: int
    frames: int
    inputs: int
    outputs: int
    pooled: int

    @property
    def places(self) -> int:
        """Values per channel before pooling."""
        return self.bands * self.frames

    @property
    def convolution_flops(self) -> int:
        """Of one pass: two operations for each of 3 x 3 weights, at each place."""
        return 2 * 9 * self.inputs * self.outputs * self.places


def layers(shape: tuple[int, int], pools: Pools, channels: int) -> list[Layer]:
    """The layers over an input of `shape`, bands and frames."""
    bands, frames = shape
    found, inputs = [], 1
    for pool in pools:
        pooled = (bands // pool[0]) * (frames // pool[1])
        found.append(Layer(bands, frames, inputs, channels, pooled))
        bands, frames, inputs = bands // pool[0], frames // pool[1], channels
    return found


def inference_flops(network: Sequence[Layer], num_tags: int) -> int:
    """Operations for one clip: the convolutions and the last layer."""
    dense = 2 * network[-1].outputs * network[-1].pooled * num_tags
    return sum(layer.convolution_flops for layer in network) + dense


def training_flops(network: Sequence[Layer], num_tags: int) -> int:
    """Operations for one clip: forwards, and twice that backwards.

    Backwards there are a pass for the kernels and one for the input, which the first
    layer's input does not need.
    """
    return 3 * inference_flops(network, num_tags) - network[0].convolution_flops


def training_bytes(network: Sequence[Layer], bytes_per_value: int) -> int:
    """Bytes that a training step which keeps its raw maps moves for one clip.

    The raw maps of a batch are larger than any cache, so they are at least written
    forwards, read backwards, and their gradients written and read once by the two
    passes together. The input of each layer is read forwards and for the kernels'
    gradients; pooled maps are written, and their gradients written and read.
    """
    values = 0
    for number, layer in enumerate(network):
        raw = layer.outputs * layer.places
        pooled = layer.outputs * layer.pooled
        values += 4 * raw + 2 * layer.inputs * layer.places + pooled
        values += 2 * pooled if number + 1 < len(network) else 0
    return bytes_per_value * values
