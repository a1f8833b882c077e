"""The folder of a run or a study: whose it is, who works in it, whether it is whole.

matter.json         what the result depends on; another result needs another folder
config.json         every key; config_default.json has the defaults, to compare
environment.json    versions, machine and command of the last start
seal.json           digests of all files of a complete record
logs                what a launcher of jobs wrote; it may be there before the run
"""

import fcntl
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msd_tagger.common import files
from msd_tagger.common.files import (
    json_text,
    plain,
    read_json,
    remove_abandoned,
    write_json,
    write_once,
)
from msd_tagger.common.provenance import environment

SEAL, LOGS = "seal.json", "logs"
# What is of each start and not of the result, and a page that is the user's to edit.
UNSEALED = {SEAL, "environment.json", "bundle/README.md"}
logger = logging.getLogger(__name__)


def begin(
    workdir: Path, identity: dict, config: dict, defaults: dict, devices: list[str]
) -> None:
    """Writes configuration and environment into a new or continued folder.

    What the result depends on, `identity`, is flat; the keys and their defaults are
    nested.

    Raises:
        ValueError: The folder holds something else.
    """
    claim(workdir, identity)
    write_json(workdir / "config.json", config)
    write_json(workdir / "environment.json", environment(devices))
    write_json(workdir / "config_default.json", defaults)


def claim(workdir: Path, identity: dict) -> None:
    """Marks a folder as a run's or a study's, before anything else is written there.

    The mark is also what `alone` locks, so it is never replaced: two processes that
    start together would each lock one of their own.

    Raises:
        ValueError: The folder holds something else.
    """
    if not is_known(workdir, identity):
        write_once(workdir / "matter.json", json_text(identity) + "\n")
        is_known(workdir, identity)  # Another process may have been quicker.


def is_known(workdir: Path, identity: dict, is_part: bool = False) -> bool:
    """Tells whether a folder holds this run; False if it is new.

    Where the identity `is_part` of one, what else the run depends on is not compared.

    Raises:
        ValueError: It holds another run, and which keys differ, or other files.
    """
    path = workdir / "matter.json"
    if not holds_run(workdir):
        return False
    before, now = read_json(path), json.loads(json.dumps(identity, default=plain))
    if is_part:
        before = {name: before.get(name) for name in now}
    differing = [k for k in sorted(before | now) if before.get(k) != now.get(k)]
    if differing:
        changes = ", ".join(f"{k}: {before.get(k)} -> {now.get(k)}" for k in differing)
        raise ValueError(
            f"--workdir={workdir} holds a run of another configuration ({changes}); "
            "give another folder, or leave --workdir out to have one named"
        )
    return True


def take_over(workdir: Path, identity: dict) -> Path | None:
    """Copies the same run into a new folder, if one beside it has it, complete.

    Returns where it was; None if there is none, or the folder is no new one.
    """
    wanted = json.loads(json.dumps(identity, default=plain))
    for other in sorted(workdir.parent.glob("*")) if not workdir.exists() else ():
        try:
            if read_json(other / "matter.json") != wanted or not is_whole(other):
                continue
        except (OSError, ValueError):  # No run, or a damaged one.
            continue
        part = Path(tempfile.mkdtemp(suffix=".tmp", dir=workdir.parent))
        try:
            shutil.copytree(other, part, dirs_exist_ok=True)
            part.rename(workdir)
        except BaseException as error:
            shutil.rmtree(part, ignore_errors=True)
            if not (isinstance(error, OSError) and workdir.exists()):
                raise
        return other  # Or another process was quicker.
    return None


def holds_run(workdir: Path) -> bool:
    """Tells whether a folder holds any run; False if it is new.

    Raises:
        ValueError: It holds other files, or is one.
    """
    if workdir.is_file():
        raise ValueError(f"--workdir={workdir} is a file; give an empty or new folder")
    # Listed first: jobs of an array that start together may write the run just now.
    names = [p.name for p in workdir.iterdir()] if workdir.exists() else []
    if (workdir / "matter.json").exists():
        return True
    if others := [n for n in names if n != LOGS and not n.endswith(".tmp")]:
        raise ValueError(
            f"--workdir={workdir} holds files ({others[0]}, …) but no run; give an "
            "empty or new folder"
        )
    return False


def check_writable(workdir: Path) -> None:
    """Makes sure that a run's folder, which may be new, can be written.

    Raises:
        ValueError: It, or a folder that it would be in, is a file.
        OSError: The system says that it cannot be.
    """
    there = next(one for one in (workdir, *workdir.parents) if one.exists())
    if not there.is_dir():
        raise ValueError(
            f"--workdir={workdir}: {there} is a file; give an empty or new folder"
        )
    files.check_writable(there / "matter.json")


def hash_of(workdir: Path) -> str:
    """Returns the hash that names the folder of a run by default; "" if it has none."""
    try:
        identity = read_json(workdir / "matter.json")
    except (OSError, ValueError):
        return ""
    text = json.dumps(identity, sort_keys=True)  # As `configs.identity.digest` does.
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Keeps other processes from working in a claimed folder at the same time.

    The system itself takes the lock back, however a process ends.

    Raises:
        ValueError: Another one is at work there.
    """
    with (workdir / "matter.json").open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process works in {workdir}; wait until it ends, or give "
                "another --workdir"
            ) from error
        except OSError:  # A file system without locks.
            pass
        else:
            # What processes that were killed left behind.
            for folder in (workdir, *filter(Path.is_dir, workdir.iterdir())):
                remove_abandoned(folder, is_alone=True)
        yield


def is_busy(workdir: Path) -> bool:
    """Tells whether a process works in a folder, as far as the file system knows."""
    try:
        with (workdir / "matter.json").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # No such folder, or a file system without locks.
        pass
    return False


def seal(workdir: Path) -> None:
    """Notes what the files of a complete record are, as the last thing of a run."""
    write_json(workdir / SEAL, _digests(workdir))


def is_whole(workdir: Path) -> bool:
    """Tells whether a run is complete and its record's files are what they were.

    Raises:
        ValueError: It was complete, is no longer, and has no checkpoint to be written
            again from.
    """
    changed = altered(workdir)
    if not changed:
        return True
    has_ended = _has_ended(workdir)
    if has_ended and not any((workdir / "checkpoints").glob("[0-9]*")):
        raise ValueError(
            f"{workdir} was complete, but {', '.join(changed)} was altered or lost "
            "since, and there is no checkpoint to write it again from; restore it, or "
            "train anew in another --workdir"
        )
    if has_ended:
        logger.warning("%s: altered or lost: %s", workdir, ", ".join(changed))
    return False


def _has_ended(workdir: Path) -> bool:
    """Tells whether a complete record was there; an evaluation half way writes one."""
    if (workdir / SEAL).exists():
        return True
    try:
        return bool(read_json(workdir / "summary.json").get("complete", True))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def altered(workdir: Path) -> list[str]:
    """Lists files that are not what they were; the seal itself if it is missing."""
    try:
        known = read_json(workdir / SEAL)
    except (OSError, ValueError):
        return [SEAL]
    found = _digests(workdir)
    return sorted(name for name in known if known[name] != found.get(name))


def _digests(workdir: Path) -> dict[str, str]:
    paths = [p for way in ("*.json*", "*.npz", "bundle/*") for p in workdir.glob(way)]
    names = {str(path.relative_to(workdir)) for path in paths} - UNSEALED
    return {
        name: hashlib.sha256((workdir / name).read_bytes()).hexdigest()
        for name in sorted(names)
        if not name.endswith(".tmp")
    }
