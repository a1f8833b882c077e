"""Prepared sets copied: to a disk of this machine, to be read there, or to a store."""

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from input_pipeline import storage
from input_pipeline.catalogue import CORPUS_FILE
from input_pipeline.many import in_threads
from input_pipeline.originals import ORIGINALS
from input_pipeline.storage import Place, RemotePath
from msd_tagger.common.errors import reason_of
from msd_tagger.common.files import remove_abandoned, replacing

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
            f"({reason_of(error)}); give another folder, or leave the key out"
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
    copy_folder(source, target, CORPUS_FILE, sizes)


def copy_folder(
    source: Place, target: Place, last: str, others: Iterable[str] | None = None
) -> None:
    """Copies the files of a folder to or from this machine, with a progress bar.

    Args:
        source: The folder; what it holds besides files is left out.
        target: Files there are replaced.
        last: Name of the file whose presence says that the others are there.
        others: Names of the files before it; all by default.

    Raises:
        OSError: A file cannot be read, or not be written.
    """
    chosen = storage.file_names(source) if others is None else others
    first = [name for name in chosen if name != last]

    def copy(name: str) -> None:
        copy_file(source / name, target / name)

    list(in_threads(copy, first, f"copying to {target}"))
    copy(last)


def copy_file(source: Place, target: Place) -> None:
    """Copies a file to or from this machine; here it is whole or not there."""
    if isinstance(target, RemotePath):
        target.put(Path(source))
        return
    with replacing(target) as unfinished:
        if isinstance(source, RemotePath):
            source.get(unfinished)
        else:
            shutil.copyfile(source, unfinished)
