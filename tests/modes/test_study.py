"""A study runs its points, goes on where it stopped, and survives one that fails."""

import json
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import jax
import numpy as np
import pytest

from configs import checks, default, sweeps
from input_pipeline.corpora import Clip, Corpus
from modes import MainOptions, study, study_labels
from modes.run import start as begin
from msd_tagger.bundle.format import build_model, read_bundle
from msd_tagger.bundle.thresholds import choose
from msd_tagger.commands import command_line
from msd_tagger.commands.export import export
from msd_tagger.common import files, metrics, workspace
from msd_tagger.network.pools import POOLS
from msd_tagger.training import parallel
from msd_tagger.training import setup as build
from studies.study_report import write_report_of
from tests import fakes

POINTS = (
    ("variance", (("num_seeds", 3),)),
    (
        "pre-linear",
        (("preprocessing.magnitude", "linear"), ("model.precision", "highest")),
    ),
)
SIZE = "train.batch_size"

pytestmark = pytest.mark.usefixtures("programs_shared")


def make_config():
    config = fakes.small_config(train__max_steps=3)
    config.name = config.task = "variance"
    config.analysis.linear_baseline = False
    config.sweep = POINTS
    return config


@pytest.fixture
def config():
    return make_config()


class Data(fakes.FakeData):
    def __init__(self, directory):
        super().__init__()
        self.directory = directory / "fake-1" / "mel"

    def order_digest(self):
        return "0123abcd"


def run(workdir, config, points=POINTS, mode="run"):
    data = {study.input_of(config): Data(workdir)}
    return study.run_points(workdir, config, MainOptions(mode), points, data, ["cpu"])


