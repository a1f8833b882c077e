"""Scores of a bundle on any prepared corpus that shares tags with it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msd_tagger import metrics, parallel, steps
from msd_tagger.build import Batch, Data
from msd_tagger.bundle import Bundle, build_model
from msd_tagger.evaluate import evaluate
from msd_tagger.init_bundle import columns_by_name
from msd_tagger.record import write_npz


class Match(NamedTuple):
    """How the tags of a bundle and of a corpus go together, by name.

    Attributes:
        shared: Those that both have, in the bundle's order.
        only_in_bundle: Nothing is known of these in the corpus.
        only_in_corpus: The bundle does not know these.
        columns: Places of the shared tags in the corpus.
    """

    shared: tuple[str, ...]
    only_in_bundle: tuple[str, ...]
    only_in_corpus: tuple[str, ...]
    columns: tuple[int, ...]


def match_tags(of_bundle: Sequence[str], of_corpus: Sequence[str]) -> Match:
    """Matches tags by name, letter for letter.

    Raises:
        ValueError: Not one is shared.

    >>> match_tags(("rock", "jazz"), ("Jazz", "rock", "pop"))[1:]
    (('jazz',), ('Jazz', 'pop'), (1,))
    """
    own, columns = columns_by_name(of_bundle, of_corpus)
    if not own:
        raise ValueError(
            "bundle and corpus share no tag; names are compared letter for letter. "
            f"The bundle has {_listed(of_bundle)}; the corpus {_listed(of_corpus)}"
        )
    return Match(
        shared=tuple(of_bundle[number] for number in own),
        only_in_bundle=tuple(tag for tag in of_bundle if tag not in of_corpus),
        only_in_corpus=tuple(tag for tag in of_corpus if tag not in of_bundle),
        columns=tuple(columns),
    )


def restrict(bundle: Bundle, tags: Sequence[str]) -> Bundle:
    """A bundle for some of its tags, in the order given."""
    _, columns = columns_by_name(tags, bundle.tags)
    params = bundle.weights.params
    last_layer = {
        name: np.asarray(leaf)[..., columns] for name, leaf in params["tags"].items()
    }
    weights = bundle.weights.replace(params=params | {"tags": last_layer})
    return bundle._replace(tags=tuple(tags), weights=weights)


def score_split(
    bundle: Bundle,
    data: Data,
    columns: Sequence[int],
    split: str,
    layout: parallel.Layout,
    batch_size: int,
) -> dict[str, np.ndarray | None]:
    """Scores every clip of a split.

    Args:
        bundle: For the shared tags only, see `restrict`.
        data: Of the corpus.
        columns: Places of the bundle's tags in the corpus.
        split: "valid" or "test".
        layout: How seeds and batches lie on devices.
        batch_size: Clips at once; changes no score.

    Returns:
        "track_id" `[N]`, "tags" and "true_tags" `[N, K]` (or None) of the shared tags,
        "scores" `[S, N, K]`.
    """
    columns = list(columns)
    model = build_model(bundle)

    def batches() -> Iterator[Batch]:
        for batch in data.evaluation_batches(split, batch_size):
            yield batch | {"tags": batch["tags"][:, columns]}

    step = parallel.map_evaluation(
        partial(steps.evaluation_step, model=model),
        layout,
        partial(steps.prepare_batch, model=model),
    )
    found = evaluate(step, parallel.place(bundle.weights, layout), batches())
    labels = data.labels(split)
    truth = labels["true_tags"]
    return {
        "track_id": np.asarray(labels["track_id"]),
        "tags": labels["tags"][:, columns],
        "true_tags": None if truth is None else truth[:, columns],
        "scores": found["scores"],
    }
