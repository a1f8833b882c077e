"""TFRecord files of `tf.train.Example` messages, written and read without TensorFlow.

Two small formats. A TFRecord file is a row of records: length (uint64, little endian),
masked CRC32C of the length, payload, masked CRC32C of the payload. An `Example` is a
protocol buffer, here always a map from names to one string of bytes each:

    Example   { Features features = 1; }      Features  { map<string, Feature> = 1; }
    Feature   { BytesList bytes_list = 1; }   BytesList { repeated bytes value = 1; }

Importing TensorFlow for that would cost each worker process four seconds and 400 MB,
and keep machines without it from preparing and reading shards.
"""

import dataclasses
import mmap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np

DATASET = "clips"  # TFDS's name of the data set, the first word of every file name.
HEADER_BYTES = 12  # Length of the payload and its checksum, before it.
_FOOTER_BYTES = 4  # Checksum of the payload.
# More than what precedes a record's first value: header, some numbers and a name.
_LONGEST_START = 96
_LENGTH_DELIMITED = 2  # Wire type of strings, bytes and messages.
Buffer = bytes | memoryview | mmap.mmap
Span = tuple[int, int]  # First byte, one past the last.


class RecordError(ValueError):
    """A shard is not what it was when it was written."""

    def __init__(self, path: Path | str, record: int, found: str) -> None:
        super().__init__(
            f"{path}, record {record} (from 0): {found}. Delete the folder of this "
            "shard and prepare again"
        )


@dataclasses.dataclass(frozen=True)
class ShardIndex:
    """What a shard holds, and where: N records."""

    track_id: list[str]  # [N] text.
    offset: np.ndarray  # int64 [N], first byte of the spectrogram within the file.
    tags: np.ndarray  # uint8 [N, K].
    true_tags: np.ndarray | None  # uint8 [N, K], or None.
    size_bytes: int  # Size of the file.


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """Names a TFRecord file as TFDS expects it.

    >>> shard_name("train", 2, 10)
    'clips-train.tfrecord-00002-of-00010'
    """
    return f"{DATASET}-{split}.tfrecord-{shard:05d}-of-{num_shards:05d}"


