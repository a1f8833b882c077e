"""Batches of clips that have several excerpts each."""

import numpy as np

Batch = dict[str, np.ndarray]


def excerpts_of(batch: Batch) -> list[Batch]:
    """Splits a batch of clips with E excerpts into E batches `[B, M, F]`.

    A batch whose clips are one excerpt each, `[B, M, F]`, stays as it is.

    >>> batch = {"spectrogram": np.zeros((4, 3, 96, 231)), "mask": np.ones(4, bool)}
    >>> [one["spectrogram"].shape for one in excerpts_of(batch)]
    [(4, 96, 231), (4, 96, 231), (4, 96, 231)]
    """
    x = batch["spectrogram"]
    if x.ndim == 3:
        return [batch]
    return [{**batch, "spectrogram": x[:, number]} for number in range(x.shape[1])]
