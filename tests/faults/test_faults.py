"""A few of the faults, so that the suite notices what breaks; the script tries all."""

import os
import sys

import numpy as np

from tests.faults import __main__ as faults
from tests.faults import runs


def test_kills_and_damages_lose_nothing(
    tmp_path, monkeypatch, own_signals, warm_starts
):
    page = tmp_path / "page.md"
    words = ["--kills=1", "--damages=1", "--signals=0", "--seed=3"]
    words += [f"--scratch={tmp_path}", f"--out={page}"]
    monkeypatch.setattr(sys, "argv", ["faults", *words])
    monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS"])  # It is set anew.
    faults.main()
    text = page.read_text(encoding="utf-8")
    assert text.count("Lost: **0**.") == 3
    assert "| all | 1 | 1 | 0 |" in text
    assert list(tmp_path.iterdir()) == [page]


def test_the_comparison_sees_one_bit_and_one_line(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for run in folders:
        run.mkdir()
        np.savez(run / "p.npz", scores=np.array([0.5, 0.25]))
        (run / "metrics.jsonl").write_text('{"step": 1, "seconds": 2}\n{"step": 2}\n')
        (run / "summary.json").write_text('{"steps": 2, "train_seconds": 1}')
    (folders[0] / "metrics.jsonl").write_text(
        '{"step": 1, "seconds": 9}\n{"step": 2}\n'
    )
    assert runs.file_differences(*folders) == []
    np.savez(folders[0] / "p.npz", scores=np.nextafter([0.5, 0.25], 1))
    (folders[0] / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 2}\n')
    (folders[0] / "summary.json").write_text('{"steps": 3}')
    (folders[0] / "a.tmp").touch()
    assert runs.file_differences(*folders) == [
        "a.tmp is left over",
        "metrics.jsonl differs",
        "p.npz differs",
        "summary.json differs",
    ]
