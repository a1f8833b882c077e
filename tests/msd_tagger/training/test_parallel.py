import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from msd_tagger.training import parallel, setup
from tests import fakes


@pytest.mark.parametrize(
    ("cases", "number"), [("few", 1), pytest.param("all", 4, marks=pytest.mark.slow)]
)
def test_devices_change_nothing(cases, number, warm_starts):
    command = [sys.executable, "-m", "tests.msd_tagger.devices_program", cases]
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XLA_FLAGS": flags},
    )
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert len(lines) == 4 * number
    for *case, difference in lines:
        assert float(difference) < 1e-5, case  # Sums come in another order.


@pytest.mark.parametrize("mode", parallel.MODES)
@pytest.mark.parametrize(
    ("devices", "seeds", "chunk"), [(1, 5, 2), (4, 15, 2), (4, 3, 1)]
)
def test_from_devices_undoes_to_devices(mode, devices, seeds, chunk):
    layout = parallel.Layout(mode, devices, seeds, chunk)
    state = {"a": np.arange(seeds * 6.0).reshape(seeds, 2, 3), "b": np.arange(seeds)}
    chunks = parallel.to_devices(state, layout)
    found = parallel.from_devices(chunks, layout)
    jax.tree.map(np.testing.assert_array_equal, found, state)
    if mode == "seeds":
        assert all(leaf.shape[0] == devices for leaf in jax.tree.leaves(chunks))


@pytest.mark.parametrize(("backend", "calls"), [("cpu", 15), ("gpu", 1), ("tpu", 1)])
def test_by_default_seeds_take_turns_one_at_a_time(monkeypatch, backend, calls):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    layout = parallel.choose_layout("data", 15, 0, 1)
    assert layout.seeds_per_chunk == 1
    assert len(layout.bounds) == calls


@pytest.mark.parametrize(
    ("devices", "seeds", "mode"),
    [(1, 15, "data"), (4, 3, "data"), (4, 4, "seeds"), (4, 15, "seeds")],
)
def test_auto_splits_seeds_where_there_are_enough(monkeypatch, devices, seeds, mode):
    monkeypatch.setattr(jax, "local_devices", lambda *_: ["device"] * devices)
    assert parallel.choose_layout("auto", seeds, 0).mode == mode


def test_a_batch_that_does_not_split_chooses_seeds_or_says_so(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda *_: ["device"] * 3)
    config = fakes.small_config(num_seeds=2, train__batch_size=8)
    assert setup.choose_layout(config).mode == "seeds"
    for changes in ({"num_seeds": 1}, {"train__parallel": "data"}):
        with pytest.raises(ValueError, match=r"batch_size=8 cannot be .* 3 devices"):
            setup.choose_layout(
                fakes.override(config.copy_and_resolve_references(), changes)
            )


def test_more_devices_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="num_devices=4096: "):
        parallel.choose_layout("data", 1, 0, 4096)


def test_a_batch_that_does_not_split_is_an_error():
    layout = parallel.Layout("data", 4, 1, 1)
    batch = {k: np.zeros((6, 1)) for k in ("spectrogram", "tags", "mask")}
    with pytest.raises(ValueError, match="6 clips cannot be split over 4 devices"):
        parallel.map_update(None, layout, None, donate=False)([], batch)
