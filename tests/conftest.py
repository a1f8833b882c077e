"""Settings of the whole suite, and of the processes that its tests start."""

import gc
import os
import signal
import tempfile

import pytest

from msd_tagger import platform
from msd_tagger.common import interruption
from tests import undrawn, warm

# Each distinct program is compiled once for all processes of the suite: most tests
# train the same small network. Workers of pytest-xdist get the folder from the process
# that starts them, which removes it at the end.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    PROGRAMS = tempfile.TemporaryDirectory(prefix="msd-tagger-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = PROGRAMS.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"
platform.load_programs_quietly()
# Compiling the small network's step takes 2 CPU seconds so, and 16 as a user's does.
# The first command of the README is tried as a user's.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_parallel_codegen_split_count=1",
)
# Before JAX is imported anywhere: the suite runs on the CPU, whatever the machine has.
platform.set_up(os.environ.get("JAX_PLATFORMS", "cpu"))


# Tracing makes so many objects that Python's collector, which looks at them each time
# that 700 are new, took a seventh of the CPU time.
gc.set_threshold(50_000)


# Whole jobs in processes of their own. Begun last, they would leave one worker alone.
LONGEST = {
    *("test_readme.py", "test_distributed.py", "test_parallel.py", "test_main.py"),
    *("test_faults.py", "test_clip_cache.py", "test_package.py", "test_resume.py"),
    *("test_scale.py", "test_extending_data.py", "test_extending_network.py"),
    "test_quickstart.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest tests first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Spares the collector what stays: it took a second to look at all of it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def programs_shared():
    """Lets a module's trainings share their traced programs, see `tests.programs`."""
    from tests import programs  # It imports JAX, which most tests do without.

    with programs.shared():
        yield


@pytest.fixture
def warm_starts():
    """Forks what a test starts as Python from a process with imports: `tests.warm`."""
    with warm.starts():
        yield


@pytest.fixture
def without_figures(monkeypatch):
    """Leaves figures out of reports of which a test looks at other things."""
    from msd_tagger.pages import page  # It imports matplotlib.

    monkeypatch.setattr(page, "draw", undrawn.draw)
    monkeypatch.setattr(warm.Popen, "draws", False)


@pytest.fixture
def own_signals():
    """Lets a test use signals; what answers them otherwise comes back."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    for number in before:  # Under nohup SIGHUP is ignored, and would stay so.
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
