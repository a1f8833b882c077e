"""The labels that a run learns from, and the error rates that its loss corrects for."""

import logging

import numpy as np
from ml_collections import ConfigDict

from configs.keys import file_of_rates, label_noise_of
from modes.corpus import check_labels
from msd_tagger.common.error_rates import (
    LabelNoise,
    Rates,
    arrange,
    count_rates,
    read_rates,
    usable,
)
from msd_tagger.training.data import Data
from msd_tagger.training.relabelled import Relabelled, add_noise

logger = logging.getLogger(__name__)


def apply(config: ConfigDict, data: Data) -> tuple[Data, LabelNoise]:
    """Gives the training clips the labels of the `train` keys, and says what is known.

    Validation and test clips keep theirs.

    Raises:
        ValueError: As `check_labels`.
    """
    train, known = config.train, data.labels("train")
    own, truth = known["tags"], known["true_tags"]
    check_labels(config, data.tags, truth is not None)
    learnt = truth if train.labels == "true" else own
    drop, flip = train.drop_positives, train.flip_labels
    if drop or flip:
        # Without a truth, the labels as they were are what is known.
        truth = own if truth is None else truth
        ids, seed = known["track_id"], train.noise_seed
        learnt = add_noise(learnt, ids, data.tags, drop=drop, flip=flip, seed=seed)
    used = slice(data.num_clips("train", train.fraction))
    labels = learnt[used]
    found = corrected = None
    if truth is not None:
        found = count_rates(labels, truth[used])
    if train.label_noise:
        ids = known["track_id"][used]
        corrected = _rates(config, data.tags, ids, labels, truth)
    if learnt is not own:
        data = Relabelled(data, learnt)
        logger.info(
            "training labels: %.3g tags a clip; the corpus's own have %.3g",
            *(labels.sum(1).mean(), own[used].sum(1).mean()),
        )
    return data, LabelNoise(found, corrected)


def _rates(
    config: ConfigDict,
    tags: tuple[str, ...],
    ids: np.ndarray,
    labels: np.ndarray,
    truth: np.ndarray | None,
) -> Rates:
    """Finds the rates that `train.label_noise` names, for the labels learnt from."""
    source, factor = label_noise_of(config.train.label_noise)
    if path := file_of_rates(config.train.label_noise):
        return usable(arrange(read_rates(path), tags, path), factor)
    assert truth is not None  # `check_labels` asks for it.
    truth = truth[: len(labels)]
    if source == "true":
        return usable(count_rates(labels, truth), factor)
    from studies.estimated_rates import estimate_rates  # Late, as `modes.report` says.

    options = config.analysis
    half, seed = options.subset100_clips // 2, options.subset_seed
    found = estimate_rates(ids, labels, truth, tags, per_side=half, seed=seed)
    return usable(found, factor)
