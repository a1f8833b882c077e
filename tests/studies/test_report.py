"""The report: self-contained, escaped, complete, and tolerant of what is optional."""

import html.parser
import json
import os

import numpy as np
import pytest

from studies import comparison, records, report, resampling
from studies.report import write_report
from tests.records import write_json, write_record


class Reader(html.parser.HTMLParser):
    """Collects a page's text, addresses, images and unclosed elements."""

    VOID = frozenset({"meta", "img", "source", "br", "hr", "link"})

    def __init__(self):
        super().__init__()
        self.text, self.addresses, self.images, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [
            value for name, value in attrs if name in ("src", "srcset", "href", "data")
        ]
        if tag == "img":
            self.images.append(attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["script"]:
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert not reader.open
    return reader, " ".join(" ".join(reader.text).split())


CORPUS = {
    "name": "<script>alert(1)</script>",
    "note": "a < b & c",
    "counts": {"train": 4000},
    "train_clips_used": 80,
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of five tags, each of which can be scored."""
    folder = tmp_path_factory.mktemp("run")
    workdir = write_record(folder, num_tags=5, empty_tags=(), corpus=CORPUS)
    return write_report(workdir)


def test_a_whole_report(tmp_path):
    page = write_report(write_record(tmp_path))
    reader, text = read(page)

    assert all(one.startswith(("data:", "#")) for one in reader.addresses)
    assert len(reader.images) == 7
    assert all(len(image["alt"]) > 20 for image in reader.images)
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"auc_per_tag.png", "auc_per_tag.svg", "scores.png"} <= drawn
    assert len(drawn) == 14

    assert "Synthetic corpus. Every number on this page" in text
    assert "synthetic, version 1.0" in text
    for part in (
        "macro ROC-AUC, true labels",
        "the linear baseline",
        "clips per second",
        "female vocalists",
        "train.learning_rate",
        "versions.jax",
        "Threshold of each tag",
        "whose best it is, and 0.",
        "C(i, j)",
    ):
        assert part in text
    assert "nan" not in text.lower().split()


def test_anchors_lead_somewhere(page):
    reader, _ = read(page)
    content = page.read_text(encoding="utf-8")
    anchors = [one for one in reader.addresses if one.startswith("#")]
    assert anchors
    assert all(f'id="{anchor[1:]}"' in content for anchor in anchors)


def test_names_are_escaped(page):
    content = page.read_text(encoding="utf-8")
    assert "<script>alert" not in content
    assert "&lt;script&gt;" in content and "a &lt; b &amp; c" in content


def test_only_the_required_files(tmp_path):
    workdir = write_record(
        tmp_path,
        num_seeds=1,
        num_tags=4,
        with_truth=False,
        with_baseline=False,
        corpus={"name": "my music", "version": None},
    )
    for name in (
        "predictions_valid.npz",
        "predictions_test.npz",
        "label_stats.npz",
        "config_default.json",
    ):
        (workdir / name).unlink()
    (workdir / "metrics.jsonl").write_text("")
    _, text = read(write_report(workdir))
    assert "true labels" not in text and "linear baseline" not in text
    assert "Synthetic" not in text
    assert "one seed" in text and "Threshold" not in text


def test_a_run_that_could_score_nothing(tmp_path, without_figures):
    workdir = write_record(tmp_path, num_tags=3, empty_tags=(0, 1, 2))
    _, text = read(write_report(workdir))
    assert "Against the weak labels no tag can be scored." in text


def test_a_share_of_the_training_clips_is_named(page):
    assert "4,000 train · trained on 80 of them" in read(page)[1]


def test_a_seed_that_failed_is_named_and_left_out(tmp_path, without_figures):
    workdir = write_record(tmp_path, num_seeds=2, num_tags=4)
    text = (workdir / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in text]
    for line in lines:
        for key in {"loss", "roc_auc_macro", "pr_auc_macro", "best"} & set(line):
            line[key].insert(1, None)
    (workdir / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    summary = json.loads((workdir / "summary.json").read_text())
    failure = {"number": 1, "seed": 8, "step": 1200, "reason": "its loss was nan"}
    summary |= {"seeds": [7, 9], "failed_seeds": [failure]}
    (workdir / "summary.json").write_text(json.dumps(summary))
    page = write_report(workdir).read_text()
    said = "Seed 8 failed at step 1,200 and is left out everywhere: its loss was nan."
    assert said in page
    record = records.read_run_record(workdir)
    assert records.per_seed(record.train, "loss").shape[1] == 2
    assert comparison.seed_numbers(record) == [7, 9]


def test_a_report_can_be_written_again(page):
    first = page.read_bytes()
    assert write_report(page.parent).read_bytes() == first


def test_a_missing_file_is_named(tmp_path):
    write_json(tmp_path / "config.json", {})
    with pytest.raises(ValueError, match=r"record: environment\.json missing"):
        write_report(tmp_path)


def scores_of(*values: float, std: float | None = None) -> dict:
    """Returns as much of `score_all`'s result as a comparison reads."""
    mean = {"roc_auc_macro": float(np.mean(values))}
    return {
        "num_seeds": len(values),
        "weak": {"mean": mean, "std": {"roc_auc_macro": std}},
    }


@pytest.mark.parametrize(
    ("network", "linear", "half_width", "sentence"),
    [
        (
            scores_of(0.70),
            scores_of(0.75),
            0.02,
            "Against the weak labels the network (one seed) is below the linear "
            "baseline by 0.0500 (± 0.0200, 95 % over test clips; unknown over seeds): "
            "0.7000 and 0.7500 macro ROC-AUC. Another seed may lie elsewhere.",
        ),
        (
            scores_of(0.79, 0.81, std=0.01),
            scores_of(0.75),
            0.03,
            "Against the weak labels the network (mean of 2 seeds) beats the linear "
            "baseline by 0.0500 (± 0.0300, 95 % over seeds and test clips): 0.8000 and "
            "0.7500 macro ROC-AUC.",
        ),
        (
            scores_of(0.76),
            scores_of(0.75),
            0.02,
            "Against the weak labels the network (one seed) cannot be told from the "
            "linear baseline: 0.7600 and 0.7500 macro ROC-AUC, a difference of +0.0100 "
            "(± 0.0200, 95 % over test clips; unknown over seeds).",
        ),
        (
            scores_of(0.80),
            scores_of(0.75),
            float("nan"),
            "Against the weak labels the network (one seed) cannot be told from the "
            "linear baseline: 0.8000 and 0.7500 macro ROC-AUC, a difference of +0.0500 "
            "(its interval is not known).",
        ),
    ],
)
def test_the_sentence_follows_the_numbers(network, linear, half_width, sentence):
    found = report.against_baseline(network, linear, "weak", half_width)
    assert found == sentence


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
        "seed 0",
        "seed 1",
        "seed 2",
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
    assert gap[columns.index("clips (weak)")] == "0 (few)"
    assert gap[columns.index("95 % (weak)")] == "–"
    first = next(row for row in table.rows if row[0] == record.summary["tags"][0])
    low, high = map(float, first[columns.index("95 % (weak)")].split(" to "))
    arrays = record.arrays["predictions_test"]
    weights = resampling.bootstrap_weights(len(arrays["tags"]), 400)
    tags, single = arrays["tags"][:, :1], arrays["scores"][:1, :, :1]
    moved = resampling.macro_auc(tags, single, weights)
    # It is of one network; the mean over seeds moves less.
    assert high - low == pytest.approx(3.92 * moved.std(), rel=0.3)


def test_intervals_of_the_whole_split_and_of_the_gap(record):
    spreads = report.spreads_of(record, "weak")
    arrays = record.arrays["predictions_test"]
    weights = resampling.bootstrap_weights(len(arrays["tags"]), 400)
    moved = resampling.macro_auc(arrays["tags"], arrays["scores"], weights)
    assert spreads.clips == pytest.approx(1.96 * moved.std(), rel=0.2)
    linear = record.arrays["baseline_test"]["scores"][None]
    moved -= resampling.macro_auc(arrays["tags"], linear, weights)
    assert spreads.gap > 1.8 * moved.std()


def test_a_split_that_is_too_small_is_cautioned(tmp_path, without_figures):
    def text(num_clips):
        made = write_record(tmp_path / str(num_clips), num_tags=8, num_clips=num_clips)
        return read(report.write_report(made))[1]

    assert "Caution: " in text(12)
    assert "Caution: " not in text(400)


def test_pairs_are_normalised_by_the_first_tag():
    tags = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]])
    table = report.pair_table(["rock", "punk", "none"], tags.T @ tags, 2)
    assert table.rows == [["punk → rock", "1.00", "2"], ["rock → punk", "0.50", "2"]]


def test_pairs_of_a_single_tag():
    assert report.pair_table(["rock"], np.array([[3]]), 5).rows == []


def test_keys_that_differ_from_their_default_are_bold(record):
    folder = {"data_dir": os.fsdecode(b"musique\xe9")}  # That is no text.
    table = report.config_table(record.config | folder, record.config_default)
    bold = {table.rows[row][0]: table.rows[row][1:] for row in table.strong}
    assert bold.pop("data_dir")[0] == r"musique\xe9"
    assert bold == {"num_seeds": ["3", "1"], "train.batch_size": ["16", "32"]}
