"""Settings of the whole suite."""

import os
import signal

import pytest

from msd_tagger import platform
from msd_tagger.common import interruption

# Before JAX is imported anywhere: the suite runs on the CPU, whatever the machine has.
platform.set_up(os.environ.get("JAX_PLATFORMS", "cpu"))


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """Compiles each distinct step once: most tests train the same small network."""
    import jax

    # Processes of one suite (pytest-xdist) share it: they have folders side by side.
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if is_worker else base) / "jit"
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


@pytest.fixture
def own_signals():
    """Lets a test use signals; what answers them otherwise comes back."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    for number in before:  # Under nohup SIGHUP is ignored, and would stay so.
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
