"""Checkpoints of a training: `[S, …]` arrays on the host, and the record so far.

A run that goes on from one has to end as if it had never been cut. So beside the state
a checkpoint holds everything else that the rest of the run depends on or adds to, in
one dict that JSON can hold; and a digest of all of it, as neither zstd nor JSON notices
a flipped bit.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from msd_tagger.common.files import unused

logger = logging.getLogger(__name__)
Tree = Any
_UNFINISHED = "*.orbax-checkpoint-tmp"  # As Orbax names what it begins to write.


class OtherStructureError(Exception):
    """A checkpoint holds other arrays than those of today."""


class Saved(NamedTuple):
    """What a checkpoint holds: host arrays `[S, …]`, and a log that JSON can hold."""

    state: Tree
    log: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: written in the background, complete or absent.

    The two newest are kept. Of several processes only the first may have it: all hold
    the same state. The directory is created if missing.
    """

    def __init__(self, directory: Path) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=2,
            create=False,
            enable_async_checkpointing=True,
            # Otherwise every call of one process waits for all others.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                active_processes={0}, barrier_sync_key_prefix="first"
            ),
        )
        self._directory = self._place = directory.absolute()
        with self._clear_errors():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._opened = os.open(self._directory, os.O_RDONLY)
            self._place = _plain_name(self._opened, self._directory)
            self._manager = ocp.CheckpointManager(self._place, options=options)

    def save(self, state: Tree, step: int, log: dict) -> None:
        """Starts to write a checkpoint, which replaces one of the same step.

        The arrays of the state must not be changed afterwards.

        Raises:
            ValueError: This one or the one before cannot be written.
        """
        structure, digest = _structure(state), _digest(state, log)
        content = {"log": log, "structure": structure, "digest": digest}
        content["own_digest"] = _digest((), content)
        parts = ocp.args.Composite(
            state=ocp.args.StandardSave(state), record=ocp.args.JsonSave(content)
        )
        with self._clear_errors():
            self._manager.wait_until_finished()
            for unfinished in self._directory.glob(_UNFINISHED):
                shutil.rmtree(unfinished)  # Of a process that was killed.
            # Orbax would notice a full disk in the background, and report it only at
            # the next save.
            with tempfile.TemporaryFile(dir=self._directory):
                pass
            if step in self._manager.all_steps():
                self._manager.delete(step)
            self._manager.save(step, args=parts)

    def restore(self, template: Tree) -> Saved | None:
        """Reads the newest readable checkpoint; None when there is none.

        The template is a state of the same structure, shapes and types.

        Raises:
            ValueError: There are checkpoints, but none can be read; or one may be
                whole, but cannot be read here and now.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        for step in steps:
            try:
                return self._read(step, template)
            except Exception as error:
                if _may_be_whole(error):
                    raise ValueError(
                        f"checkpoint {step} in {self._directory} cannot be read: "
                        f"{error}. Nothing was changed; fix that, and give the same "
                        "command again"
                    ) from error
                # Orbax and its storage raise many kinds; whatever it is, the
                # checkpoint before this one may be whole.
                reason = self._reason(error)
                logger.warning("checkpoint %d cannot be read: %s", step, reason)
                # Renamed, so that its step can be written again.
                aside = unused(self._directory / f"damaged-{step}")
                (self._directory / str(step)).rename(aside)
                self._manager.reload()
        if steps:
            raise ValueError(
                f"none of the checkpoints {steps} in {self._directory} can be read; "
                "they were renamed to damaged-…; the same command starts from the "
                "beginning"
            )
        return None

    def _read(self, step: int, template: Tree) -> Saved:
        shapes = jax.tree.map(
            lambda leaf: np.empty(np.shape(leaf), np.asarray(leaf).dtype), template
        )
        record = ocp.args.Composite(record=ocp.args.JsonRestore())
        record = self._manager.restore(step, args=record).record
        own = record.pop("own_digest", None)
        if own is not None and own != _digest((), record):
            raise ValueError("its record was altered, as its digest shows")
        if own is None or record["structure"] != _structure(template):
            raise OtherStructureError(
                "other versions of the packages or of this code wrote it, with other "
                "arrays (environment.json of the run names the versions)"
            )
        state = ocp.args.Composite(state=ocp.args.StandardRestore(shapes))
        saved = Saved(self._manager.restore(step, args=state).state, record["log"])
        if _digest(*saved) != record["digest"]:
            raise ValueError("it is not what was written, by its digest")
        return saved

    def wait(self) -> None:
        """Waits until everything is written.

        Raises:
            ValueError: The last checkpoint cannot be written.
        """
        with self._clear_errors():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Does what `wait` does, and ends."""
        try:
            self.wait()
            with self._clear_errors():
                self._manager.close()
        finally:
            os.close(self._opened)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Says what cannot be written and where, whatever Orbax raises."""
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"a checkpoint cannot be written into {self._directory}: "
                f"{self._reason(error)}. Make room or repair the disk; the same "
                "command then goes on from the newest whole checkpoint"
            ) from error

    def _reason(self, error: Exception) -> str:
        said = str(error).replace(str(self._place), str(self._directory))
        return said.strip().partition("\n")[0][:200]


def _plain_name(opened: int, directory: Path) -> Path:
    """Returns another path of an open folder, in which no character means anything.

    Orbax and its storage take brackets, stars and question marks in a path for patterns
    (what they wrote is then not found again), "gs:" for the name of a cloud, and refuse
    what is not UTF-8. Only Linux has such a path; elsewhere it is the folder's own.
    """
    plain = Path(f"/proc/self/fd/{opened}")
    return plain if plain.is_dir() else directory


def _may_be_whole(error: Exception) -> bool:
    """Tells whether the machine, a mount or other code is why, not the checkpoint."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return False  # A part of it is not there.
    return isinstance(error, (OSError, MemoryError, OtherStructureError))


def _structure(state: Tree) -> list[str]:
    """Lists names, types and shapes of all arrays."""
    return [
        f"{jax.tree_util.keystr(path)} {np.asarray(leaf).dtype.str} {np.shape(leaf)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    ]


def _digest(state: Tree, log: dict) -> str:
    """Computes the SHA-256 of a log and of arrays with their names and types."""
    digest = hashlib.sha256(json.dumps(log, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        array = np.ascontiguousarray(leaf)
        name = (jax.tree_util.keystr(path), array.dtype.str, np.shape(leaf))
        digest.update(repr(name).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
