"""Tables and sentences say what the numbers say."""

import numpy as np
import pytest

from studies import records, report
from tests.records import write_record


def scores_of(*values: float, std: float | None = None) -> dict:
    """Returns as much of `score_all`'s result as a comparison reads."""
    mean = {"roc_auc_macro": float(np.mean(values))}
    return {
        "num_seeds": len(values),
        "weak": {"mean": mean, "std": {"roc_auc_macro": std}},
    }


@pytest.mark.parametrize(
    ("network", "linear", "sentence"),
    [
        (
            scores_of(0.70),
            scores_of(0.75),
            "Against the weak labels the network stays below the linear baseline by "
            "0.0500: 0.7000 and 0.7500 macro ROC-AUC.",
        ),
        (
            scores_of(0.79, 0.81, std=0.01),
            scores_of(0.75),
            "Against the weak labels the network (mean of 2 seeds) beats the linear "
            "baseline by 0.0500: 0.8000 and 0.7500 macro ROC-AUC. That is 5.0 times "
            "the standard deviation over seeds.",
        ),
        (
            scores_of(0.75001),
            scores_of(0.75),
            "Against the weak labels the network and the linear baseline are level: "
            "0.7500 and 0.7500 macro ROC-AUC.",
        ),
    ],
)
def test_the_sentence_follows_the_numbers(network, linear, sentence):
    assert report.against_baseline(network, linear, "weak") == sentence


def test_nothing_to_compare():
    nothing = {"num_seeds": 1, "weak": {"mean": {"roc_auc_macro": None}}}
    found = report.against_baseline(nothing, scores_of(0.7), "weak")
    assert found == "Against the weak labels no tag can be scored."


@pytest.fixture
def record(tmp_path):
    return records.read_run_record(write_record(tmp_path, num_tags=8))


def test_score_table_names_every_average_and_sets_the_mean_in_bold(record):
    scores = record.summary["scores"]["test"]
    linear = record.summary["baseline"]["scores"]["test"]
    table = report.score_table(scores, linear, "weak")
    assert list(table.header)[1:] == list(report.AVERAGES.values())
    assert [row[0] for row in table.rows] == [
        "run 1",
        "run 2",
        "run 3",
        "mean ± deviation",
        "linear baseline",
    ]
    assert table.strong == [3]
    assert "7 of 8 tags" in table.caption
    assert table.rows[0][1] == f"{scores['weak']['per_seed'][0]['roc_auc_macro']:.4f}"


def test_tag_table_is_sorted_by_truth_and_shows_gaps(record):
    table = report.tag_table(record)
    columns = list(table.header)
    true = [row[columns.index("ROC-AUC (true)")] for row in table.rows]
    assert true == sorted(true, reverse=True)
    gap = next(row for row in table.rows if row[0] == record.summary["tags"][7])
    assert gap[columns.index("ROC-AUC (weak)")] == "–"
    assert gap[columns.index("clips (weak)")] == "0"


def test_pairs_are_normalised_by_the_first_tag():
    tags = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]])
    table = report.pair_table(["rock", "punk", "none"], tags.T @ tags, 2)
    assert table.rows == [["punk → rock", "1.00", "2"], ["rock → punk", "0.50", "2"]]


def test_pairs_of_a_single_tag():
    assert report.pair_table(["rock"], np.array([[3]]), 5).rows == []


def test_keys_that_differ_from_their_default_are_bold(record):
    table = report.config_table(record.config, record.config_default)
    bold = {table.rows[row][0]: table.rows[row][1:] for row in table.strong}
    assert bold == {"num_seeds": ["3", "1"], "train.batch_size": ["16", "32"]}
