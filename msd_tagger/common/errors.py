"""Errors that a user should read without a traceback, free of JAX."""

import signal


class MiscompilationError(RuntimeError):
    """The compiler computes something else than it was asked to."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end; no `except Exception` may swallow it.

    Args:
        number: Of the signal.
        saved: What was saved before, if anything was.
        goes_on: Whether the same command goes on from there.
    """

    def __init__(self, number: int, saved: str = "", goes_on: bool = True) -> None:
        self.number = number
        said = [self.name, saved, "the same command goes on from here" * goes_on]
        super().__init__("; ".join(filter(None, said)))

    @property
    def name(self) -> str:
        """Of the signal, such as "SIGTERM"."""
        return signal.Signals(self.number).name

    @property
    def exit_status(self) -> int:
        """As a shell counts: 143 after SIGTERM, 138 after SIGUSR1 on Linux."""
        return 128 + self.number


class LostProcessError(RuntimeError):
    """Another process of the same job died, or cannot be reached."""
