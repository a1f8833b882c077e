"""Which labels a run learns from, what its loss corrects for, and what is said."""

import json

import numpy as np
import pytest

from configs import checks
from configs import label_noise as study_config
from configs.identity import digest, identity
from input_pipeline.corpora import Clip, Corpus
from modes import MainOptions, corpus, training, training_labels
from msd_tagger.common.error_rates import LabelNoise, count_rates
from studies import report
from tests import fakes

CSV = "tag,missing,false\n" + "".join(f"tag {k},0.{k + 1},0.0{k}\n" for k in range(5))


class Data(fakes.FakeData):
    """Half of the positives of the truth are missing, as in weak labels."""

    def __init__(self, knows_truth=True):
        super().__init__()
        self.knows_truth = knows_truth

    def labels(self, split, fraction=1.0):
        found = super().labels(split, fraction)
        truth = found["true_tags"]
        rows = np.arange(len(truth))[:, None] + np.arange(truth.shape[1])
        known = truth if self.knows_truth else None
        return found | {"tags": truth * (rows % 2).astype(np.uint8), "true_tags": known}


def apply(data=None, **keys):
    changes = {f"train__{key}": value for key, value in keys.items()}
    return training_labels.apply(fakes.small_config(**changes), data or Data())


def test_labels_stay_as_they_are_unless_asked():
    data = Data()
    same, known = apply(data)
    assert same is data and known.corrected is None
    own = data.labels("train")
    np.testing.assert_array_equal(
        known.found, count_rates(own["tags"], own["true_tags"])
    )
    unknowing = Data(knows_truth=False)
    assert apply(unknowing) == (unknowing, LabelNoise())


def test_a_run_learns_from_the_truth_and_from_noisier_labels():
    data, known = apply(labels="true")
    labels = data.labels("train")
    np.testing.assert_array_equal(labels["tags"], labels["true_tags"])
    np.testing.assert_array_equal(known.found, np.zeros((2, 5)))
    _, known = apply(labels="true", drop_positives=0.5, fraction=0.5)
    assert known.found.missing.mean() == pytest.approx(0.5, abs=0.2)
    _, other = apply(labels="true", drop_positives=0.5, fraction=0.5, noise_seed=1)
    assert np.any(other.found.missing != known.found.missing)
    data, known = apply(Data(knows_truth=False), flip_labels=0.2)
    own = Data().labels("train")["tags"]
    np.testing.assert_array_equal(
        known.found, count_rates(data.labels("train")["tags"], own)
    )
    np.testing.assert_array_equal(
        data.labels("test")["tags"], Data().labels("test")["tags"]
    )


def test_rates_are_counted_estimated_or_read(tmp_path):
    _, known = apply(label_noise="true")
    np.testing.assert_allclose(known.corrected, known.found)
    _, halved = apply(label_noise="true*0.5")
    odds = known.found.missing / (1 - known.found.missing) / 2
    np.testing.assert_allclose(halved.corrected.missing, odds / (1 + odds))
    _, estimated = apply(label_noise="annotated")  # 50 clips are all of them.
    np.testing.assert_allclose(estimated.corrected, known.found, atol=1e-9)
    (tmp_path / "rates.csv").write_text(CSV)
    _, read = apply(Data(knows_truth=False), label_noise=f"{tmp_path}/rates.csv")
    np.testing.assert_allclose(read.corrected.missing, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert read.found is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"labels": "true"}, "train.labels=true: this corpus does not know"),
        ({"label_noise": "true"}, "label_noise=true: this corpus does not .* no noise"),
        ({"label_noise": "annotated*2"}, r"label_noise=annotated\*2: this corpus does"),
    ],
)
def test_what_a_corpus_does_not_know_is_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        apply(Data(knows_truth=False), **keys)
    apply(Data(), **keys)


