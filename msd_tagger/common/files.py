"""Files that are written whole or not at all, and errors that say which one it was."""

import io
import itertools
import json
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from msd_tagger.common.processes import is_running, this_host

DEEPEST = 100  # Levels of JSON inside of each other; our own files have ten.
# An archive that says it holds more than this, and than so many times its size, is
# made to exhaust the memory: arrays of ours shrink to a twentieth at most.
_ALWAYS_READ_BYTES, _MOST_INFLATED = 2**26, 200
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Readable(Protocol):
    """A file, wherever it lies."""

    def read_bytes(self) -> bytes:
        """Reads all of it."""


def write_json(path: Path, content: dict) -> None:
    """Writes a JSON file whole or not at all."""
    write_text(path, json_text(content) + "\n")


def json_text(content: dict) -> str:
    """Formats a dictionary that may hold arrays, NumPy numbers and paths as JSON."""
    return json.dumps(content, indent=1, default=plain, allow_nan=False)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, its line ends as they are, whole or not at all.

    What is not UTF-8 in a name of a file is written out.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: Readable) -> dict[str, Any]:
    """Reads a JSON file of one object.

    Raises:
        ValueError: As `parse_json`.
    """
    return parse_json(path.read_bytes(), path)


def parse_json(content: bytes | str, where: object, kind: type = dict) -> Any:
    """Reads JSON text in UTF-8, a byte order mark allowed, that holds one `kind`.

    Raises:
        ValueError: It is no JSON, holds something else, gives a name twice in one
            object, is nested more than `DEEPEST` levels, or has text that no file can
            hold. The message says where.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
        _check_depth(found)
        # Text that could not be written again; a file's name that is not UTF-8 can be.
        if _SURROGATE.search(text):
            json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{where} cannot be read as JSON: {reason}") from error
    if not isinstance(found, kind):
        names: dict[type, str] = {dict: "object", list: "list"}
        given = names.get(type(found), type(found).__name__)
        raise ValueError(f"{where} must hold a JSON {names[kind]}, not a {given}")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object of its pairs, none of which may be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice in one object")
    return found


def _check_depth(content: Any) -> None:
    """Goes down level by level, so that no depth exhausts the stack."""
    level: list[Any] = [[content]]
    for _ in range(DEEPEST + 1):
        inside = (x.values() if isinstance(x, dict) else x for x in level)
        level = [x for one in inside for x in one if isinstance(x, (dict, list))]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} levels")


def read_npz(path: Readable) -> dict[str, np.ndarray]:
    """Reads all arrays of a NumPy archive, each to its last byte and checksum.

    Raises:
        ValueError: The file is damaged, claims more than it can hold, or has arrays of
            objects. The message names it.
    """
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
            if claimed > max(_ALWAYS_READ_BYTES, _MOST_INFLATED * len(content)):
                raise ValueError(f"{len(content)} bytes that claim to hold {claimed}")
            names = archive.namelist()
            # The last 22 bytes count the members; one can be hidden in another.
            if len(names) != int.from_bytes(content[-12:-10], "little"):
                raise ValueError(f"{len(names)} arrays are not all that it counts")
            found = {x.removesuffix(".npy"): _array(archive.read(x)) for x in names}
    # Damage makes zip, zlib and NumPy raise errors of a dozen kinds.
    except Exception as error:
        reason = str(error)[:200] or type(error).__name__
        raise ValueError(f"{path} is not an archive of arrays: {reason}") from error
    if len(found) < len(names):
        raise ValueError(f"{path} holds two arrays of one name: {', '.join(names)}")
    return found


def _array(content: bytes) -> np.ndarray:
    """Reads a `.npy` file that holds one array and no byte more or less."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, in_columns, dtype = readers[version](stream)
    # A view of what is there, so that no size that is claimed is allocated.
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if in_columns else "C").copy()


