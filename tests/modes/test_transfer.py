"""From a bundle to another corpus with other tags, and its scores elsewhere."""

import csv
import json
import shutil

import numpy as np
import pytest
from sklearn import metrics as judge

from modes import MainOptions, corpus, run
from modes import evaluate as evaluate_bundle
from msd_tagger.bundle.format import read_bundle, write_bundle
from tests import bundles, fakes, small_corpus

BEFORE = ("tag 0", "tag 1", "tag 2", "tag 3", "tag 4")
AFTER = ("fast", "tag 3", "slow", "loud", "tag 0")
ELSEWHERE = ("tag 0", "unheard", "fast", "loud")


@pytest.fixture(autouse=True, scope="module")
def in_this_process():
    """JAX is set up, and a report has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (run, evaluate_bundle):
            patch.setattr(module, "set_up_devices", lambda *_: ["cpu"])
        patch.setattr(run, "report", lambda workdir: None)
        yield


def write_folder(directory, tags):
    """Small clips of noisy tones, each tag on some of those of every split."""
    rows = []
    for number in range(30):
        path = f"{number:03d}.wav"
        small_corpus.write_sound(directory / path, number, duration_s=0.9)
        split = small_corpus.SPLITS[number % 5]
        given = [tag for k, tag in enumerate(tags) if (number // 5 + k) % 3 == 0]
        rows.append((f"id-{number:03d}", path, split, "|".join(given)))
    small_corpus.write_table(directory, rows)
    (directory / "tags.txt").write_text("\n".join(tags) + "\n")
    return directory


def make_config(folder, **overrides):
    return fakes.small_config(
        corpus__name="folder",
        corpus__audio_dir=str(folder),
        clip__duration_s=fakes.RECIPE.duration_s,
        spectrogram__num_mel_bands=fakes.RECIPE.num_mel_bands,
        prepare__num_processes=1,
        analysis__linear_baseline=False,
        train__max_steps=10,
        **overrides,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle, a corpus with other tags, and a network that went from one there."""
    place = tmp_path_factory.mktemp("transfer")
    write_bundle(place / "bundle", bundles.make_bundle(tags=BEFORE))
    write_folder(place / "corpus", AFTER)
    start(place, place / "bundle")
    return place


def start(place, bundle, data_dir=None, **changes):
    config = make_config(
        place / "corpus",
        num_seeds=2,
        train__init_bundle=str(bundle),
        train__freeze="features",
        **changes,
    )
    data_dir = data_dir or place / "data"
    options = MainOptions(workdir=str(place / "run"), data_dir=data_dir)
    run.start(config, options)


def score(place, out, folder="corpus", **options):
    own = {"bundle": str(place / "run" / "bundle"), "data_dir": place / "data"}
    options = MainOptions(**{"mode": "evaluate", "out": str(out), **own, **options})
    evaluate_bundle.start(make_config(place / folder), options)


def read(path):
    return json.loads(path.read_text())


def test_a_network_goes_to_other_tags(place):
    before = read_bundle(place / "bundle")
    after = read_bundle(place / "run" / "bundle")
    assert after.tags == AFTER
    kernels = [b.weights.params["conv2_kernel"] for b in (before, after)]
    np.testing.assert_array_equal(*kernels)
    origin = after.provenance["started_from"]
    assert origin == {"freeze": "features", "source": "made up"}


def test_a_run_goes_on_with_its_own_bundle_alone(place, tmp_path):
    again = bundles.make_bundle(tags=BEFORE)._replace(provenance={"created": "later"})
    write_bundle(tmp_path / "again", again)
    start(place, tmp_path / "again")  # It is complete, from weights that are the same.
    again.weights.params["conv1_bias"][0, 0] += 1
    write_bundle(tmp_path / "other", again)
    with pytest.raises(ValueError, match=r"train.init_bundle: \w{8} -> \w{8}\)"):
        start(place, tmp_path / "other")


def test_a_bundle_that_does_not_fit_stops_a_run_at_once(place, tmp_path):
    with pytest.raises(ValueError, match=r"set --config.preprocessing.scale=1.0$"):
        start(place, place / "bundle", tmp_path / "data", preprocessing__scale=10.0)
    assert not (tmp_path / "data").exists()


def test_a_bundle_scores_on_its_own_corpus_as_its_run(place, tmp_path, capsys):
    score(place, tmp_path / "out")
    found, own = read(tmp_path / "out/scores.json"), read(place / "run/summary.json")
    assert found["scores"] == own["scores"]
    assert found["tags"] == {
        "shared": list(AFTER),
        "only_in_bundle": [],
        "only_in_corpus": [],
    }
    for split in ("valid", "test"):
        name = f"predictions_{split}.npz"
        one, other = np.load(tmp_path / "out" / name), np.load(place / "run" / name)
        assert set(one) == set(other)
        np.testing.assert_array_equal(one["scores"], other["scores"])
    printed = capsys.readouterr().out
    assert printed.startswith("5 tags are in both and scored\n")
    assert "\ntest, weak labels: roc_auc_macro" in printed
    assert "test, weak labels, at the bundle's thresholds: precision_macro" in printed


def only(split, source, folder):
    """Copies the clips of one split."""
    with (source / "tags.csv").open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[2] == split]
    folder.mkdir()
    for _, path, *_ in rows:
        shutil.copy(source / path, folder)
    small_corpus.write_table(folder, rows)
    shutil.copy(source / "tags.txt", folder)


