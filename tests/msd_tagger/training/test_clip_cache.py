"""Clips from memory: the same batches, and refused where they do not fit."""

import itertools
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from msd_tagger.common import processes
from msd_tagger.training import clip_cache, distributed
from msd_tagger.training import loop as train
from msd_tagger.training import setup as build
from tests import fakes, programs

CLIP_BYTES = 2 * fakes.BANDS * fakes.FRAMES + 5
CACHES = ("memory", "device")


def set_up(cache, data=None, **overrides):
    config = fakes.small_config(input__cache=cache, **overrides)
    return build.set_up(config, data or fakes.FakeData())


def take(setup, count, first_step=0):
    share = setup.config.train.fraction
    return list(itertools.islice(setup.train_batches(3, first_step, share), count))


def bits(array):
    return np.ascontiguousarray(array).view(np.uint8)


@pytest.fixture(scope="module")
def odd_data():
    """Clips with every kind of number that arithmetic would not leave alone."""
    data = fakes.FakeData()
    _, x, _ = data.splits["train"]
    odd = [0x8000, 0x7E01, 0xFE01, 0x7C01, 0x7C00, 0xFC00, 0x0001, 0x8001]
    x[:, :, :8] = np.array(odd, np.uint16).view(np.float16)
    return data


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    ("fraction", "first_step"),
    [(1.0, 0), (1.0, 17), (0.66, 0), (0.1, 5)],  # 50, 33 and 5 clips.
)
def test_batches_are_the_same_bits(odd_data, cache, fraction, first_step):
    read = set_up(cache, odd_data, train__fraction=fraction)
    kept = clip_cache.keep(read)
    assert kept.train_batches is not read.train_batches
    batches = zip(take(kept, 14, first_step), take(read, 14, first_step), strict=True)
    for found, expected in batches:
        assert found.keys() == expected.keys() - {"row"}
        for name, array in found.items():
            assert array.dtype == expected[name].dtype
            np.testing.assert_array_equal(bits(array), bits(expected[name]))


def fit(folder, cache, **overrides):
    config = fakes.small_config(
        num_seeds=2, input__cache=cache, train__max_epochs=9.0, **overrides
    )
    return train.train(config, fakes.FakeData(), folder).state


def test_training_ends_with_the_same_bits_and_gives_the_memory_back(tmp_path):
    with programs.shared():
        expected = fit(tmp_path / "none", "none", train__max_steps=24)
        for first, then in (("memory", "device"), ("device", "none")):
            folder = tmp_path / first
            fit(folder, first, train__max_steps=11)
            found = fit(folder, then, train__max_steps=24)
            jax.tree.map(np.testing.assert_array_equal, found, expected)
    kept = [a for a in jax.live_arrays() if a.ndim == 4 and a.dtype == np.float16]
    assert kept == []


def test_nothing_is_compiled_twice(caplog):
    read = set_up("device")
    kept = clip_cache.keep(read)
    chunks = build.parallel.to_devices(build.first_state(kept), kept.layout)

    def compiled(setup, data_seed):
        nonlocal chunks
        caplog.clear()
        with jax.log_compiles():
            for batch in itertools.islice(setup.train_batches(data_seed, 0, 1.0), 2):
                chunks, _ = setup.programs.update(chunks, batch)
        return [r for r in caplog.records if r.getMessage().startswith("Compiling")]

    assert compiled(kept, 3)
    assert not compiled(kept, 4)
    assert not compiled(read, 3)


def pretend_devices(monkeypatch, *free):
    """Makes JAX name devices with so much free memory, 1 kB of them used."""
    stats = [{"bytes_limit": 1000 + one, "bytes_in_use": 1000} for one in free]
    devices = [SimpleNamespace(memory_stats=lambda one=one: one) for one in stats]
    monkeypatch.setattr(jax, "local_devices", lambda *_: devices)


