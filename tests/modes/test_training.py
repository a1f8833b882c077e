"""What a run prints about its scores, and the programs that it keeps."""

import jax
import pytest

from configs import default
from modes import MainOptions, run
from modes.training import (
    check_start,
    choose_workdir,
    identity_of,
    keep_kernels,
    print_numbers,
)
from msd_tagger import platform
from msd_tagger.common import workspace


def test_scores_are_printed_and_their_absence_is_said(capsys):
    print_numbers("test, weak labels", {"roc_auc_macro": 0.75, "pr_auc_macro": None})
    print_numbers("test, true labels", {"roc_auc_macro": None})
    assert capsys.readouterr().out.splitlines() == [
        "test, weak labels: roc_auc_macro 0.7500",
        "test, true labels: no tag can be scored, as none has both clips with it and "
        "without it",
    ]


@pytest.mark.parametrize(
    ("backend", "changes", "is_kept"),
    [
        ("gpu", {}, True),
        ("gpu", {"compilation_cache_dir": "elsewhere"}, False),
        ("gpu", {"train__deterministic": False}, False),
        ("cpu", {}, False),
        ("tpu", {}, False),
    ],
)
def test_a_run_on_a_gpu_keeps_its_kernels(
    tmp_path, monkeypatch, backend, changes, is_kept
):
    kept = []
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(platform, "keep_programs", kept.append)
    keep_kernels(tmp_path, default.get_config(**changes))
    assert kept == [str(tmp_path / "programs")] * is_kept


def test_every_point_is_laid_out_on_the_devices(monkeypatch):
    """Three seeds fill three devices, where one could not split its batch."""
    monkeypatch.setattr(jax, "local_devices", lambda *_: ["device"] * 3)
    point = default.get_config(num_seeds=3, train__batch_size=8)
    check_start([point])
    with pytest.raises(ValueError, match="cannot be split over 3 devices"):
        check_start([point, default.get_config(train__batch_size=8)])


@pytest.mark.parametrize("data", ["run", "run/data", "run/../run/a/b"])
def test_data_inside_a_new_run_are_refused_before_they_are_written(tmp_path, data):
    options = MainOptions(workdir=str(tmp_path / "run"), data_dir=tmp_path / data)
    config = default.get_config()
    with pytest.raises(ValueError, match=r"is inside --workdir=.*put it beside it"):
        run.check_folder(config, options)
    run.check_folder(config, options._replace(data_dir=tmp_path / "data"))
    assert [*tmp_path.iterdir()] == []
    workspace.claim(tmp_path / "run", identity_of(config))  # It goes on.
    run.check_folder(config, options)


def test_another_run_in_the_folder_is_told_before_anything_is_prepared(
    tmp_path, monkeypatch
):
    def prepare(*_):
        raise LookupError("prepared")

    monkeypatch.setattr(run, "set_up_devices", lambda *_: [])
    monkeypatch.setattr(run, "load_once", prepare)
    config, options = (
        default.get_config(),
        MainOptions(mode="run", workdir=str(tmp_path)),
    )
    known = identity_of(default.get_config(train__batch_size=8))
    workspace.claim(tmp_path, known | {"shards": "which are not known yet"})
    with pytest.raises(LookupError):
        run.run(config, options)
    config.seed = 3
    with pytest.raises(ValueError, match=r"another configuration \(seed: 0 -> 3\)"):
        run.run(config, options)


@pytest.mark.parametrize(
    ("backend", "changes", "warns"),
    [
        ("gpu", {}, True),
        ("gpu", {"train__deterministic": False}, False),
        ("gpu", {"model__network": "examples.residual:ResNet(channels=2)"}, False),
        ("gpu", {"model__network": "convnet"}, False),
        ("cpu", {}, False),
    ],
)
def test_a_network_that_takes_long_on_a_gpu_is_told(
    monkeypatch, caplog, backend, changes, warns
):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    own = {"model__network": "tests.own_networks:Pooling"}
    check_start([default.get_config(**own | changes)])
    assert ("network=tests.own_networks:Pooling: on a GPU" in caplog.text) == warns


def test_a_run_anew_takes_the_folder_that_its_job_logs_to(tmp_path):
    config = default.get_config(resume=False)
    options = MainOptions(mode="run", workdir=str(tmp_path / "x"))
    (tmp_path / "x" / "logs").mkdir(parents=True)
    assert choose_workdir(config, options, {}) == tmp_path / "x"
    (tmp_path / "x" / "matter.json").touch()
    assert choose_workdir(config, options, {}) == tmp_path / "x-2"