def test_test_clips_alone_are_scored(place, tmp_path, capsys):
    data = {"data_dir": tmp_path / "data"}
    own = {"bundle": str(place / "run" / "bundle"), **data}
    only("test", place / "corpus", tmp_path / "test")
    config = make_config(tmp_path / "test")
    options = MainOptions(mode="evaluate", out=str(tmp_path / "scores"), **own)
    evaluate_bundle.start(config, options)
    assert "test, weak labels: roc_auc_macro" in capsys.readouterr().out
    found = read(tmp_path / "scores" / "scores.json")
    assert found["corpus"]["counts"] == {"test": 6}
    of_run = read(place / "run" / "summary.json")["scores"]["test"]
    assert list(found["scores"]) == ["test"]
    assert found["scores"]["test"]["weak"] == of_run["weak"]
    with pytest.raises(ValueError, match=r"no clips in train, valid .*see .*ledger"):
        corpus.start(config, MainOptions(mode="prepare", **data))
    only("train", place / "corpus", tmp_path / "train")
    with pytest.raises(ValueError, match="neither validation nor test clips"):
        again = options._replace(out="")
        evaluate_bundle.start(make_config(tmp_path / "train"), again)
    (prepared,) = (tmp_path / "data" / "shards").iterdir()
    assert prepared.name.startswith("test-")


def test_tags_that_differ_in_spelling_alone_are_told(caplog):
    bundle, corpus = ("cafe\u0301", "Jazz", "rock"), ("café", "jazz", "rock", "pop")
    evaluate_bundle.note_spellings(bundle, corpus)
    [record] = caplog.records
    assert record.message.endswith(
        ": cafe\\u0301 of the bundle and café of the corpus; "
        "Jazz of the bundle and jazz of the corpus"
    )


def test_tags_are_matched_by_name(place, tmp_path, capsys):
    write_folder(place / "elsewhere", ELSEWHERE)
    score(place, tmp_path / "out", "elsewhere")
    found = read(tmp_path / "out" / "scores.json")
    assert found["tags"] == {
        "shared": ["fast", "loud", "tag 0"],
        "only_in_bundle": ["tag 3", "slow"],
        "only_in_corpus": ["unheard"],
    }
    printed = capsys.readouterr().out
    assert "3 tags are in both and scored\n2 only in the bundle: tag 3, slow" in (
        printed
    )
    # The same clips by the same network: what is left are its own columns.
    own = np.load(place / "run" / "predictions_test.npz")["scores"][..., [0, 3, 4]]
    predictions = np.load(tmp_path / "out" / "predictions_test.npz")
    np.testing.assert_allclose(predictions["scores"], own, rtol=1e-5)
    assert predictions["tag_names"].tolist() == found["tags"]["shared"]

    thresholds = read_bundle(place / "run" / "bundle").thresholds.threshold[[0, 3, 4]]
    given = predictions["scores"].mean(0) >= thresholds
    with (tmp_path / "out" / "per_tag.csv").open() as file:
        rows = list(csv.DictReader(file))
    for k, row in enumerate(rows):
        labels = predictions["tags"][:, k]
        assert row["tag"] == found["tags"]["shared"][k]
        areas = [judge.roc_auc_score(labels, s[:, k]) for s in predictions["scores"]]
        assert float(row["roc_auc_test_weak"]) == pytest.approx(np.mean(areas))
        assert float(row["threshold"]) == thresholds[k]
        for name in ("precision", "recall", "f1"):
            expected = getattr(judge, f"{name}_score")(
                labels, given[:, k], zero_division=0
            )
            found_one = row[f"{name}_test_weak"]
            assert float(found_one or 0) == pytest.approx(expected)


def test_what_cannot_be_scored_is_refused_before_anything_is_written(place, tmp_path):
    write_folder(place / "strange", ("Fast", "Loud"))
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "notes.txt").write_text("mine")
    for message, options in {
        r"share no tag; .* bundle has fast, .*; the corpus has Fast, Loud": {
            "folder": "strange"
        },
        r"held holds files \(notes.txt": {"out": tmp_path / "held"},
        r"--workdir=here with --bundle: .* go to --out": {"workdir": "here"},
        r"--out=.*out goes with --bundle": {"bundle": ""},
        r"here is no folder": {"bundle": str(tmp_path / "here")},
    }.items():
        with pytest.raises(ValueError, match=message):
            score(place, **({"out": tmp_path / "out"} | options))
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "held").iterdir()] == ["notes.txt"]


def test_scores_of_a_damaged_corpus_leave_nothing_behind(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    (shard, *_) = sorted(tmp_path.glob("data/shards/*/*/*test.tfrecord*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=f"{shard.name}, record .* its checksum"):
        score(place, tmp_path / "out", data_dir=tmp_path / "data")
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_other_spectrograms_is_refused(place, tmp_path):
    write_bundle(tmp_path / "bundle", bundles.make_bundle(tags=AFTER))
    config = make_config(place / "corpus", spectrogram__hop_samples=128)
    with pytest.raises(ValueError, match=r"set --config.spectrogram.hop_samples=256$"):
        evaluate_bundle.read(tmp_path / "bundle", config)
    published = bundles.make_bundle(tags=AFTER)._replace(batch_statistics=True)
    write_bundle(tmp_path / "published", published)
    with pytest.raises(ValueError, match=r"published normalises .* --calibrate=FOLDER"):
        evaluate_bundle.read(tmp_path / "published", make_config(place / "corpus"))
