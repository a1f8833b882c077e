"""The paper's numbers are typed as the paper has them, and fit each other."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.common import paper
from msd_tagger.common.tags import TAGS

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the paper's numbers, is not set"
)


@pytest.fixture(scope="module")
def printed():
    return json.loads(Path(REFERENCE, "paper_numbers.json").read_text())


@needs_reference
def test_table_1(printed):
    for tag in paper.INSTRUMENTATION_TAGS:
        row = paper.TABLE_1[tag]
        found = [*(100 * value for value in row[:4]), *row[4:]]
        assert found == pytest.approx(printed["table_1"][tag])


@needs_reference
def test_table_3(printed):
    table = printed["table_3"]
    first = dict.fromkeys(map(tuple, table["by_groundtruth"]))
    assert tuple(first) == paper.TOP_TUPLES
    assert tuple(map(tuple, table["by_label_vectors"])) == paper.TOP_SIMILAR


@needs_reference
def test_section_5(printed):
    vectors = printed["label_vectors"]
    pairs = {"|".join(pair): value for pair, value in paper.UNEXPECTED_PAIRS.items()}
    assert vectors["similarities"] == {k: v.similarity for k, v in pairs.items()}
    assert vectors["nco"] == {k: [v.rank, v.co_occurrence] for k, v in pairs.items()}
    assert vectors["rank_correlation_lvs_nco"] == paper.RANK_CORRELATION
    assert vectors["overlap_of_top20"] == paper.OVERLAP_TOP_20
    assert vectors["negative_pairs_among_23"] == len(paper.NEGATIVE_PAIRS)
    examples = {"|".join(k): v for k, v in paper.CO_OCCURRENCE_EXAMPLES.items()}
    assert printed["nco_examples"] == examples


@needs_reference
def test_the_other_figures(printed):
    counts = {**paper.CLIPS, "total": paper.CLIPS_TOTAL}
    assert printed["splits"] == counts
    assert printed["public_split_files"] == paper.CLIPS_PUBLIC
    assert printed["figure_2"] == {
        "rho_1": list(paper.RHO_1),
        "rho_2_mean": paper.RHO_2_MEAN,
        "third_set_auc_range": list(paper.THIRD_SET_RANGE),
    }
    assert printed["figure_4"] == {
        "runs": paper.VARIANCE_RUNS,
        "ci95": paper.VARIANCE_CI95,
        "mae": paper.VARIANCE_MAE,
        "std": paper.VARIANCE_STD,
        "largest_deltas": list(paper.LARGEST_DIFFERENCES),
        "non_significant_below": paper.NON_SIGNIFICANT_BELOW,
    }
    largest = paper.MAX_MEL_STFT_DIFFERENCE
    assert printed["figure_5"]["max_abs_mel_minus_stft"] == largest
    assert printed["figure_7"]["configurations"] == paper.CONFIGURATIONS
    assert printed["scaling"]["first_layer_bias_ratio_x10"] == paper.BIAS_RATIO_X10
    assert printed["models"] == {
        "compact_cnn_auc": paper.PUBLISHED_AUC,
        "trainable_parameters_mel": paper.MEL_PARAMETERS,
    }


@needs_reference
def test_tags_are_those_of_the_public_files():
    text = Path(REFERENCE, "msd", "tags.txt").read_text(encoding="utf-8")
    assert tuple(text.splitlines()) == TAGS


def test_the_numbers_fit_each_other():
    assert sum(paper.CLIPS.values()) == paper.CLIPS_TOTAL
    rows = np.array(list(paper.TABLE_1.values()))
    means = (
        paper.MEAN_ERROR_POSITIVE,
        paper.MEAN_ERROR_NEGATIVE,
        paper.MEAN_PRECISION,
        paper.MEAN_RECALL,
    )
    assert rows[:, :4].mean(axis=0) == pytest.approx(means, abs=6e-4)
    assert np.prod(np.array(paper.TABLE_2_POOLS), axis=0).tolist() == [256, 1280]


def test_every_tag_that_is_named_is_one_of_the_50():
    pairs = (
        *paper.TOP_TUPLES,
        *paper.TOP_SIMILAR,
        *paper.NEGATIVE_PAIRS,
        *paper.UNEXPECTED_PAIRS,
        *paper.CO_OCCURRENCE_EXAMPLES,
        paper.SELECTED_TAGS,
        paper.INSTRUMENTATION_TAGS,
        tuple(paper.TAG_COUNTS),
    )
    assert {tag for pair in pairs for tag in pair} <= set(TAGS)
    assert len(set(TAGS)) == 50
    assert len(set(paper.SELECTED_TAGS)) == 23
    assert len(set(paper.TOP_TUPLES)) == len(set(paper.TOP_SIMILAR)) == 20
    negative = {tag for pair in paper.NEGATIVE_PAIRS for tag in pair}
    assert negative <= set(paper.SELECTED_TAGS)
