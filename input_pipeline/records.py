"""TFRecord files of `tf.train.Example` messages, written without TensorFlow.

Two small formats. A TFRecord file is a row of records: length (uint64, little endian),
masked CRC32C of the length, payload, masked CRC32C of the payload. An `Example` is a
protocol buffer, here always a map from names to one string of bytes each:

    Example   { Features features = 1; }      Features  { map<string, Feature> = 1; }
    Feature   { BytesList bytes_list = 1; }   BytesList { repeated bytes value = 1; }

Importing TensorFlow for that would cost each worker process four seconds and 400 MB,
and keep machines without it from preparing shards.
"""

from collections.abc import Mapping
from typing import BinaryIO

import google_crc32c

DATASET = "clips"  # TFDS's name of the data set, the first word of every file name.
_LENGTH_DELIMITED = 2  # Wire type of strings, bytes and messages.


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


def _field(number: int, pieces: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """Makes a field around pieces of bytes, which are copied only when joined."""
    size, key = sum(map(len, pieces)), bytearray([number << 3 | _LENGTH_DELIMITED])
    while size >= 0x80:
        key.append(size & 0x7F | 0x80)
        size >>= 7
    return [bytes([*key, size]), *pieces]
