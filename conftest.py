"""Which tests are run, and by how many processes."""

import os
import signal

import pytest


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
    """Leaves slow tests out of the whole suite, and lets its workers be interrupted.

    Workers do as the process that starts them, but xdist has them, and what they start,
    ignore an interruption.
    """
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    elif not _names_tests(config) and not config.option.markexpr:
        config.option.markexpr = "not slow"  # Tests that are named are all run.
