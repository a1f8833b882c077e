"""Prepared sets copied to a disk of this machine, to be read from there."""

import fcntl
import hashlib
import logging
import shutil
from pathlib import Path

from input_pipeline import storage
from input_pipeline.catalogue import CORPUS_FILE
from input_pipeline.originals import ORIGINALS
from input_pipeline.storage import Place
from msd_tagger.common.errors import sentence
from msd_tagger.common.files import remove_abandoned

logger = logging.getLogger(__name__)


def stage(source: Place, local_dir: Path) -> Path:
    """Copies a set below `local_dir`, unless it is there, and returns where it is.

    Of several processes one copies while the others wait. What an earlier copy left
    half done is completed.

    Raises:
        ValueError: It does not fit there, or cannot be copied.
    """
    target = local_dir / _digest(source) / source.parent.name / source.name
    try:
        target.mkdir(parents=True, exist_ok=True)
        with target.with_name(f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (target / CORPUS_FILE).exists():
                remove_abandoned(target, is_alone=True)
                _copy(source, target)
    except OSError as error:
        raise ValueError(
            f"input.local_dir={local_dir}: {source} cannot be copied there "
            f"({sentence(error)}); give another folder, or leave the key out"
        ) from error
    return target


def _digest(source: Place) -> str:
    """Tells sets of the same name apart: by what they hold, and of which audio.

    So the copy of another set is left alone, which somebody may be reading.
    """
    found = hashlib.sha256()
    for name in (CORPUS_FILE, ORIGINALS):
        if (source / name).exists():
            found.update((source / name).read_bytes())
    return found.hexdigest()[:8]


def _copy(source: Place, target: Path) -> None:
    names = storage.file_names(source)
    here = storage.sizes_bytes([target / name for name in names])
    there = storage.sizes_bytes([source / name for name in names])
    sizes = {
        name: size
        for name, size, found in zip(names, there, here, strict=True)
        if size is not None and size != found
    }
    needed, free = sum(sizes.values()), shutil.disk_usage(target).free
    if needed > free:
        raise ValueError(
            f"input.local_dir={target.parents[2]} has {free / 1e9:.3g} GB free, and "
            f"{source} takes {needed / 1e9:.3g} GB; give another folder, or leave the "
            "key out to read the set where it lies"
        )
    logger.info("copying %.3g GB to %s", needed / 1e9, target)
    storage.copy_folder(source, target, CORPUS_FILE, sizes)
