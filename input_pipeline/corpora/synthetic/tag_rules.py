"""One rule per tag: what must be audible for the tag to be true.

The rules, in `tag_rules.toml`, look at `Attributes` only and say by which sound they
can be recognised. The tags are those of the Million Song Dataset as published with the
paper's split files.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from input_pipeline.corpora.synthetic.attributes import Attributes
from input_pipeline.corpora.synthetic.styles import read_toml
from msd_tagger.common.tags import TAGS


class Rule(NamedTuple):
    """When a tag is true."""

    cue: str  # How a listener recognises it.
    when: list[dict[str, Any]]  # Alternatives: conditions of which all have to hold.


RULES = {tag: Rule(**values) for tag, values in read_toml("tag_rules.toml").items()}


def true_tags(attributes: Attributes) -> np.ndarray:
    """Applies every rule: uint8 `[N, K]`, columns in the order of `TAGS`."""
    columns = [_holds(RULES[tag], attributes) for tag in TAGS]
    return np.stack(columns, axis=1).astype(np.uint8)


def _holds(rule: Rule, a: Attributes) -> np.ndarray:
    """Returns whether a rule holds, bool `[N]`."""
    alternatives = [
        np.all([CONDITIONS[name](a, value) for name, value in needed.items()], axis=0)
        for needed in rule.when
    ]
    return np.any(alternatives, axis=0)


def _all_of(a: Attributes, names: list[str]) -> np.ndarray:
    return np.all([getattr(a, name) for name in names], axis=0)


# A name in the table -> what it asks of clips, given the value in the table.
CONDITIONS: dict[str, Callable[[Attributes, Any], np.ndarray]] = {
    "styles": lambda a, names: a.in_styles(*names),
    "not_styles": lambda a, names: ~a.in_styles(*names),
    "plays": lambda a, names: a.plays(*names),
    "plays_only": lambda a, names: a.plays_only(*names),
    "drums": lambda a, names: np.isin(a.drums, names),
    "bass": lambda a, names: np.isin(a.bass, names),
    "era": lambda a, names: np.isin(a.era, names),
    "voice": lambda a, names: np.isin(a.voice, names),
    "energy_below": lambda a, value: a.energy < value,
    "tempo_above_bpm": lambda a, value: a.tempo_bpm > value,
    "is": _all_of,
    "is_not": lambda a, names: ~_all_of(a, names),
    "tags": lambda a, tags: np.all([_holds(RULES[tag], a) for tag in tags], axis=0),
}
