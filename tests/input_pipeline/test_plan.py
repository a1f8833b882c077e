"""Several jobs on one set: whoever does what in which order, the set is the same."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from input_pipeline import catalogue, plan, prepare, shards
from input_pipeline.corpora import folder
from input_pipeline.plan import Slice
from tests.preparing import files, prepare_folder, start
from tests.small_corpus import RECIPE, write_folder

pytestmark = pytest.mark.usefixtures("warm_starts")


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    """Forty clips: 24 train, 8 valid, 8 test; ten shards of four."""
    return write_folder(tmp_path_factory.mktemp("forty") / "corpus", 40)


@pytest.fixture(scope="module")
def whole(corpus_dir, tmp_path_factory):
    return prepare_folder(corpus_dir, tmp_path_factory.mktemp("whole"))


def where(corpus_dir, data_dir):
    corpus = folder.load(corpus_dir)
    return plan.shard_directories(corpus, [RECIPE], data_dir)[RECIPE]


@pytest.mark.parametrize("num_workers", [1, 3, 12])
def test_every_shard_is_of_one_slice(corpus_dir, num_workers):
    tasks = plan.shard_tasks(folder.load(corpus_dir), 4)
    slices = [Slice(worker, num_workers).of(tasks) for worker in range(num_workers)]
    names = sorted(task.file_name for own in slices for task in own)
    assert names == sorted(task.file_name for task in tasks)
    assert max(map(len, slices)) - min(map(len, slices)) <= 1


def test_the_last_job_completes_the_set(tmp_path, corpus_dir, whole, capsys):
    # Of ten shards, from 0, the first job has 0, 3, 6, 9, the others three each.
    expected = {0: "6 of 10", 2: "3 of 10"}
    for worker in (0, 2, 1):
        found = prepare_folder(corpus_dir, tmp_path, own=Slice(worker, 3))
        line = capsys.readouterr().out
        if worker in expected:
            assert f"slice {worker} of 3 (from 0) is written; " in line
            assert f"{expected[worker]} shards of the set are still missing" in line
            assert line.endswith(f"{found}\n")
            assert not catalogue.is_complete(found)
    assert line.startswith("40 clips in 10 shards, 0 left out: ")
    assert files(found) == files(whole)


def test_what_a_lost_job_left_is_finished_without_worker_keys(
    tmp_path, corpus_dir, whole
):
    for worker in (0, 2):
        found = prepare_folder(corpus_dir, tmp_path, own=Slice(worker, 3))
    before = {path: path.stat().st_mtime_ns for path in found.glob("clips-*")}
    assert len(before) == 7  # 4 and 3 of 10.
    assert prepare_folder(corpus_dir, tmp_path) == found
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert files(found) == files(whole)


def test_a_slice_that_is_done_again_does_nothing(tmp_path, corpus_dir, monkeypatch):
    for _ in range(2):
        found = prepare_folder(corpus_dir, tmp_path, own=Slice(1, 3))
        monkeypatch.setattr(prepare, "run_workers", None)
    assert len(list(found.glob("clips-*"))) == 3


def test_all_jobs_at_once(tmp_path, corpus_dir, whole):
    """One slice is there twice, as if its job was started again too early."""
    slices = [f"own=Slice({worker}, 3)" for worker in (0, 1, 2, 0)]
    # Each asks for another plan; all follow the first.
    processes = [
        start(corpus_dir, tmp_path, options=f"1, {number}, 0.1, {own}")
        for number, own in zip((4, 5, 4, 5), slices, strict=True)
    ]
    said = [(*process.communicate(timeout=600), process) for process in processes]
    for _, errors, process in said:
        assert process.returncode == 0, errors
    assert any(output.count("40 clips in") for output, _, _ in said)
    (found,) = tmp_path.glob("shards/*/*")
    assert catalogue.is_complete(found)
    follows = [bool(output.count("going on with 4 clips")) for output, _, _ in said]
    if follows == [False, True, False, True]:
        assert files(found) == files(whole)
    else:
        assert len(list(found.glob("clips-*"))) == 9  # 24, 8 and 8 clips in fives.


def test_a_set_that_all_complete_at_once(tmp_path, corpus_dir, whole):
    """All shards are there and no job has completed the set: now four try."""
    corpus = folder.load(corpus_dir)
    directories = plan.shard_directories(corpus, [RECIPE], tmp_path)
    prepare.begin(corpus, directories, 4)
    prepare.write_missing(plan.shard_tasks(corpus, 4), directories, num_processes=2)
    options = [f"1, 4, 0.1, Slice({worker}, 4)" for worker in range(4)]
    processes = [start(corpus_dir, tmp_path, options=text) for text in options]
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert output.startswith("40 clips in 10 shards, 0 left out: ")
    assert files(directories[RECIPE]) == files(whole)


def test_a_job_that_comes_too_late_changes_nothing(tmp_path, corpus_dir, whole):
    corpus = folder.load(corpus_dir)
    found = prepare_folder(corpus_dir, tmp_path)
    # It looked before the set was complete, so it begins; then it looks again.
    assert plan.agree_on_plan([found], 3) == 3
    tasks = plan.shard_tasks(corpus, 3)
    assert prepare.write_missing(tasks, {RECIPE: found}, num_processes=1) == 0
    prepare.complete(corpus, {RECIPE: found}, tasks, Slice(0, 2), 0.1)
    assert prepare_folder(corpus_dir, tmp_path) == found
    assert files(found) == files(whole)


def test_racing_jobs_agree_on_one_plan(tmp_path):
    for attempt in range(20):
        directory = tmp_path / str(attempt)
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(plan.agree_on_plan, [[directory]] * 8, range(1, 9)))
        assert len(found) == 1
        assert [path.name for path in directory.iterdir()] == [shards.PARTS]


def test_sets_of_different_plans_cannot_share_a_pass(tmp_path):
    first, second = tmp_path / "mel", tmp_path / "stft"
    plan.agree_on_plan([first], 4)
    plan.agree_on_plan([second], 5)
    with pytest.raises(ValueError, match=rf"4 in {first}, 5 in {second}. Finish them"):
        plan.agree_on_plan([first, second], 4)


def test_too_many_bad_files_stop_the_job_that_completes(tmp_path):
    directory = write_folder(tmp_path / "corpus", 20)
    for number in range(5):
        (directory / "audio" / f"{number:03d}.wav").write_bytes(b"")
    prepare_folder(directory, tmp_path, own=Slice(0, 2))
    with pytest.raises(ValueError, match=r"5 of 20 clips .*max_bad_share=0.1 allows"):
        prepare_folder(directory, tmp_path, own=Slice(1, 2))
    found = prepare_folder(directory, tmp_path, max_bad_share=0.3)
    assert catalogue.read_counts(found)["left_out"] == {"empty": 5}


def test_a_registration_that_fails_leaves_nothing(tmp_path, corpus_dir, monkeypatch):
    import tensorflow_datasets as tfds

    def fail(data_dir, **options):
        (data_dir / "features.json").write_text("{")
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(tfds.folder_dataset, "write_metadata", fail)
        with pytest.raises(ValueError, match="no space"):
            prepare_folder(corpus_dir, tmp_path)
    found = where(corpus_dir, tmp_path)
    assert not (found / "features.json").exists()
    assert not list(found.glob(".*"))
    assert catalogue.is_complete(prepare_folder(corpus_dir, tmp_path))


def test_another_size_is_another_clip_list(tmp_path):
    corpus_dir = write_folder(tmp_path / "corpus", 20)
    corpus = folder.load(corpus_dir)
    expected = plan.clip_list_digest(corpus)
    (corpus_dir / "audio" / "007.wav").write_bytes(b"shorter")
    assert plan.clip_list_digest(corpus) != expected


def test_sets_of_older_versions_are_named_and_left_alone(tmp_path, corpus_dir, capsys):
    found = where(corpus_dir, tmp_path)
    older = found.with_name(dataclasses.replace(RECIPE, version=2).identifier)
    older.mkdir(parents=True)
    made = prepare_folder(corpus_dir, tmp_path)
    said = f"{older} was made by version 2 of the spectrograms and is not read; delete"
    assert made == found
    assert said in capsys.readouterr().out
    assert not list(older.iterdir())
    assert prepare_folder(corpus_dir, tmp_path) == found
    assert said not in capsys.readouterr().out