def flatten(nested: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Turns nested keys into dotted ones; an empty section stays as it is.

    >>> flatten({"train": {"steps": 5, "pools": {}}, "num_seeds": 1})
    {'train.steps': 5, 'train.pools': {}, 'num_seeds': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inside = flatten(value, separator) if isinstance(value, Mapping) else {}
        flat |= {f"{key}{separator}{name}": inside[name] for name in inside}
        if not inside:
            flat[key] = value
    return flat


def write_npz(path: Path, **arrays: Any) -> None:
    """Writes a compressed NumPy archive whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a name to write to, which becomes the file when all of it is there."""
    unfinished = temporary(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def write_once(path: Path, text: str) -> None:
    """Writes a file whole, unless it is there: of several writers exactly one wins.

    A link fails where a rename would replace what another process has just written.
    """
    unfinished = temporary(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_text(text, encoding="utf-8")
            _name_once(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


def write_new(path: Path, write: Callable[[Path], object]) -> Path:
    """Has a file written whole, and returns its name: a number is added to one taken.

    What took long to compute is not lost where such a file appeared meanwhile, nor is
    that file.
    """
    unfinished = temporary(path)
    numbered = (path.with_stem(f"{path.stem}-{i}") for i in itertools.count(2))
    with naming(path):
        try:
            write(unfinished)
            names = itertools.chain([path], numbered)
            return next(name for name in names if _name_once(unfinished, name))
        finally:
            unfinished.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Makes sure that a file can be made beside a path; an OSError names the path."""
    trial = temporary(path)
    with naming(path):
        trial.touch(exist_ok=False)
        trial.unlink()


def _name_once(unfinished: Path, path: Path) -> bool:
    """Gives a file its name, unless that is taken; returns whether it did."""
    try:
        os.link(unfinished, path)
    except OSError:
        # There it is (the winner may have removed what others began, too); or this is
        # a file system without links.
        if os.path.lexists(path):
            return False
        unfinished.replace(path)
    return True


def temporary(path: Path) -> Path:
    """Returns a hidden name beside a path that no other writer uses.

    It says which process of which host writes. A process number is not enough, as one
    process may write a file twice at once: a random number is added.
    """
    owner = f"{secrets.token_hex(4)}.{os.getpid()}@{this_host()}"
    # A name may have 255 bytes, this one too.
    name = path.name.encode("utf-8", "surrogateescape")[:120].decode(errors="ignore")
    return path.with_name(f".{name}.{owner}.tmp")


# As `temporary` names them, and as older versions did.
_UNFINISHED = re.compile(r"\..+\.(\d+)@(.+)\.tmp")
_OLDER = re.compile(r".+\.\d+(@.+)?\.tmp|\..+-\d+\.tmp")
_DAY_S = 24 * 3600


def remove_abandoned(directory: Path, is_alone: bool = False) -> None:
    """Removes temporary files and folders of processes that were killed.

    Whether a process of another host or container still runs is unknown, as is whose
    those with a name of an older version are: they are left for a day. With `is_alone`
    nobody else can be writing there, and all of them go.
    """
    for path in directory.glob("*.tmp"):
        named = _UNFINISHED.fullmatch(path.name)
        if not (named or _OLDER.fullmatch(path.name)):
            continue  # Somebody's own.
        with suppress(OSError):  # Gone, or not ours to remove.
            if named and named[2] == this_host():
                is_abandoned = not is_running(int(named[1]))
            else:
                is_abandoned = time.time() - path.stat().st_mtime > _DAY_S
            if is_alone or is_abandoned:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names the file in an OSError; the system may say no more than "disk full"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{path} cannot be written: {reason}") from error


def check_unused(directory: Path) -> None:
    """Makes sure that nothing would be overwritten.

    Raises:
        ValueError: The folder is a file, or not empty.
    """
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{directory} is a file; give a new or empty folder")
    held = sorted(path.name for path in directory.glob("*"))
    if held:
        raise ValueError(
            f"{directory} holds files ({held[0]}, …); give a new or empty folder"
        )


def unused(workdir: Path, besides: str = "") -> Path:
    """Returns the first of `workdir`, `workdir-2`, … that does not exist.

    A folder that holds nothing but `besides` counts as well.
    """
    numbered = (f"{workdir.name}-{i}" for i in itertools.count(2))
    names = itertools.chain([workdir.name], numbered)
    return next(
        path
        for path in map(workdir.with_name, names)
        if not path.exists()
        or (path.is_dir() and [held.name for held in path.iterdir()] == [besides])
    )


def plain(value: Any) -> Any:
    """Converts arrays, NumPy numbers and paths, as the `default` of `json.dumps`."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
