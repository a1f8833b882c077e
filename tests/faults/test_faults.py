"""A few of the faults, so that the suite notices what breaks; the script tries all."""

import numpy as np
import pytest

from tests.faults import __main__ as faults
from tests.faults import damages, kills, runs
from tests.scale import clips

SEED = 4  # It draws a SIGKILL in the seventh step.


@pytest.mark.slow
def test_a_signal_damage_and_a_kill_lose_nothing(
    tmp_path, warm_starts, without_figures
):
    """One after the other, of one run; its record is that of an undisturbed one."""
    folders = (tmp_path / name for name in ("whole", "corpus", "programs"))
    whole = runs.Scene(*folders)
    list(clips.write(whole.corpus, 100, 1))
    whole.folder.mkdir()
    assert runs.run(whole).status == 0
    cut = damages.cut_run(whole)
    fault = next(damages.faults(cut, SEED))
    assert fault.group == "file of the newest checkpoint truncated"
    fault.damage(cut)
    killed, lost = kills.chain(cut, whole, ["step"], SEED)
    assert [(one.signal, one.wrong) for one in killed] == [("SIGKILL", "")]
    assert [one for one in lost if "damaged-" not in one] == []
    done = [(one, False) for one in killed]
    page = faults.write_page(SEED, done, [], [(fault, damages.RECOVERED)], 60.0)
    assert page.count("Lost: **0**.") == 3
    assert "| all | 1 | 1 | 0 |" in page and "| all | 1 | 1 | 0 | 0 |" in page


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
