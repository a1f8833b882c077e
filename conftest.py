"""How many processes run the tests: one, or for the whole suite one per core."""

import os
import signal

import pytest


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Answers `-n auto`, which pyproject.toml gives.

    A process takes seconds to import JAX and TensorFlow: who names files or tests waits
    for one alone. More than four are not worth their memory.
    """
    names_tests = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    selects = config.option.keyword or config.option.markexpr or config.option.lf
    return 0 if names_tests or selects else min(len(os.sched_getaffinity(0)), 4)


def pytest_configure(config: pytest.Config) -> None:
    """Lets workers, and what they start, be interrupted: xdist has them ignore it."""
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
