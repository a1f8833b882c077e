"""The Beam pipeline writes what the processes of one machine write."""

import pytest

from input_pipeline import beam, plan, prepare, shards
from input_pipeline.corpora import folder
from tests.preparing import files
from tests.small_corpus import RECIPE, STFT, write_folder

DIRECT = ["--runner=DirectRunner"]


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("beam") / "corpus"
    rows = [("bad", "audio/none.wav", "train", "rock")]
    return write_folder(directory, 20, rows, true_tags=False)


def needs_beam():
    pytest.importorskip(
        "apache_beam",
        reason='Apache Beam is missing: pip install -e ".[train,beam]"',
    )


@pytest.mark.parametrize("begun", [False, True])
def test_the_same_bytes_as_without_beam(tmp_path, corpus_dir, begun):
    needs_beam()
    corpus, recipes = folder.load(corpus_dir), [RECIPE, STFT]
    options = {"clips_per_shard": 3, "num_processes": 2}
    plain = prepare.prepare(corpus, recipes, tmp_path / "plain", **options)
    if begun:  # One set has some shards already: then tasks have different targets.
        directories = plan.shard_directories(corpus, [STFT], tmp_path / "beam")
        prepare.begin(corpus, directories, 3)
        tasks = plan.shard_tasks(corpus, 3)[:4]
        assert prepare.write_missing(tasks, directories, num_processes=1) == 4
    found = prepare.prepare(
        corpus, recipes, tmp_path / "beam", beam_options=DIRECT, **options
    )
    for kind in ("mel", "stft"):
        assert files(found[kind]) == files(plain[kind])
    assert not list((tmp_path / "beam").rglob("*.tmp"))


def test_a_worker_that_fails_is_named(tmp_path, corpus_dir, monkeypatch):
    needs_beam()

    def fail(*_):
        raise OSError("disk 7 is full")

    monkeypatch.setattr(shards, "write_shard", fail)
    with pytest.raises(ValueError, match=r"cannot write .*disk 7 is full .*write shar"):
        prepare.prepare(
            folder.load(corpus_dir), [RECIPE], tmp_path, beam_options=DIRECT
        )
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_runner_that_reports_text_is_quoted():
    text = "bundle failed:\nTraceback\nOSError: disk 8 is full\n"
    with (
        pytest.raises(ValueError, match=r"failed: OSError: disk 8 is full\. Fin"),
        beam.clear_failures(),
    ):
        raise RuntimeError(text)


def test_a_task_arrives_as_it_was_sent(corpus_dir, tmp_path):
    targets = [shards.Target(one, tmp_path, None) for one in (RECIPE, STFT, RECIPE)]
    tasks = plan.shard_tasks(folder.load(corpus_dir), 3)
    work = [(tasks[0], targets), (task := tasks[1], targets[::2])]
    (tmp_path / shards.PARTS).mkdir()
    with beam.work_file(work) as path:
        assert path.parent == tmp_path / shards.PARTS
        (_, [first, *_]), (found, needed) = beam.read_work(str(path))
    assert not path.exists()
    assert needed == targets[::2] and needed[0] is first
    names = ("split", "index", "num_shards", "first", "clips")
    assert [getattr(found, n) for n in names] == [getattr(task, n) for n in names]
    assert type(found.clips[0]) is shards.ClipRow


def test_options_are_split_as_a_shell_does(monkeypatch):
    monkeypatch.setattr(beam, "find_spec", lambda name: object())
    assert beam.parse_options("") == []
    text = '--runner=FlinkRunner --environment_config=\'{"command": "a b"}\''
    assert beam.parse_options(text) == [
        "--runner=FlinkRunner",
        '--environment_config={"command": "a b"}',
    ]
    with pytest.raises(ValueError, match="'--runer=FlinkRunner' names no runner"):
        beam.parse_options("--runer=FlinkRunner")
    with pytest.raises(ValueError, match=r"beam=.*'x.*: No closing quotation"):
        beam.parse_options("--runner='x")


def test_without_beam_its_installation_is_named(monkeypatch):
    monkeypatch.setattr(beam, "find_spec", lambda name: None)
    extras = r'pip install -e "\.\[train,beam\]"'
    with pytest.raises(ValueError, match=extras):
        beam.parse_options("--runner=DirectRunner")
