"""Errors that a user reads without a traceback; free of JAX."""

import errno
import importlib.util
import signal

_HINTS = {
    errno.ENAMETOOLONG: "; give a shorter name: most file systems take 255 bytes for a "
    "name and 4,096 for a path",
    errno.ENOSPC: "; make room there",
    errno.EACCES: "; give another place, or get permission for this one",
}


def reason_of(error: BaseException) -> str:
    """Says what went wrong, without the numbers of the system.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.mp3"))
    'a.mp3: No such file or directory'
    """
    if not (isinstance(error, OSError) and error.strerror):
        return str(error).strip()
    places = [str(one) for one in (error.filename, error.filename2) if one is not None]
    said = ": ".join(filter(None, [" -> ".join(places), error.strerror]))
    return said + _HINTS.get(error.errno or 0, "")


def check_installed(wish: str, extra: str, *packages: str) -> None:
    """Raises a ValueError that says what to install where a package is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ValueError(
                f"{wish} needs {package}, which is not installed. In the repository: "
                f'pip install -e ".[{extra}]"'
            )


class MiscompilationError(RuntimeError):
    """The compiler produces wrong results."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end; `except Exception` does not catch it.

    The message says what was saved, and whether the same command goes on from there.
    """

    def __init__(self, number: int, saved: str = "", goes_on: bool = True) -> None:
        self.number = number
        said = [self.name, saved]
        if goes_on:
            said.append("the same command goes on from here")
        super().__init__("; ".join(filter(None, said)))

    @property
    def name(self) -> str:
        """Returns the signal's name, such as "SIGTERM"."""
        return signal.Signals(self.number).name

    @property
    def exit_status(self) -> int:
        """Returns what a shell reports: 143 after SIGTERM, 138 after SIGUSR1."""
        return 128 + self.number


class LostInputError(ValueError):
    """Prepared clips cannot be read: they are damaged, or their store is away."""


class LostProcessError(RuntimeError):
    """Another process of the same job died, or cannot be reached."""
