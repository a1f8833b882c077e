"""Damages the content of a file, each time in another way, by a seeded generator.

Those of `BYTES` damage any content, as disks and networks do. The others know a format
and change what stands in it; whatever checksums it has are made anew, so that what is
read then is what the file says.
"""

import csv
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Change = Callable[[bytes, random.Random], bytes]
EXTREME = [0, -1, 1, 2**31, 2**63, 10**30, 1e308, -1e-300, 0.5, True, None, "", "x"]
EXTREME += [[], {}, "\ud800", "a" * 5000, "$_^\\\x00\n", "1e999", float("nan")]


def span(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Draws a run of bytes; most are short."""
    start = rng.randrange(len(content) + 1)
    length = rng.choice([1, 2, 4, 8, 16, 64, 512, len(content) or 1])
    return start, min(len(content), start + rng.randint(1, length))


def flip(content: bytes, rng: random.Random) -> bytes:
    """Flips a bit, or some."""
    found = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 1, 2, 8, 64])):
        if found:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def cut(content: bytes, rng: random.Random) -> bytes:
    """Loses the end."""
    return content[: rng.randrange(len(content) + 1)]


def cut_start(content: bytes, rng: random.Random) -> bytes:
    """Loses the start."""
    return content[rng.randrange(len(content) + 1) :]


def delete(content: bytes, rng: random.Random) -> bytes:
    """Loses a run."""
    start, stop = span(content, rng)
    return content[:start] + content[stop:]


def insert(content: bytes, rng: random.Random) -> bytes:
    """Gets a run of noise, of one byte, or of brackets."""
    start = rng.randrange(len(content) + 1)
    length = rng.choice([1, 3, 16, 300, 10_000])
    byte = rng.choice([b"\0", b"\xff", b"[", b'{"a":', b"(", b'"', b"\n"])
    run = rng.choice([rng.randbytes(length), byte * length])
    return content[:start] + run + content[start:]


def duplicate(content: bytes, rng: random.Random) -> bytes:
    """Has a run twice."""
    start, stop = span(content, rng)
    return content[:stop] + content[start:stop] + content[stop:]


def swap(content: bytes, rng: random.Random) -> bytes:
    """Exchanges two runs of equal length."""
    length = rng.choice([1, 4, 16, 256])
    if len(content) < 2 * length:
        return content[::-1]
    first, second = sorted(rng.sample(range(len(content) - length + 1), 2))
    second = max(second, first + length)
    if second + length > len(content):
        return content[::-1]
    one, two = content[first:][:length], content[second:][:length]
    between = content[first + length : second]
    return content[:first] + two + between + one + content[second + length :]


def overwrite(content: bytes, rng: random.Random) -> bytes:
    """Has zeros, ones or noise in place of a run."""
    start, stop = span(content, rng)
    size = stop - start
    run = rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)])
    return content[:start] + run + content[stop:]


def extreme_bytes(content: bytes, rng: random.Random) -> bytes:
    """Has an extreme whole number in place of some bytes."""
    width = rng.choice([1, 2, 4, 8])
    start = rng.randrange(max(1, len(content) - width))
    order: Any = rng.choice(["little", "big"])
    top = 2 ** (8 * width)
    number = rng.choice([0, 1, top - 1, top // 2, top // 2 - 1, top // 256])
    return content[:start] + number.to_bytes(width, order) + content[start + width :]


def extreme_digits(content: bytes, rng: random.Random) -> bytes:
    """Has an extreme number in place of a number that is written out."""
    starts = [k for k in range(len(content)) if content[k : k + 1].isdigit()]
    if not starts:
        return extreme_bytes(content, rng)
    start = stop = rng.choice(starts)
    while content[stop : stop + 1].isdigit():
        stop += 1
    numbers = [b"0", b"-1", b"99999999999999999999", b"1e999", b"9" * 5000, b"NaN"]
    return content[:start] + rng.choice(numbers) + content[stop:]


def change_json(content: bytes, rng: random.Random) -> bytes:
    """Changes one value of a JSON text, wherever it stands."""
    found = json.loads(content)
    _change_node(found, rng)
    text = json.dumps(found)
    if rng.random() < 0.05:
        text = text.replace("1", "[" * 10_000 + "]" * 10_000, 1)
    return text.encode()


def change_lines(content: bytes, rng: random.Random) -> bytes:
    """Changes one line, each of which is a JSON text."""
    lines = content.splitlines(keepends=True) or [b"{}\n"]
    number = rng.randrange(len(lines))
    kind = rng.choice(["value", "value", "value", "twice", "gone", "swapped"])
    if kind == "value":
        lines[number] = change_json(lines[number], rng) + b"\n"
    elif kind == "twice":
        lines.insert(number, lines[number])
    elif kind == "gone":
        del lines[number]
    else:
        other = rng.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
    return b"".join(lines)


def _change_node(tree: Any, rng: random.Random) -> None:
    """Changes one node below another: any as likely as any."""
    places = [(tree, key) for key in _keys(tree)]
    for node, key in places:
        places += [(node[key], inside) for inside in _keys(node[key])]
    if not places:
        return
    node, key = rng.choice(places)
    kind = rng.choice(["value", "value", "value", "gone", "other", "renamed", "nested"])
    if kind == "value":
        node[key] = rng.choice(EXTREME)
    elif kind == "gone":
        del node[key]
    elif kind == "other":
        other, name = rng.choice(places)
        node[key] = json.loads(json.dumps(other[name]))
    elif kind == "renamed" and isinstance(node, dict):
        node[rng.choice(["x", f"{key} "])] = node.pop(key)
    else:
        node[key] = rng.choice([[node[key]], {"x": node[key]}, [node[key]] * 2])


def _keys(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node)
    return list(range(len(node))) if isinstance(node, list) else []


def change_csv(content: bytes, rng: random.Random) -> bytes:
    """Changes one cell, row or column of a table."""
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    number = rng.randrange(len(rows))
    row = rows[number]
    column = rng.randrange(max(1, len(row)))
    other = rng.choice(rows)
    kind = rng.choice(["cell", "cell", "swap", "gone", "more", "row", "column", "raw"])
    cells = ["", "nan", "-1", "1e999", "../x", "\0", 'a"b', "a|b", "a\nb", "=1+1", "é"]
    if kind == "cell" and row:
        row[column] = rng.choice([*cells, "a" * 200_000, rng.choice(other)])
    elif kind == "swap" and len(row) > 1:
        first, second = rng.sample(range(len(row)), 2)
        row[first], row[second] = row[second], row[first]
    elif kind == "gone" and row:
        del row[column]
    elif kind == "more":
        row.insert(column, rng.choice(cells))
    elif kind == "row":
        rows.insert(rng.randrange(len(rows) + 1), list(other))
    elif kind == "column":
        for one in rows:
            del one[column : column + 1]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    found = text.getvalue().encode()
    marks = [b'"', b"\xe9", b"\r", b"\xef\xbb\xbf", b"\xe2\x80\x8b", b",", b"\0"]
    start = rng.randrange(len(found) + 1)
    run = rng.choice(marks) if kind == "raw" else b""
    return found[:start] + run + found[start:]


def change_npz(content: bytes, rng: random.Random) -> bytes:
    """Changes one array of an archive, or what it claims to be."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    name, other = rng.choice(list(arrays)), rng.choice(list(arrays))
    array = arrays[name]
    kind = rng.choice(["array", "array", "gone", "renamed", "swapped", "claim", "bomb"])
    if kind == "gone":
        del arrays[name]
    elif kind == "renamed":
        arrays[f"{name}_"] = arrays.pop(name)
    elif kind == "swapped":
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif kind == "array":
        arrays[name] = rng.choice(_ARRAYS)(array)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    if kind not in ("claim", "bomb"):
        return stream.getvalue()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in arrays.items():
            member = io.BytesIO()
            np.save(member, value)
            shape = rng.choice([(10**12,), (2**31, 2**31), (-1,), (2**26,)])
            if key == name:
                member = io.BytesIO()
                header = {"descr": "<f8", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                member.write(bytes(2**28 if kind == "bomb" else 100))
            archive.writestr(f"{key}.npy", member.getvalue())
    return stream.getvalue()


_ARRAYS: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda array: array[:-1] if array.ndim else array[None],
    lambda array: array[..., None],
    lambda array: np.concatenate([array, array]) if array.ndim else array,
    lambda array: array[::-1] if array.ndim else array,
    lambda array: array.T,
    lambda array: np.zeros(0),
    lambda array: np.zeros((0, *array.shape[1:]), array.dtype),
    lambda array: np.array("x"),
    lambda array: array.astype("U") if array.dtype.kind != "U" else array.view("i4"),
    lambda array: np.full(array.shape, np.nan),
    lambda array: np.full(array.shape, 2**62),
    lambda array: np.full(array.shape, -1),
    lambda array: np.zeros(array.shape, complex),
    lambda array: np.zeros(array.shape, "M8[s]"),
    lambda array: np.array([{}], object),
]


def change_npy(content: bytes, rng: random.Random) -> bytes:
    """Changes an array, or its header."""
    array = np.load(io.BytesIO(content))
    stream = io.BytesIO()
    np.save(stream, rng.choice(_ARRAYS)(array))
    found = stream.getvalue()
    if rng.random() < 0.4:
        claim = rng.choice(
            ["(10**12,)", "(((((((", "(-1, 5)", "10000000000000,)", "()"]
        )
        text = found.decode("latin1")
        start, stop = text.index("(", 10), text.index(")", 10) + 1
        size = struct.unpack("<H", found[8:10])[0]
        header = (text[10:start] + claim + text[stop : 10 + size])[:size].ljust(size)
        found = found[:10] + header.encode("latin1") + found[10 + size :]
    return found


BYTES: tuple[Change, ...] = (flip, flip, flip, cut, cut, cut_start, delete, insert)
BYTES += (duplicate, swap, overwrite, extreme_bytes, extreme_digits)
# By the ending of a file's name.
FORMATS: dict[str, Change] = {
    ".json": change_json,
    ".jsonl": change_lines,
    ".csv": change_csv,
    ".npz": change_npz,
    ".npy": change_npy,
}


def draw(name: str, content: bytes, rng: random.Random) -> tuple[str, bytes, bool]:
    """Damages a file's content in a way that its name allows.

    Returns:
        The way's name, the content, and whether checksums were made anew.
    """
    own = next((f for end, f in FORMATS.items() if name.endswith(end)), None)
    if own and rng.random() < 0.5:
        return own.__name__, own(content, rng), True
    changes = rng.sample(BYTES, rng.choice([1, 1, 1, 1, 2]))
    for change in changes:
        content = change(content, rng)
    return " and ".join(change.__name__ for change in changes), content, False
