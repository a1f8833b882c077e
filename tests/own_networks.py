"""Networks and augmentations as users would bring them."""

import jax.numpy as jnp
from flax import linen as nn


class Small(nn.Module):
    num_tags: int
    width: int = 6
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Conv(self.width, (3, 3), (2, 2), use_bias=False)(x[..., None])
        x = nn.BatchNorm(use_running_average=not train, use_fast_variance=False)(x)
        x = nn.relu(x).mean(2).reshape(len(x), -1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_tags, name="tags")(x)


class Pooling(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.max_pool(x[..., None], (2, 2), (2, 2), "SAME")
        return nn.Dense(self.num_tags, name="tags")(x.mean((1, 2)))


class Nameless(nn.Module):
    """Without statistics, and without a layer that is called "tags"."""

    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.num_tags)(nn.LayerNorm()(x.mean(2)))


class Convolving(nn.Module):
    """Has names that the paper's network has, for other things."""

    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        kernel = self.param("conv1_kernel", nn.initializers.ones, (1, 4))
        x = nn.BatchNorm(use_running_average=not train)(x[..., None] @ kernel)
        return nn.Conv(self.num_tags, (1, 1), name="tags")(x).mean((1, 2))


class ByFrame(nn.Module):
    """Gives logits to frames, and their mean to the clip."""

    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.num_tags, name="tags")(x.swapaxes(1, 2)).mean(1)


class Untagged(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(5)(x.mean(2))


class Forgetful(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        x = x.mean(2)
        self.variable("cache", "last", lambda: x)
        return nn.Dense(self.num_tags)(x)


class Spectral(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        layer = nn.SpectralNorm(nn.Dense(self.num_tags))
        return layer(x.mean(2), update_stats=train)


class Rounded(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.num_tags, param_dtype=jnp.bfloat16)(x.mean(2))


class Growing(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(2 * self.num_tags, name="wide")(x.mean(2))
        return nn.Dense(self.num_tags, name="tags")(x)


class PerFrame(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.num_tags)(x.swapaxes(1, 2))


class Broken(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.num_tags)(x.no_such_thing)


class Untrained(nn.Module):
    num_tags: int

    @nn.compact
    def __call__(self, x, train):
        if train:
            raise RuntimeError("not in training")
        return nn.Dense(self.num_tags, name="tags")(x.mean(2))


def louder(batch, key, by=1.0):
    return batch | {"spectrogram": batch["spectrogram"] + by}


def forget(batch, key):
    louder(batch, key)


def lose(batch, key):
    return {"tags": batch["tags"], "mask": batch["mask"]}


def halve(batch, key):
    return batch | {"spectrogram": batch["spectrogram"][:, ::2]}


def fail(batch, key):
    raise RuntimeError("no luck")


class Restless(nn.Module):
    """Draws numbers when it is evaluated, too."""

    num_tags: int

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dropout(0.5, deterministic=False)(x.mean(2))
        return nn.Dense(self.num_tags, name="tags")(x)
