"""The folder of a run: claimed, begun, sealed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from configs.identity import digest
from msd_tagger.common import files, workspace


def test_what_a_run_begins_with(tmp_path):
    workspace.begin(tmp_path, {"seed": 1}, {"seed": 1}, {"seed": 0}, ["cpu"])
    read = {p.name: files.read_json(p) for p in tmp_path.iterdir()}
    assert read.pop("environment.json")["devices"] == ["cpu"]
    assert read == {
        "matter.json": {"seed": 1},
        "config.json": {"seed": 1},
        "config_default.json": {"seed": 0},
    }


def test_the_hash_is_that_of_the_default_folder(tmp_path):
    identity = {"seed": 0, "train.learning_rate": 5e-3, "train.freeze": ("conv1",)}
    workspace.claim(tmp_path, identity)
    assert workspace.hash_of(tmp_path) == digest(identity)
    assert workspace.hash_of(tmp_path / "nowhere") == ""


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    identity = {"train.learning_rate": 0.1, "model.pools": ()}
    workspace.claim(tmp_path / "run", identity)
    workspace.claim(tmp_path / "run", identity)
    changed = {**identity, "train.learning_rate": 0.2}
    with pytest.raises(ValueError, match=r"train.learning_rate: 0.1 -> 0.2"):
        workspace.claim(tmp_path / "run", changed)


@pytest.mark.parametrize("num_starts", [2, 8])
def test_of_starts_at_the_same_time_exactly_one_gets_in(tmp_path, num_starts):
    ready, done = Barrier(num_starts, timeout=600), Barrier(num_starts, timeout=600)

    def start(_):
        said = []
        for attempt in range(40):
            workdir = tmp_path / str(attempt)
            ready.wait()
            try:
                workspace.claim(workdir, {"seed": 1})
                with workspace.alone(workdir):
                    said.append("in")
                    done.wait()
            except ValueError as error:
                said.append(str(error))
                done.wait()
        return said

    with ThreadPoolExecutor(num_starts) as pool:
        of_all = zip(*pool.map(start, range(num_starts)), strict=True)
    for attempt, said in enumerate(of_all):
        refused = f"another process works in {tmp_path / str(attempt)}; wait"
        found = sorted(text[: len(refused)] for text in said)
        assert found == [refused] * (num_starts - 1) + ["in"]


def test_a_start_that_was_quicker_with_another_configuration_is_named(
    tmp_path, monkeypatch
):
    write_once = workspace.write_once

    def be_late(path, text):
        write_once(path, '{"seed": 2}')
        write_once(path, text)

    monkeypatch.setattr(workspace, "write_once", be_late)
    with pytest.raises(ValueError, match=r"another configuration \(seed: 2 -> 1"):
        workspace.claim(tmp_path / "run", {"seed": 1})


def test_logs_of_jobs_may_be_there_first(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "point-3_1.out").write_text("begins")
    workspace.claim(tmp_path, {"seed": 1})
    assert workspace.is_known(tmp_path, {"seed": 1})


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"holds files \(thesis.tex, …\) but no run"):
        workspace.claim(tmp_path, {})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.fixture
def run(tmp_path):
    files.write_json(tmp_path / "summary.json", {"complete": True})
    files.write_npz(tmp_path / "predictions_test.npz", scores=np.ones(3))
    (tmp_path / "bundle").mkdir()
    files.write_json(tmp_path / "bundle" / "bundle.json", {"seeds": [0]})
    (tmp_path / "checkpoints" / "20").mkdir(parents=True)
    workspace.seal(tmp_path)
    return tmp_path


def test_a_record_is_whole_until_a_file_changes(run, caplog):
    files.write_json(run / "environment.json", {"started": "now"})
    (run / "notes.json").touch()  # Somebody's own.
    assert workspace.is_whole(run)
    (run / "summary.json").write_text('{"complete": false}')
    (run / "bundle" / "bundle.json").unlink()
    assert not workspace.is_whole(run)
    assert f"{run}: altered or lost: bundle/bundle.json, summary.json" in caplog.text


@pytest.mark.parametrize("content", ["", "[1]", "{", None])
def test_without_its_seal_it_is_written_again(run, content):
    (run / workspace.SEAL).unlink()
    if content is not None:
        (run / workspace.SEAL).write_text(content)
    assert not workspace.is_whole(run)


def test_without_checkpoints_nothing_is_trained_anew_in_its_place(run):
    (run / "checkpoints" / "20").rmdir()
    assert workspace.is_whole(run)
    (run / "summary.json").unlink()
    with pytest.raises(ValueError, match=rf"{run} was complete, but summary.json was"):
        workspace.is_whole(run)


def test_a_folder_that_was_only_begun_is_not_whole(tmp_path):
    workspace.begin(tmp_path, {}, {}, {}, ["cpu"])
    assert not workspace.is_whole(tmp_path)


def test_an_evaluation_half_way_is_no_complete_record(tmp_path, caplog):
    files.write_json(tmp_path / "summary.json", {"complete": False})
    assert not workspace.is_whole(tmp_path)
    assert caplog.text == ""
