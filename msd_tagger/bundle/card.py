"""The README.md of a bundle: a model card that hubs show, and what it is made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from scipy.special import stdtrit

from msd_tagger.bundle.heard import SYNTHETIC, heard, is_synthetic
from msd_tagger.common.facts import LABELS, SPLITS
from msd_tagger.pages.markdown import escape

if TYPE_CHECKING:  # It writes the card.
    from msd_tagger.bundle.format import Bundle

TEMPLATE = Path(__file__).with_name("card.md.j2")


def write(bundle: Bundle) -> str:
    """Writes the card as Markdown with a header of YAML."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    licence = str(bundle.provenance.get("licence") or "")
    thresholds = bundle.thresholds
    count = len(bundle.seeds)
    networks = "networks, which differ in their seed" if count > 1 else "network"
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        licence_id=_licence_id(licence),
        licence=escape(licence) or "Not stated yet.",
        warning=SYNTHETIC.capitalize() if is_synthetic(bundle) else "",
        heard=[escape(line) for line in heard(bundle)],
        tags=[escape(tag) for tag in bundle.tags],
        recipe=bundle.recipe,
        own=bundle.network.get("name", "").replace("`", "'"),  # It stands as code.
        networks=f"{count} {networks}",
        num_seeds=count,
        scores=_rows(bundle.scores),
        thresholds=thresholds and escape(thresholds.split),
        batch_statistics=bundle.batch_statistics,
    )


def _rows(scores: dict[str, Any]) -> list[list[str]]:
    rows = []
    for split in SPLITS:
        of_split = scores.get(split) or {}
        for labels in LABELS:
            found = of_split.get(labels)
            if found:
                cells = [
                    _score(found, f"{name}_macro") for name in ("roc_auc", "pr_auc")
                ]
                clips = of_split.get("num_clips", "")
                rows.append([split, labels, str(clips), *cells])
    return rows


def _score(found: dict[str, Any], name: str) -> str:
    """Writes a mean over seeds with its 95 % interval, which one seed has not."""
    mean, std = (found.get(key, {}).get(name) for key in ("mean", "std"))
    if mean is None:
        return "–"
    count = len(found.get("per_seed", ()))
    if std is None or count < 2:
        return f"{mean:.3f}"
    half = stdtrit(count - 1, 0.975) * std / np.sqrt(count)
    return f"{mean:.3f} ± {half:.3f}"


def _licence_id(licence: str) -> str:
    """Finds the identifier that hubs know: the first word, as "mit".

    >>> _licence_id("MIT, copyright 2016 Somebody"), _licence_id("")
    ('mit', 'unknown')
    """
    found = re.match(r"[A-Za-z0-9.-]+", licence)
    return found[0].lower() if found else "unknown"
