"""Events for TensorBoard: what is in them, and what a run that goes on leaves."""

import numpy as np
import pytest

from modes.tensorboard import TensorBoard
from msd_tagger.training import loop
from tests import fakes

tf = pytest.importorskip("tensorflow")

LINES = [
    {
        "kind": "train",
        "step": 20,
        "loss": [0.5, 0.7],
        "gradient_norm": [1.0, None],
        "learning_rate": 0.005,
        "clips_per_s": None,
        "seconds": 3.0,
    },
    {
        "kind": "evaluation",
        "step": 40,
        "loss": [0.4, None],
        "roc_auc_macro": [0.7, 0.6],
        "pr_auc_macro": [None, None],
    },
]


def points(folder):
    """The scalars of a folder's event files, in the order of the files' names."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for one in event.summary.value:
                found.append((one.tag, event.step, pytest.approx(one.simple_value)))
    return found


def test_seeds_and_their_mean_have_runs_of_their_own(tmp_path):
    board = TensorBoard(tmp_path, first_seed=7, num_seeds=2)
    board([])
    for line in LINES:
        board([line])
    assert {path.name for path in tmp_path.iterdir()} == {"seed_7", "seed_8", "mean"}
    assert points(tmp_path / "seed_7") == [
        ("loss/train", 20, 0.5),
        ("gradient_norm", 20, 1.0),
        ("loss/valid", 40, 0.4),
        ("valid/roc_auc_macro", 40, 0.7),
    ]
    assert points(tmp_path / "seed_8") == [
        ("loss/train", 20, 0.7),
        ("valid/roc_auc_macro", 40, 0.6),
    ]
    assert points(tmp_path / "mean") == [
        ("learning_rate", 20, 0.005),
        ("loss/train", 20, 0.6),
        ("gradient_norm", 20, 1.0),
        ("loss/valid", 40, 0.4),
        ("valid/roc_auc_macro", 40, 0.65),
    ]


def test_of_one_seed_everything_stands_together(tmp_path):
    TensorBoard(tmp_path, 0, 1)([LINES[0] | {"loss": [0.5], "gradient_norm": [1.0]}])
    assert [path.name for path in tmp_path.iterdir()] == ["seed_0"]
    names = [name for name, _, _ in points(tmp_path / "seed_0")]
    assert names == ["loss/train", "gradient_norm", "learning_rate"]


def test_a_new_start_replaces_our_files_alone(tmp_path):
    TensorBoard(tmp_path, 0, 1)([LINES[0]])
    others = tmp_path / "seed_0" / "events.out.tfevents.1.somebody"
    others.write_bytes(b"")
    TensorBoard(tmp_path, 0, 1)([])
    assert points(tmp_path / "seed_0") == [] and others.exists()


def test_a_run_that_goes_on_shows_each_point_once(tmp_path, programs_shared):
    def fit(name, steps):
        config = fakes.small_config(num_seeds=2, train__max_steps=steps)
        config.train.log_every_steps = 3
        board = TensorBoard(tmp_path / name / "tensorboard", 0, 2)
        loop.train(config, fakes.FakeData(), tmp_path / name, watch=board)

    fit("whole", 12)
    fit("cut", 8)
    fit("cut", 12)
    for run in ("seed_0", "seed_1"):
        found, expected = (
            [(name, step) for name, step, _ in points(one)]
            for one in (
                tmp_path / name / "tensorboard" / run for name in ("cut", "whole")
            )
        )
        # The cut run was evaluated at its last step too.
        assert len(set(found)) == len(found)
        assert {*expected} <= {*found}
    (_, _, norm), *_ = (
        one
        for one in points(tmp_path / "whole/tensorboard/mean")
        if one[0] == "gradient_norm"
    )
    assert np.isfinite(norm.expected) and norm.expected > 0
