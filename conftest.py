"""Which tests are run, and by how many processes."""

import os
import signal

import pytest

WITHOUT_SLOW = "not slow"  # As pyproject.toml has it for the whole suite.


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Answers `-n auto`, which pyproject.toml gives.

    A process takes seconds to import JAX and TensorFlow: who names files or tests waits
    for one alone. More than four are not worth their memory.
    """
    alone = _names_tests(config) or config.option.keyword or config.option.lf
    return 0 if alone else min(len(os.sched_getaffinity(0)), 4)


def _names_tests(config: pytest.Config) -> bool:
    return config.args_source is not pytest.Config.ArgsSource.TESTPATHS


def pytest_configure(config: pytest.Config) -> None:
    """Runs all tests that are named, and lets workers of the suite be interrupted.

    xdist has workers, and what they start, ignore an interruption.
    """
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    elif _names_tests(config) and config.option.markexpr == WITHOUT_SLOW:
        config.option.markexpr = ""