def summary(workdir, name):
    return json.loads((workdir / "points" / name / "summary.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("study")
    assert run(workdir, make_config()) == []
    return workdir


def test_points_that_are_the_same_run_are_trained_once(
    finished, tmp_path, monkeypatch, caplog
):
    points = ("first", POINTS[1][1]), ("again", POINTS[1][1]), POINTS[0]
    (tmp_path / "points").mkdir()
    old = finished / "points" / "variance"
    shutil.copytree(old, tmp_path / "points" / "not-asked-for")
    trained, train = [], study.train_in

    def noting(folder, *rest):
        is_new = not (folder / "summary.json").exists()
        trained.extend([folder.name] if is_new else [])
        return train(folder, *rest)

    monkeypatch.setattr(study, "train_in", noting)
    config = make_config()
    config.sweep = points
    with caplog.at_level("INFO"):
        assert run(tmp_path, config, points) == []
    assert trained == ["first"]
    assert "first is the same run: its folder is copied" in caplog.text
    assert "not-asked-for is the same run" in caplog.text
    assert [one for one in (tmp_path / "points").iterdir() if ".tmp" in one.name] == []
    for new, known in (("again", "first"), ("variance", "not-asked-for")):
        folder, source = (tmp_path / "points" / one for one in (new, known))
        assert workspace.is_whole(folder)
        assert oct(folder.stat().st_mode) == oct(source.stat().st_mode)
        for file in source.rglob("*"):
            copy = folder / file.relative_to(source)
            assert file.is_dir() or copy.read_bytes() == file.read_bytes()


def test_only_a_whole_run_is_copied_and_only_into_a_new_folder(finished, tmp_path):
    points = tmp_path / "points"
    shutil.copytree(finished / "points" / "pre-linear", points / "pre-linear")
    own = files.read_json(points / "pre-linear" / "matter.json")
    (points / "files").mkdir()
    workspace.claim(points / "begun", own)
    for name in ("files", "begun"):
        assert workspace.take_over(points / name, own) is None
    assert workspace.take_over(points / "other", own | {"seed": 9}) is None
    taken = workspace.take_over(points / "new", own)
    assert taken == points / "pre-linear"
    (points / "pre-linear" / "summary.json").write_text("{}")
    shutil.rmtree(points / "new")
    assert workspace.take_over(points / "new", own) is None
    assert not (points / "new").exists()


def test_the_bundle_of_every_point_gives_its_predictions(finished, tmp_path):
    """Bit by bit, through a copy by --mode=export."""
    data = fakes.FakeData()
    for name, seeds in (("variance", (0, 1, 2)), ("pre-linear", (0,))):
        point, out = finished / "points" / name, tmp_path / name
        export(command_line.Options(workdir=str(point), out=str(out)))
        bundle = read_bundle(out)
        assert (bundle.seeds, bundle.tags) == (seeds, data.tags)
        precision = "highest" if name == "pre-linear" else "default"
        assert bundle.network.get("precision", "default") == precision
        model = build_model(bundle)
        layout = parallel.choose_layout("data", len(seeds), 1, 1)
        evaluate = build.build_programs(model, layout, 0).evaluate
        weights = parallel.to_devices(bundle.weights, layout)
        batches = data.evaluation_batches("test", 8)
        found = [evaluate(weights, b)["scores"][:, b["mask"]] for b in batches]
        predictions = np.load(point / "predictions_test.npz")
        np.testing.assert_array_equal(np.concatenate(found, 1), predictions["scores"])

        valid = np.load(point / "predictions_valid.npz")
        chosen = choose(valid["tags"], valid["scores"], "valid")
        np.testing.assert_array_equal(bundle.thresholds[1:], chosen[1:])
        mean = summary(finished, name)["scores"]["test"]["true"]["mean"]
        assert bundle.scores["test"]["true"]["mean"] == mean
        assert bundle.provenance["corpus"]["name"] == "fake"
        assert str(tmp_path.parents[1]) not in (out / "config.json").read_text()


def test_a_study_has_no_bundle_of_its_own(finished, tmp_path):
    own = command_line.Options(workdir=str(finished), out=str(tmp_path / "new"))
    with pytest.raises(
        ValueError, match=r"one of its 2 runs, such as .*points/pre-linear"
    ):
        export(own)


def test_every_point_becomes_a_run_of_its_own(finished):
    assert summary(finished, "variance")["num_seeds"] == 3
    written = json.loads((finished / "points/pre-linear/config.json").read_text())
    assert written["preprocessing"]["magnitude"] == "linear"
    resolved = [written["train"][key] for key in ("seeds_per_chunk", "parallel")]
    assert resolved == [1, "data"]  # From 0 and "auto".
    assert (written["task"], written["sweep"]) == ("train", [])


def test_a_complete_point_is_not_run_again(finished, config, caplog):
    caplog.set_level("INFO")
    before = (finished / "points/variance/summary.json").stat().st_mtime_ns
    assert run(finished, config) == []
    after = (finished / "points/variance/summary.json").stat().st_mtime_ns
    assert before == after
    said = "point 2 of 2, pre-linear: at most 3 steps of 8 clips, 1 seed"
    assert said in caplog.text


def test_an_evaluation_gives_the_same_scores(finished, config):
    before = summary(finished, "variance")
    assert run(finished, config, POINTS[:1], "evaluate") == []
    after = summary(finished, "variance")
    assert after["scores"] == before["scores"]
    assert after["train_seconds"] == before["train_seconds"]


def test_the_folder_of_another_configuration_is_left_alone(finished, config):
    config.train.learning_rate = 0.1
    (reason,) = run(finished, config, POINTS[:1])
    assert reason.startswith("variance (")
    assert "train.learning_rate: 0.005 -> 0.1" in reason
    assert summary(finished, "variance")["complete"]


def test_a_point_that_fails_does_not_stop_the_others(tmp_path, config, caplog):
    caplog.set_level("INFO")
    diverging = ("diverging", (("train.learning_rate", float("inf")),))
    config.sweep = POINTS[1], diverging
    (reason,) = run(tmp_path, config, config.sweep)
    assert reason.startswith("diverging (")
    assert summary(tmp_path, "pre-linear")["complete"]
    # It is said before what can be seen, and how long it takes, from then on by time.
    assert "no difference between two points can be told from chance" in caplog.text
    assert "if no point stops early (a guess: " in caplog.text
    assert " 1 seed; at most " in caplog.text


def test_the_time_left_follows_from_steps_that_were_taken_here(
    tmp_path, config, caplog, monkeypatch
):
    now = [0.0]

    def train_in(*_):
        now[0] += 60
        return {"steps": 1}  # Of three: it stopped early.

    caplog.set_level("INFO")
    monkeypatch.setattr(study, "train_in", train_in)
    monkeypatch.setattr(study, "print_scores", lambda _: None)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    config.sweep = tuple((name, (("seed", n),)) for n, name in enumerate("abc"))
    workspace.claim(tmp_path / "points" / "a", {"begun": "before"})
    assert run(tmp_path, config, config.sweep) == []
    told = [one for one in caplog.messages if one.startswith("point ")]
    left = [one.partition("; ")[2] for one in told]
    assert left == ["", "", "at most 3 min 0 s left"]


def test_what_chosen_points_show_depends_on_their_own_seeds(tmp_path, caplog):
    """Not on the fewest of the whole study."""
    points = [*sweeps.sizes((50, 100)), *sweeps.preprocessing(), *sweeps.variance()]
    config = fakes.small_config(task="paper", num_seeds=3, sweep=tuple(points))

    def said(*patterns):
        chosen = [p for p in points if any(fnmatch(p[0], one) for one in patterns)]
        names = [
            study.Work(p[0], config, tmp_path, Data(tmp_path), 1, {}) for p in chosen
        ]
        caplog.clear()
        with caplog.at_level("INFO", logger="modes.study"):
            study.foretell(config, names, {}, 100)
        return re.findall(r"with (\d+) seeds", caplog.text)

    assert said("*") == ["3", "5"]  # None has as many as the one point of 15.
    assert said("pre-db-*") == ["5"]
    assert said("size-*") == ["3"]
    assert said("variance", "pre-db-*-x1") == ["5"]
    assert said("variance") == []


def test_one_point_alone_is_what_it_is_among_others(finished, tmp_path, config):
    run(tmp_path, config, sweeps.choose(config.sweep, "1"))
    scores = [
        np.load(place / "points/pre-linear/predictions_test.npz")["scores"]
        for place in (finished, tmp_path)
    ]
    np.testing.assert_array_equal(*scores)
    assert not (tmp_path / "points" / "variance").exists()


def test_a_study_is_of_one_batch_size(tmp_path, monkeypatch):
    """Its folder says which, so points on other devices are refused there."""

    def begin(backend, workdir="", message="enough"):
        config = make_config()
        config.train.batch_size = 0
        monkeypatch.setattr(jax, "default_backend", lambda: backend)
        with pytest.raises(ValueError, match=message):
            study.run_study(config, MainOptions(workdir=workdir))

    def stop(*_):
        raise ValueError("enough")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "check_start", lambda *_: None)
    monkeypatch.setattr(study.platform, "keep_programs", lambda _: None)
    monkeypatch.setattr(study, "load_once", stop)
    begin("cpu")
    begin("gpu")
    folders = [path.parent for path in tmp_path.glob("runs/*/matter.json")]
    known = [files.read_json(one / "matter.json") for one in folders]
    sizes = [one[SIZE] for one in known]
    assert sorted(sizes) == [8, 32]
    for size in (0, 8):  # 0 as in folders of earlier versions.
        files.write_json(folders[0] / "matter.json", known[0] | {SIZE: size})
        begin("gpu", str(folders[0]), rf"\({SIZE}: {size} -> 32\)")


def test_statistics_of_the_input_wait_for_a_point_that_needs_it(tmp_path, config):
    clips = [Clip("a", "train", tmp_path, np.array([1], np.uint8))]
    corpus = Corpus("two", "1", tmp_path, ("x",), clips)
    config.task, config.corpus.name = "paper", "folder"
    study.write_statistics(tmp_path, config, corpus, {"other": Data(tmp_path)})
    assert (tmp_path / "labels.npz").exists()
    assert not (tmp_path / "input_stats.npz").exists()
    data = {study.input_of(config): Data(tmp_path)}
    study.write_statistics(tmp_path, config, corpus, data)
    assert (tmp_path / "input_stats.npz").exists()


def test_the_network_that_is_described_is_the_one_that_is_asked_for():
    config = default.get_config()
    paper = {"mel": ((96, 1360), POOLS["mel"]), "stft": ((257, 1360), POOLS["stft"])}
    assert study.inputs_of(config) == paper
    config.model.pools = ((8, 34), (12, 40))
    assert study.inputs_of(config)["mel"] == ((96, 1360), ((8, 34), (12, 40)))
    config.clip.duration_s = 3.0
    config.model.pools = ((8, 10), (12, 14))
    assert study.inputs_of(config) == {"mel": ((96, 141), ((8, 10), (12, 14)))}


def written_config():
    """The config that the documentation shows."""
    page = Path(__file__).parents[2] / "docs" / "studies.md"
    [code] = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["get_config"]()


def test_a_sweep_of_ones_own_is_trained_whole(tmp_path, monkeypatch, without_figures):
    config = fakes.small_config(num_seeds=2, train__max_steps=3)
    config.name, config.sweep = written_config().name, written_config().sweep[:2]
    sweeps.settle(config, {"num_seeds": 2, "train.max_steps": 3})
    checks.check_for_mode(config, "run")
    monkeypatch.setattr(study, "check_start", lambda *_: None)
    monkeypatch.setattr(study.platform, "keep_programs", lambda _: None)
    monkeypatch.setattr(study, "load_once", lambda *_: None)
    monkeypatch.setattr(study, "prepare_once", lambda *_: {})
    monkeypatch.setattr(study, "open_data", lambda *_: Data(tmp_path))
    workdir = tmp_path / "rates"
    for point, complete in (("rate-0.005", 1), ("", 2)):
        begin(config, MainOptions(workdir=str(workdir), point=point))
        page = (workdir / "report.md").read_text()
        assert f"{complete} of 2 points complete" in page
    assert "2 points, 2 seed(s) each" in page
    assert "Against the weak labels, 0 of 1 differences" in page
    assert "linear baseline" in page
    rates = [
        files.read_json(workdir / "points" / name / "config.json")["train"]
        for name in ("rate-0.001", "rate-0.005")
    ]
    assert [one["learning_rate"] for one in rates] == [0.001, 0.005]
    assert not (workdir / "labels.npz").exists()
    page = (workdir / "report.html").read_bytes()
    assert write_report_of(workdir).read_bytes() == page


def test_labels_are_the_corpuss_or_drawn(tmp_path, config):
    clips = [
        Clip(f"id-{n}", split, tmp_path, np.array([n % 2, 1], np.uint8))
        for n, split in enumerate(("test", "train", "train"))
    ]
    corpus = Corpus("folder", "1", tmp_path, ("rock", "pop"), clips)
    config.corpus.name = "folder"
    table = study_labels.label_table(config, corpus)
    assert table.tag_names == ("rock", "pop")
    assert set(table.splits) == {"train", "test"}
    assert table.splits["train"].track_id.tolist() == ["id-1", "id-2"]
    assert table.splits["train"].tags.tolist() == [[1, 1], [0, 1]]
    assert table.splits["train"].true_tags is None

    config.corpus.name, config.analysis.label_only_clips = "synthetic", 900
    drawn = study_labels.label_table(config, None)
    assert {k: len(v.track_id) for k, v in drawn.splits.items()} == {
        "train": 600,
        "valid": 100,
        "test": 200,
    }
    weak, true = drawn.splits["train"].tags, drawn.splits["train"].true_tags
    assert metrics.score(true, weak)["num_tags_scored"] > 40
    assert weak.sum() < true.sum()