@pytest.mark.parametrize(
    ("mode", "free", "chosen"),
    [
        # 50 clips are kept as 64, or 32 on each of two devices.
        ("data", [128 * CLIP_BYTES], "device"),
        ("data", [128 * CLIP_BYTES - 1], "none"),
        ("data", [64 * CLIP_BYTES, 10**9], "device"),
        ("data", [10**9, 64 * CLIP_BYTES - 1], "none"),
        ("seeds", [128 * CLIP_BYTES] * 2, "device"),
        ("seeds", [128 * CLIP_BYTES, 64 * CLIP_BYTES], "none"),
    ],
)
def test_auto_takes_half_of_the_free_memory(monkeypatch, mode, free, chosen):
    pretend_devices(monkeypatch, *free)
    config = fakes.small_config(train__parallel=mode)
    assert config.input.cache == "auto"
    assert clip_cache.choose(config, fakes.FakeData()) == chosen


def test_auto_keeps_nothing_on_a_cpu():
    setup = set_up("auto")
    assert clip_cache.choose(setup.config, setup.data) == "none"
    assert clip_cache.keep(setup) is setup


@pytest.mark.parametrize(
    ("mode", "free", "said"),
    [
        ("data", [64 * CLIP_BYTES - 1], "0.000123 GB on each device"),
        ("data", [10**9, 32 * CLIP_BYTES - 1], "6.16e-05 GB on each device"),
        ("seeds", [10**9, 64 * CLIP_BYTES - 1], "0.000123 GB on each device"),
    ],
)
def test_what_does_not_fit_on_devices_is_refused(monkeypatch, mode, free, said):
    config = fakes.small_config(input__cache="device", train__parallel=mode)
    pretend_devices(monkeypatch, *free)
    message = (
        rf"input.cache=device: 50 training clips need {said}, where "
        rf"{free[-1] / 1e9:.3g} GB are free; choose --config.input.cache=none"
    )
    with pytest.raises(ValueError, match=message):
        clip_cache.choose(config, fakes.FakeData())
    pretend_devices(monkeypatch, *(one + 1 for one in free))
    assert clip_cache.choose(config, fakes.FakeData()) == "device"


@pytest.mark.parametrize(("cache", "clips"), [("memory", 50), ("device", 64)])
def test_what_does_not_fit_on_the_host_is_refused(monkeypatch, tmp_path, cache, clips):
    def has(free):
        monkeypatch.setattr(processes, "available_memory_bytes", lambda: free)

    message = rf"input.cache={cache}: 50 training clips need .* where .* GB are free"
    for free in (0, clips * CLIP_BYTES - 1):
        has(free)
        with pytest.raises(ValueError, match=message):
            fit(tmp_path, cache)
    assert list(tmp_path.iterdir()) == []
    config = fakes.small_config(input__cache=cache)
    for free in (clips * CLIP_BYTES, None):  # None: nobody tells.
        has(free)
        assert clip_cache.choose(config, fakes.FakeData()) == cache


def test_processes_of_one_host_need_room_for_all_of_their_copies(monkeypatch):
    config, needed = fakes.small_config(input__cache="memory"), 4 * 50 * CLIP_BYTES
    monkeypatch.setattr(distributed, "most_on_a_host", lambda: 4)
    monkeypatch.setattr(processes, "available_memory_bytes", lambda: needed)
    assert clip_cache.choose(config, fakes.FakeData()) == "memory"
    monkeypatch.setattr(processes, "available_memory_bytes", lambda: needed - 1)
    said = f"50 training clips need {needed / 1e9:.3g} GB in this machine's memory"
    with pytest.raises(ValueError, match=said):
        clip_cache.choose(config, fakes.FakeData())


def test_an_accelerator_that_does_not_tell_is_believed(monkeypatch):
    monkeypatch.setattr(processes, "available_memory_bytes", lambda: 0)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    config = fakes.small_config(input__cache="device")
    assert clip_cache.choose(config, fakes.FakeData()) == "device"
    config.input.cache = "auto"
    assert clip_cache.choose(config, fakes.FakeData()) == "none"
