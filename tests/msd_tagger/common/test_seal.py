import numpy as np
import pytest

from msd_tagger.common import files, record, seal


@pytest.fixture
def run(tmp_path):
    files.write_json(tmp_path / "summary.json", {"complete": True})
    files.write_npz(tmp_path / "predictions_test.npz", scores=np.ones(3))
    (tmp_path / "bundle").mkdir()
    files.write_json(tmp_path / "bundle" / "bundle.json", {"seeds": [0]})
    (tmp_path / "checkpoints" / "20").mkdir(parents=True)
    seal.seal(tmp_path)
    return tmp_path


def test_a_record_is_whole_until_a_file_changes(run, caplog):
    files.write_json(run / "environment.json", {"started": "now"})
    (run / "notes.json").touch()  # Somebody's own.
    assert seal.is_whole(run)
    (run / "summary.json").write_text('{"complete": false}')
    (run / "bundle" / "bundle.json").unlink()
    assert not seal.is_whole(run)
    assert f"{run}: altered or lost: bundle/bundle.json, summary.json" in caplog.text


@pytest.mark.parametrize("content", ["", "[1]", "{", None])
def test_without_its_seal_it_is_written_again(run, content):
    (run / seal.NAME).unlink()
    if content is not None:
        (run / seal.NAME).write_text(content)
    assert not seal.is_whole(run)


def test_without_checkpoints_nothing_is_trained_anew_in_its_place(run):
    (run / "checkpoints" / "20").rmdir()
    assert seal.is_whole(run)
    (run / "summary.json").unlink()
    with pytest.raises(ValueError, match=rf"{run} was complete, but summary.json was"):
        seal.is_whole(run)


def test_a_folder_that_was_only_begun_is_not_whole(tmp_path):
    record.start(tmp_path, {}, {}, ["cpu"])
    assert not seal.is_whole(tmp_path)


def test_an_evaluation_half_way_is_no_complete_record(tmp_path, caplog):
    files.write_json(tmp_path / "summary.json", {"complete": False})
    assert not seal.is_whole(tmp_path)
    assert caplog.text == ""
