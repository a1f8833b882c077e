import json

import numpy as np
import pytest

from msd_tagger.common import record


def test_metrics_are_those_that_a_checkpoint_has(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = record.MetricsFile(path)
    metrics.append(kind="train", step=10, loss=np.ones(2))
    saved = list(metrics.lines)
    metrics.append(kind="train", step=20)
    with path.open("a") as file:
        file.write('{"kind": "train", "ste')  # Cut short by a kill.
    metrics = record.MetricsFile(path, saved)
    metrics.append(kind="train", step=20)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["loss"] == [1, 1]
    with pytest.raises(ValueError, match="not JSON compliant"):
        metrics.append(loss=float("nan"))


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    matter = {"train.learning_rate": 0.1, "model.pools": ()}
    record.start(tmp_path / "run", {}, matter, ["cpu"])
    record.start(tmp_path / "run", {}, matter, ["cpu"])
    changed = {**matter, "train.learning_rate": 0.2}
    with pytest.raises(ValueError, match=r"train.learning_rate: 0.1 -> 0.2"):
        record.start(tmp_path / "run", {}, changed, ["cpu"])


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"holds files \(thesis.tex, …\) but no run"):
        record.start(tmp_path, {}, {}, ["cpu"])
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