def test_it_is_refused_before_the_corpus_is_prepared(tmp_path):
    clips = [
        Clip(f"{split} {n}", split, tmp_path / "no.wav", np.array([n % 2], np.uint8))
        for split in ("train", "valid", "test")
        for n in range(4)
    ]
    unknowing = Corpus("mine", "1", tmp_path, ("rock",), clips)
    study = study_config.get_config("quick")
    options = MainOptions(
        "run", data_dir=tmp_path / "data", point="noise-weak,noise-clean"
    )
    with pytest.raises(ValueError, match=r"train\.labels=true: this corpus does not"):
        corpus.prepare(study, options, unknowing)
    assert not (tmp_path / "data").exists()


def test_noise_that_was_added_is_known_without_a_truth():
    keys = {"drop_positives": 0.4, "label_noise": "true"}
    _, known = apply(Data(knows_truth=False), **keys)
    np.testing.assert_allclose(known.corrected, known.found)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("rates.csv", r"label_noise=rates\.csv: there is no such file; give a CSV"),
        ("True", "label_noise=True: there is no such file"),
        ("true*0", r"label_noise=true\*0: the factor must be more than 0"),
        ("true*-1", r"label_noise=true\*-1: there is no such file"),
    ],
)
def test_a_wrong_source_of_rates_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        checks.check(fakes.small_config(train__label_noise=value))


def test_a_file_is_looked_at_before_anything_is_done(tmp_path):
    (tmp_path / "rates.csv").write_text("tag,missing,false\nrock,2,0\n")
    config = fakes.small_config(train__label_noise=f"{tmp_path}/rates.csv*2")
    with pytest.raises(ValueError, match=r"line 2: missing is '2'"):
        corpus.check(config, MainOptions("run"))
    (tmp_path / "rates.csv").write_text("tag,missing,false\nrock,0,0\n")
    corpus.check(config, MainOptions("audit"))
    with pytest.raises(ValueError, match=r"no row for tag 0, tag 1"):
        training_labels.apply(config, Data())


def test_of_a_file_its_content_names_the_run(tmp_path):
    def name(source, **keys):
        return digest(identity(fakes.small_config(train__label_noise=source, **keys)))

    for place in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / place).write_text(CSV if place != "c.csv" else CSV.upper())
    plain, a, b, c = map(name, ("", *(f"{tmp_path}/{x}.csv" for x in "abc")))
    assert a == b and len({plain, a, c, name("true"), name("true*2")}) == 5
    assert name(f"{tmp_path}/a.csv*2") != a
    few = {"analysis__subset100_clips": 20}
    assert name("annotated") != name("annotated", **few)
    assert name("true") == name("true", **few)
    assert plain == name("", train__noise_seed=3)
    drop = {"train__drop_positives": 0.1}
    assert name("", **drop) != name("", **drop, train__noise_seed=3)


def test_record_bundle_and_report_say_what_was_learnt_from(
    tmp_path, programs_shared, without_figures
):
    config = fakes.small_config(
        train__max_steps=4,
        train__drop_positives=0.25,
        train__label_noise="true",
        analysis__linear_baseline=False,
    )
    own = {"x": 1}
    training.train_in(tmp_path / "run", config, MainOptions(), own, Data(), ["cpu"])
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    _, known = training_labels.apply(config, Data())
    assert summary["label_noise"] == known.record()
    bundle = json.loads((tmp_path / "run" / "bundle" / "config.json").read_text())
    said = bundle["provenance"]["labels"]
    assert (said["labels"], said["drop_positives"]) == ("weak", 0.25)
    assert said["corrected_for"] == summary["label_noise"]["corrected"]
    counts = np.load(tmp_path / "run" / "label_stats.npz")["train_counts"]
    assert counts.sum() < Data().labels("train")["tags"].sum()
    page = report.write_report(tmp_path / "run").read_text()
    assert (
        "from the weak labels, of which on purpose 25 % of the positives were" in page
    )
    assert "corrects for error rates of each tag (train.label_noise=true)" in page
