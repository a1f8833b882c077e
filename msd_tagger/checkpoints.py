"""Checkpoints of the training state, `[S, …]` arrays on the host."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

Tree = Any


class Checkpoints:
    """The checkpoints of one run: written in the background, complete or absent.

    Args:
        directory: Where they are; made when missing.
        keep: How many of the newest stay.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=True
        )
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def save(self, state: Tree, step: int) -> None:
        """Starts to write `state`; a step that is there already is left alone."""
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, template: Tree) -> Tree | None:
        """The newest state, shaped like `template`; None when there is none."""
        step = self._manager.latest_step()
        if step is None:
            return None
        shapes = jax.tree.map(
            lambda leaf: np.empty(np.shape(leaf), np.asarray(leaf).dtype), template
        )
        return self._manager.restore(step, args=ocp.args.StandardRestore(shapes))

    def close(self) -> None:
        """Waits until everything is written."""
        self._manager.wait_until_finished()
        self._manager.close()
