"""The model card says what a bundle's network has heard and how it scores."""

import numpy as np
import pytest
import yaml
from scipy import stats

from msd_tagger.bundle import card
from msd_tagger.bundle.heard import SYNTHETIC, about, heard, is_synthetic
from tests.bundles import make_bundle

MADE_UP = {"name": "synthetic", "version": "1.2 (900 clips)", "train_clips_used": 600}
OWN = {"name": "my_songs", "version": "my_songs-12ab", "train_clips_used": 1234}
# A folder of one's own may be called synthetic too.
NAMESAKE = {"name": "synthetic", "version": "synthetic-12ab"}


def bundle_of(corpus, **changes):
    provenance = {"source": "trained", "corpus": corpus, **changes}
    return make_bundle()._replace(provenance=provenance)


def header_and_text(bundle):
    _, header, text = card.write(bundle).split("---\n", 2)
    return yaml.safe_load(header), text


@pytest.mark.parametrize(
    ("corpus", "before", "expected"),
    [
        (MADE_UP, None, True),
        (OWN, None, False),
        (NAMESAKE, None, False),
        (MADE_UP, OWN, False),
        (OWN, MADE_UP, False),
        (None, None, False),
    ],
)
def test_what_it_has_heard(corpus, before, expected):
    bundle = bundle_of(corpus, started_from=before and {"corpus": before})
    assert is_synthetic(bundle) == expected
    assert (SYNTHETIC in about(bundle)) == expected
    assert (SYNTHETIC.capitalize() in card.write(bundle)) == expected
    assert len(heard(bundle)) == 1 + bool(before)
    assert (corpus or {"name": "an unknown corpus"})["name"] in heard(bundle)[0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ""),
        ({"labels": "weak", "class_weights": "none", "drop_positives": 0.0}, ""),
        ({"class_weights": "mine.csv"}, ", class weights (mine.csv)"),
        (
            {"labels": "true", "flip_labels": 0.02, "corrected_for": {"missing": [0]}},
            ", true labels, labels flipped on purpose (0.02), "
            "a loss corrected for errors in the labels",
        ),
    ],
)
def test_what_was_changed_of_the_labels(labels, expected):
    (line,) = heard(bundle_of(OWN, labels=labels))
    assert line == f"my_songs, version my_songs-12ab, 1234 training clips{expected}"


def test_the_header_is_what_hubs_read():
    header, _ = header_and_text(bundle_of(OWN))
    assert header["license"] == "unknown" and "music-tagging" in header["tags"]
    assert header["pipeline_tag"] == "audio-classification"
    published = bundle_of(OWN, licence="MIT, copyright 2016 Somebody")
    header, text = header_and_text(published)
    assert header["license"] == "mit" and "MIT, copyright 2016 Somebody" in text


def test_scores_come_with_labels_and_intervals():
    values = np.array([0.7, 0.72, 0.77])
    of_seeds = [{"roc_auc_macro": v, "pr_auc_macro": None} for v in values]
    weak = {
        "per_seed": of_seeds,
        "mean": {"roc_auc_macro": values.mean(), "pr_auc_macro": None},
        "std": {"roc_auc_macro": values.std(ddof=1), "pr_auc_macro": None},
    }
    one = {
        "mean": {"roc_auc_macro": 0.8, "pr_auc_macro": 0.3},
        "per_seed": of_seeds[:1],
    }
    scores = {"test": {"num_clips": 200, "weak": weak, "true": one}}
    _, text = header_and_text(bundle_of(OWN)._replace(scores=scores))
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    half = (high - low) / 2
    assert f"| test | weak | 200 | {values.mean():.3f} ± {half:.3f} | – |" in text
    assert "| test | true | 200 | 0.800 | 0.300 |" in text
    _, text = header_and_text(bundle_of(OWN)._replace(scores={}))
    assert "It was not measured" in text


def test_names_are_no_markup():
    bundle = make_bundle(tags=("<b>", "a|b", "R&B"))._replace(provenance={})
    _, text = header_and_text(bundle)
    assert r"\<b>, a\|b, R&B." in text and "an unknown corpus" in text
