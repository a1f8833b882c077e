"""What a bundle's network has heard, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msd_tagger.common.text import printable

if TYPE_CHECKING:  # It imports JAX.
    from msd_tagger.bundle.format import Bundle

SYNTHETIC = "trained on synthetic music: its tags mean nothing for recorded music"


def heard(bundle: Bundle) -> list[str]:
    """Says what the network has heard, the last first; a line for each training."""
    lines = [_line(one) for one in _trainings(bundle)]
    return [lines[0], *(f"before that, {line}" for line in lines[1:])]


def is_synthetic(bundle: Bundle) -> bool:
    """Tells whether the network was never trained on recorded music."""
    corpora = [_corpus(one) for one in _trainings(bundle)]
    # The version of a folder that is called "synthetic" begins with its name.
    return all(
        one.get("name") == "synthetic"
        and not str(one.get("version")).startswith("synthetic-")
        for one in corpora
    )


def about(bundle: Bundle) -> str:
    """Says in one line what the network has heard, for who reads its tags."""
    if is_synthetic(bundle):
        return f"This network was {SYNTHETIC}."
    return f"This network has heard: {printable('; '.join(heard(bundle)))}."


def _trainings(bundle: Bundle) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    origin: Any = bundle.provenance
    while isinstance(origin, dict) and len(found) < 10:
        found.append(origin)
        origin = origin.get("started_from")
    return found or [{}]


def _corpus(origin: dict[str, Any]) -> dict[str, Any]:
    corpus = origin.get("corpus")
    return corpus if isinstance(corpus, dict) else {}


def _line(origin: dict[str, Any]) -> str:
    corpus = _corpus(origin)
    parts = [str(corpus.get("name") or "an unknown corpus")]
    if corpus.get("version"):
        parts.append(f"version {corpus['version']}")
    if corpus.get("train_clips_used"):
        parts.append(f"{corpus['train_clips_used']} training clips")
    if origin.get("batch_statistics"):
        parts.append(f"batch statistics of {origin['batch_statistics']}")
    return ", ".join([*parts, *_labels(origin)])


def _labels(origin: dict[str, Any]) -> list[str]:
    """Says what a training changed of a corpus's labels and of what they weigh."""
    labels = origin.get("labels")
    if not isinstance(labels, dict):
        return []
    dropped, flipped = (labels.get(key) for key in ("drop_positives", "flip_labels"))
    weights = labels.get("class_weights") or "none"
    said = {
        "true labels": labels.get("labels") == "true",
        f"positives dropped on purpose ({dropped})": dropped,
        f"labels flipped on purpose ({flipped})": flipped,
        f"class weights ({weights})": weights != "none",
        "a loss corrected for errors in the labels": labels.get("corrected_for"),
    }
    return [words for words, is_so in said.items() if is_so]