def masked_crc32c(data: bytes) -> int:
    """Computes the checksum of a TFRecord: CRC32C, rotated and shifted.

    The mask keeps the checksum of data that holds checksums from degenerating
    (`tensorflow/core/lib/hash/crc32c.h`).

    >>> hex(masked_crc32c(b"123456789"))
    '0xc78ab0e5'
    """
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Appends one record to a file open for writing."""
    length = len(payload).to_bytes(8, "little")
    file.write(length + masked_crc32c(length).to_bytes(4, "little"))
    file.write(payload)
    file.write(masked_crc32c(payload).to_bytes(4, "little"))


def encode_example(features: Mapping[str, bytes | memoryview]) -> bytes:
    """Serialises an `Example`; the order of the features is that of their names.

    >>> encode_example({"a": b"bc"}).hex(" ")
    '0a 0d 0a 0b 0a 01 61 12 06 0a 04 0a 02 62 63'
    """
    entries: list[bytes | memoryview] = []
    for name, value in sorted(features.items()):
        key = _field(1, [name.encode()])
        entries += _field(1, key + _field(2, _field(1, _field(1, [value]))))
    return b"".join(_field(1, entries))


def parse_example(data: Buffer, start: int = 0, stop: int | None = None) -> dict:
    """Finds the values of an `Example` without copying them.

    >>> parse_example(encode_example({"a": b"bc"}))
    {'a': (13, 15)}

    The message is what lies from the byte `start` to before the byte `stop`.

    Returns:
        Span of the first bytes value of every feature that has one.
    """
    whole = (start, len(data) if stop is None else stop)
    spans = {}
    for features in _messages(data, whole, 1):
        for entry in _messages(data, features, 1):
            key = next(_messages(data, entry, 1), None)
            value = next(_messages(data, entry, 2), None)
            bytes_list = value and next(_messages(data, value, 1), None)
            first = bytes_list and next(_messages(data, bytes_list, 1), None)
            if key and first:
                spans[bytes(data[slice(*key)]).decode()] = first
    return spans


def read_examples(
    path: Path | str, data: Buffer, check: bool = False
) -> Iterator[dict[str, Span]]:
    """Walks the records of a shard.

    To check the payloads' checksums needs all bytes of the file; without it a damaged
    spectrogram is not noticed, only damaged lengths.

    Yields:
        Span of every feature of a record, from the start of the file.
    """
    position, record = 0, 0
    while position < len(data):
        start, stop = _payload(path, data, position, record, check)
        try:
            yield parse_example(data, start, stop)
        except ValueError as error:
            raise RecordError(path, record, str(error)) from error
        position, record = stop + _FOOTER_BYTES, record + 1


def index_shard(path: Path | str, check: bool = False) -> ShardIndex:
    """Reads ids and tags of a shard, and where its spectrograms are.

    Raises:
        RecordError: The file is damaged or holds other features.
        FileNotFoundError: There is no such file.
    """
    ids, offsets, tags, true_tags = [], [], [], []
    data = map_file(path)
    for record, spans in enumerate(read_examples(path, data, check)):
        missing = {"track_id", "spectrogram", "tags"} - set(spans)
        if missing:
            raise RecordError(path, record, f"no feature {sorted(missing)}")
        ids.append(bytes(data[slice(*spans["track_id"])]).decode())
        offsets.append(spans["spectrogram"][0])
        tags.append(_uint8(data, spans["tags"]))
        if "true_tags" in spans:
            true_tags.append(_uint8(data, spans["true_tags"]))
    return ShardIndex(
        track_id=ids,
        offset=np.array(offsets, np.int64),
        tags=_stack(tags),
        true_tags=_stack(true_tags) if true_tags else None,
        size_bytes=len(data),
    )


def check_record(read: Callable[[int, int], bytes], offset: int) -> None:
    """Compares one record with its checksum.

    Args:
        read: Gives a number of bytes of a shard, from an offset on.
        offset: First byte of the record's first feature's value, as an index has it.
    """
    first = max(0, offset - _LONGEST_START)
    before = read(offset - first, first)
    for start in range(len(before) - HEADER_BYTES, -1, -1):
        length = before[start : start + 8]
        if masked_crc32c(length) == _uint(before, start + 8, 4):
            break
    else:
        raise ValueError("the length does not match its checksum")
    size = int.from_bytes(length, "little")
    content = read(size + _FOOTER_BYTES, first + start + HEADER_BYTES)
    if masked_crc32c(content[:size]) != _uint(content, size, 4):
        raise ValueError("the content does not match its checksum")


def map_file(path: Path | str) -> Buffer:
    """Maps a file into memory. An empty file, which cannot be mapped, is b""."""
    with Path(path).open("rb") as file:
        if not file.seek(0, 2):
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _payload(
    path: Path | str, data: Buffer, position: int, record: int, check: bool
) -> Span:
    start = position + HEADER_BYTES
    length = bytes(data[position : position + 8])
    if len(data) < start:
        raise RecordError(path, record, "the file ends within a record")
    if masked_crc32c(length) != _uint(data, position + 8, 4):
        raise RecordError(path, record, "the length does not match its checksum")
    stop = start + int.from_bytes(length, "little")
    if len(data) < stop + _FOOTER_BYTES:
        raise RecordError(path, record, "the file ends within a record")
    if check and masked_crc32c(bytes(data[start:stop])) != _uint(data, stop, 4):
        raise RecordError(path, record, "the content does not match its checksum")
    return start, stop


def _messages(data: Buffer, span: Span, number: int) -> Iterator[Span]:
    """Spans of the length-delimited fields with one number in a message."""
    position, stop = span
    while position < stop:
        key, position = _varint(data, position, stop)
        wire_type = key & 7
        if wire_type != _LENGTH_DELIMITED:
            raise ValueError(f"wire type {wire_type} where a message was expected")
        length, position = _varint(data, position, stop)
        if position + length > stop:
            raise ValueError("a field is longer than its message")
        if key >> 3 == number:
            yield position, position + length
        position += length


def _varint(data: Buffer, position: int, stop: int) -> tuple[int, int]:
    """Reads seven bits a byte, least significant first; the eighth bit says go on."""
    value = 0
    for shift in range(0, 64, 7):
        if position >= stop:
            break
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
    raise ValueError("an integer does not end")


def _field(number: int, pieces: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """Makes a field around pieces of bytes, which are copied only when joined."""
    key = bytes([number << 3 | _LENGTH_DELIMITED])
    return [key + _length(sum(map(len, pieces))), *pieces]


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _uint(data: Buffer, position: int, num_bytes: int) -> int:
    return int.from_bytes(data[position : position + num_bytes], "little")


def _uint8(data: Buffer, span: Span) -> np.ndarray:
    return np.frombuffer(data[slice(*span)], np.uint8)


def _stack(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), np.uint8)
