"""Settings of the whole suite."""

import os

import pytest

from msd_tagger import platform

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
