"""Checkpoints of the training state, `[S, …]` arrays on the host."""

import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

logger = logging.getLogger(__name__)
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
        self._directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    def save(self, state: Tree, step: int) -> None:
        """Starts to write `state`; a step that is there already is left alone."""
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, template: Tree) -> Tree | None:
        """The newest readable state, shaped like `template`; None when there is none.

        Raises:
            ValueError: There are checkpoints, but none can be read.
        """
        shapes = jax.tree.map(
            lambda leaf: np.empty(np.shape(leaf), np.asarray(leaf).dtype), template
        )
        steps = sorted(self._manager.all_steps(), reverse=True)
        for step in steps:
            try:
                args = ocp.args.StandardRestore(shapes)
                return self._manager.restore(step, args=args)
            except Exception as error:
                # Orbax and its storage raise many kinds; whatever it is, the
                # checkpoint before this one may be whole.
                logger.warning("checkpoint %d cannot be read: %s", step, error)
                self._put_aside(step)
        if steps:
            raise ValueError(
                f"none of the checkpoints {steps} in {self._directory} can be read; "
                "they were renamed to damaged-…, so the same command starts anew"
            )
        return None

    def _put_aside(self, step: int) -> None:
        """Renames a damaged checkpoint, so that its step can be written again."""
        (self._directory / str(step)).rename(self._directory / f"damaged-{step}")
        self._manager.reload()

    def close(self) -> None:
        """Waits until everything is written."""
        self._manager.wait_until_finished()
        self._manager.close()
