import json

import numpy as np
import pytest

from msd_tagger.training.progress import MetricsFile


def test_metrics_are_those_that_a_checkpoint_has(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    metrics.append(kind="train", step=10, loss=np.ones(2))
    saved = list(metrics.lines)
    metrics.append(kind="train", step=20)
    with path.open("a") as file:
        file.write('{"kind": "train", "ste')  # Cut short by a kill.
    metrics = MetricsFile(path, saved)
    metrics.append(kind="train", step=20)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["loss"] == [1, 1]
    with pytest.raises(ValueError, match="not JSON compliant"):
        metrics.append(loss=float("nan"))
