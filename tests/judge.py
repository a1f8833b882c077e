"""The network once more, in NumPy and float64, written plainly: pool comes last.

It shares nothing with `msd_tagger` but the names of the parameters, and judges its
outputs, its gradients and a training step.
"""

import numpy as np

EPSILON = 1e-3


def convolve(x, kernel):
    """'Same' 3 x 3 correlation of [B, M, F, C] with [3, 3, C, C'], and its patches."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("bmfcij,ijcd->bmfd", patches, kernel, optimize=True), patches


def convolve_back(dz, patches, kernel):
    d_kernel = np.einsum("bmfcij,bmfd->ijcd", patches, dz, optimize=True)
    dx, _ = convolve(dz, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return dx, d_kernel


def pool_max(y, pool):
    """Maximum over windows, and the flat position of each within its window."""
    b, m, f, c = y.shape
    m, f = m // pool[0], f // pool[1]
    windows = y[:, : m * pool[0], : f * pool[1]].reshape(b, m, pool[0], f, pool[1], c)
    windows = windows.transpose(0, 1, 3, 5, 2, 4).reshape(b, m, f, c, -1)
    at = windows.argmax(-1)
    return np.take_along_axis(windows, at[..., None], -1)[..., 0], at


def pool_back(dy, at, pool, shape):
    out = np.zeros(shape)
    b, m, f, c = np.indices(dy.shape)
    np.add.at(out, (b, m * pool[0] + at // pool[1], f * pool[1] + at % pool[1], c), dy)
    return out


def forward(params, x, pools, statistics=None):
    """Logits [B, K]; batch statistics unless `statistics` (mean, var per layer)."""
    x, tape = np.asarray(x, np.float64)[..., None], []
    for i, pool in enumerate(pools, start=1):
        kernel = np.asarray(params[f"conv{i}_kernel"], np.float64)
        z, patches = convolve(x, kernel)
        z = z + np.asarray(params[f"conv{i}_bias"], np.float64)
        if statistics is None:
            mean, variance = z.mean((0, 1, 2)), z.var((0, 1, 2))
        else:
            mean, variance = statistics[i - 1]
        inverse = 1 / np.sqrt(variance + EPSILON)
        z_hat = (z - mean) * inverse
        norm = params[f"norm{i}"]
        gamma, beta = np.asarray(norm["scale"]), np.asarray(norm["bias"])
        u = gamma * z_hat + beta
        y = np.where(u > 0, u, np.expm1(np.minimum(u, 0)))
        x, at = pool_max(y, pool)
        tape.append((kernel, patches, mean, variance, inverse, z_hat, gamma, u, at))
    features = x.reshape(len(x), -1)
    logits = features @ params["tags"]["kernel"] + params["tags"]["bias"]
    return logits, features, tape


def loss_and_gradients(params, x, tags, pools):
    """Mean binary cross-entropy, its gradients, and the batch's statistics."""
    logits, features, tape = forward(params, x, pools)
    tags = np.asarray(tags, np.float64)
    loss = (np.logaddexp(0, logits) - tags * logits).mean()
    d_logits = (1 / (1 + np.exp(-logits)) - tags) / tags.size
    grads = {"tags": {"kernel": features.T @ d_logits, "bias": d_logits.sum(0)}}
    dx = (d_logits @ np.asarray(params["tags"]["kernel"], np.float64).T)[:, None, None]
    for i in reversed(range(len(pools))):
        kernel, patches, _, _, inverse, z_hat, gamma, u, at = tape[i]
        du = pool_back(dx, at, pools[i], u.shape) * np.exp(np.minimum(u, 0))
        axes = (0, 1, 2)
        grads[f"norm{i + 1}"] = {"scale": (du * z_hat).sum(axes), "bias": du.sum(axes)}
        g = du * gamma
        dz = inverse * (g - g.mean(axes) - z_hat * (g * z_hat).mean(axes))
        dx, grads[f"conv{i + 1}_kernel"] = convolve_back(dz, patches, kernel)
        grads[f"conv{i + 1}_bias"] = dz.sum(axes)
    return loss, grads, [(layer[2], layer[3]) for layer in tape]


def adam_first_step(param, grad, learning_rate):
    """The first update of Adam: both moments' biases cancel."""
    return param - learning_rate * grad / (np.abs(grad) + 1e-8)
