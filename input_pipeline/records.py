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
_FEATURES = ("track_id", "tags", "true_tags")  # What an index has of them.
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


def checksum(data: bytes) -> bytes:
    """Computes the checksum of a TFRecord: CRC32C, rotated and shifted.

    The mask keeps the checksum of data that holds checksums from degenerating
    (`tensorflow/core/lib/hash/crc32c.h`).

    >>> checksum(b"123456789").hex()
    'e5b08ac7'
    """
    crc = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little")


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Appends one record to a file open for writing."""
    length = len(payload).to_bytes(8, "little")
    file.write(length + checksum(length))
    file.write(payload)
    file.write(checksum(payload))


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
        start = position + HEADER_BYTES
        header = data[position:start]
        try:
            if len(header) < HEADER_BYTES:
                raise ValueError("the file ends within a record")
            stop = start + _length(header)
            footer = data[stop : stop + _FOOTER_BYTES]
            if len(footer) < _FOOTER_BYTES:
                raise ValueError("the file ends within a record")
            if check and checksum(bytes(data[start:stop])) != footer:
                raise ValueError("the content does not match its checksum")
            spans = parse_example(data, start, stop)
        except ValueError as error:
            raise RecordError(path, record, str(error)) from error
        yield spans
        position, record = stop + _FOOTER_BYTES, record + 1


def index_shard(path: Path | str, check: bool = False) -> ShardIndex:
    """Reads ids and tags of a shard, and where its spectrograms are.

    Raises:
        RecordError: The file is damaged or holds other features.
        FileNotFoundError: There is no such file.
    """
    data = map_file(path)
    found: dict[str, list[bytes]] = {name: [] for name in _FEATURES}
    offsets = []
    for record, spans in enumerate(read_examples(path, data, check)):
        missing = {"track_id", "spectrogram", "tags"} - set(spans)
        if missing:
            raise RecordError(path, record, f"no feature {sorted(missing)}")
        offsets.append(spans["spectrogram"][0])
        for name in set(_FEATURES) & set(spans):
            found[name].append(bytes(data[slice(*spans[name])]))
    return ShardIndex(
        track_id=[track_id.decode() for track_id in found["track_id"]],
        offset=np.array(offsets, np.int64),
        tags=_rows(found["tags"]),
        true_tags=_rows(found["true_tags"]) if found["true_tags"] else None,
        size_bytes=len(data),
    )


def check_record(read: Callable[[int, int], bytes], offset: int, track_id: str) -> None:
    """Compares one record with its checksum, and with what an index says of it.

    Args:
        read: Gives a number of bytes of a shard, from an offset on.
        offset: First byte of the spectrogram, which is the record's first value.
        track_id: The clip's.

    Raises:
        ValueError: The record is damaged, or of another clip.
    """
    first = max(0, offset - _LONGEST_START)
    before = read(offset - first, first)
    start, size = len(before) - HEADER_BYTES, None
    while size is None:
        try:
            size = _length(before[start : start + HEADER_BYTES])
        except ValueError:
            if start <= 0:
                raise
            start -= 1
    begins = first + start + HEADER_BYTES
    content = read(size + _FOOTER_BYTES, begins)
    if checksum(content[:size]) != content[size:]:
        raise ValueError("the content does not match its checksum")
    spans = parse_example(content, 0, size)
    found = content[slice(*spans.get("track_id", (0, 0)))].decode()
    if found != track_id or spans.get("spectrogram", (0, 0))[0] != offset - begins:
        raise ValueError(f"the record is of the clip {found!r}")


def map_file(path: Path | str) -> Buffer:
    """Maps a file into memory. An empty file, which cannot be mapped, is b""."""
    with Path(path).open("rb") as file:
        if not file.seek(0, 2):
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _length(header: Buffer) -> int:
    length = bytes(header[:8])
    if checksum(length) != header[8:]:
        raise ValueError("the length does not match its checksum")
    return int.from_bytes(length, "little")


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
    size, key = sum(map(len, pieces)), bytearray([number << 3 | _LENGTH_DELIMITED])
    while size >= 0x80:
        key.append(size & 0x7F | 0x80)
        size >>= 7
    return [bytes([*key, size]), *pieces]


def _rows(vectors: list[bytes]) -> np.ndarray:
    return np.array([np.frombuffer(one, np.uint8) for one in vectors], np.uint8)
