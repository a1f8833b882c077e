"""MPEG audio (MP1, MP2, MP3) by its frames: where they begin, and how many there are.

The header of a frame (ISO 11172-3 and 13818-3, section 2.4.1.3) gives its size, so the
frames of a file can be followed from one to the next without decoding any. What stands
between them (tags, zeros, other junk) is stepped over.
"""

import functools
import itertools
import re
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple

_VERSIONS = {3: 1.0, 2: 2.0, 0: 2.5}  # By the bits of a header.
_RATES_HZ = {
    1.0: (44_100, 48_000, 32_000),
    2.0: (22_050, 24_000, 16_000),
    2.5: (11_025, 12_000, 8_000),
}
_KBPS_1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBPS_2 = {
    1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# All that may follow the first byte of a header: a version and a layer that exist, and
# a bit rate and sample rate that do.
_SYNC = re.compile(rb"\xff(?=[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x00-\xef])")
# So many frames in a row are no accident, in a picture say; fewer where the file ends.
_IN_A_ROW = 4
# Frames whose headers leave the bit rate open: their size, and where they may begin.
# Nearly any bytes that repeat look like them, so more in a row are asked for; and bytes
# of which many look like their headers, as those of quiet samples, are none.
_MOST_FREE_BYTES, _MOST_BEFORE_FREE_BYTES, _FREE_IN_A_ROW = 8192, 65_536, 16
_MOST_FREE_TRIES = 64


class Format(NamedTuple):
    """What all frames of a stream share."""

    version: float  # 1, 2 or 2.5.
    layer: int
    rate_hz: int
    num_channels: int
    free_bytes: int = 0  # Size of an unpadded frame where the bit rate is open.

    @property
    def frame_samples(self) -> int:
        """Length of a frame in samples."""
        if self.layer == 1:
            return 384
        return 576 if self.layer == 3 and self.version > 1 else 1152

    @property
    def side_bytes(self) -> int:
        """How far behind a header of layer III the data begins."""
        small, large = (17, 32) if self.version == 1 else (9, 17)
        return small if self.num_channels == 1 else large


class Stream(NamedTuple):
    """The frames of a file."""

    format: Format
    runs: list[tuple[int, int]]  # Where frames stand without a gap, from byte to byte.
    num_frames: int  # In these, without the one that only holds a Xing header.
    xing: "Xing | None"
    changes: bool  # Whether frames of another format follow, which are not counted.

    @property
    def num_samples(self) -> int:
        """Length as the frames have it, without what the encoder added."""
        added = self.xing.added_samples if self.xing else 0
        return self.num_frames * self.format.frame_samples - added

    @property
    def lacking(self) -> int:
        """How many frames its header promises and there are not; some miscount by 2."""
        if not self.xing or not is_plausible(self.xing, self.format):
            return 0
        lacking = self.xing.num_frames - self.num_frames
        return lacking if lacking > 2 else 0


class Xing(NamedTuple):
    """The header that encoders put into a first frame without sound."""

    num_frames: int  # 0: not known.
    num_bytes: int  # 0: not known.
    flags: int
    added_samples: int  # Before and behind the sound, as LAME writes it; 0: not known.


def of_seven_bits(data: bytes) -> int:
    """Reads a number of ID3, of which every byte has seven bits.

    >>> of_seven_bits(bytes([0, 0, 1, 2]))
    130
    """
    return functools.reduce(lambda value, byte: value << 7 | byte & 127, data, 0)


def behind_tags(bytes_at: Callable[[int, int], bytes], start: int = 0) -> int:
    r"""Steps over ID3v2, ID3v1 and APE tags; `bytes_at` reads from a place so many.

    >>> data = b"ID3\x04\0\0\0\0\0\x02ab" + b"TAG".ljust(128) + b"fLaC"
    >>> behind_tags(lambda start, count: data[start : start + count])
    140
    """
    while True:
        head = bytes_at(start, 32)
        if head[:3] == b"ID3" and len(head) >= 10:
            start += 10 + of_seven_bits(head[6:10])
            start += 10 if head[5] & 16 else 0  # Some have a footer.
        elif head[:3] == b"TAG":
            start += 128
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            start += 32 + int.from_bytes(head[12:16], "little")
        else:
            return start


def before_tags(bytes_at: Callable[[int, int], bytes], start: int, end: int) -> int:
    r"""Returns where ID3v1 and APE tags at the end of a file begin.

    >>> data = b"wvpk" + b"TAG".ljust(128)
    >>> before_tags(lambda start, count: data[start : start + count], 0, len(data))
    4
    """
    while end - start >= 128:
        tail = bytes_at(end - 128, 128)
        foot, size = tail[-32:], 0
        if tail[:3] == b"TAG":
            size = 128
        elif foot[:8] == b"APETAGEX":  # Its size leaves out a header, if it has one.
            size = int.from_bytes(foot[12:16], "little") + (foot[23] >> 7) * 32
        if not 32 <= size <= end - start:
            break
        end -= size
    return end


def frame_format(header: bytes) -> Format | None:
    """Reads four bytes of a header; None where they are none.

    >>> frame_format(bytes([0xFF, 0xFB, 0x90, 0xC4]))
    Format(version=1.0, layer=3, rate_hz=44100, num_channels=1, free_bytes=0)
    """
    if len(header) < 4 or not _SYNC.match(header) or header[2] >> 2 & 3 == 3:
        return None
    version = _VERSIONS[header[1] >> 3 & 3]
    rate_hz = _RATES_HZ[version][header[2] >> 2 & 3]
    return Format(version, 4 - (header[1] >> 1 & 3), rate_hz, 2 - (header[3] >= 0xC0))


@functools.lru_cache
def _sizes(form: Format) -> dict[bytes, int]:
    """Lists the first three bytes of every header that frames of a format may have."""
    kbps = (_KBPS_1 if form.version == 1 else _KBPS_2)[form.layer]
    unit = 4 if form.layer == 1 else 1
    rate = _RATES_HZ[form.version].index(form.rate_hz)
    version = next(bits for bits, one in _VERSIONS.items() if one == form.version)
    second = 0xE0 | version << 3 | (4 - form.layer) << 1
    sizes = {}
    for index, padding, ignored in itertools.product(range(15), (0, 1), range(4)):
        bits = 1000 * kbps[index - 1] * form.frame_samples
        size = bits // (8 * unit * form.rate_hz) * unit if index else form.free_bytes
        third = index << 4 | rate << 2 | padding << 1 | ignored & 1
        if size:
            header = bytes([0xFF, second | ignored >> 1, third])
            sizes[header] = size + padding * unit
    return sizes


def _follow(data: bytes, position: int, form: Format) -> tuple[int, int]:
    """Follows frames from the first; returns how many, and where the last one ends."""
    sizes, is_mono, count = _sizes(form), form.num_channels == 1, 0
    last = len(data) - 4
    while position <= last:
        size = sizes.get(data[position : position + 3])
        if size is None or (data[position + 3] >= 0xC0) is not is_mono:
            break
        if position + size > len(data):
            break
        position += size
        count += 1
    return count, position


def _with_free_size(data: bytes, position: int, form: Format) -> Format:
    """Measures frames whose header leaves the bit rate open: to the next like it."""
    first, second, third = data[position : position + 3]
    padding = third >> 1 & 1
    both = tuple(bytes([first, second, third & ~2 | bit << 1]) for bit in (0, 1))
    alike = re.compile(b"[^\xff]?(?:%s|%s)" % tuple(map(re.escape, both)))
    unit = 4 if form.layer == 1 else 1
    end = position + _MOST_FREE_BYTES
    for match in alike.finditer(data, position + 4 + form.side_bytes, end):
        size = match.end() - 3 - position - padding * unit
        found = form._replace(free_bytes=size)
        # A table of sizes takes long to make, so what they do first is seen without.
        if _goes_on(data, position, (size, size + unit), both) and (
            _follow(data, position, found)[0] >= _FREE_IN_A_ROW
        ):
            return found
    return form


def _goes_on(
    data: bytes, position: int, sizes: tuple[int, int], headers: tuple[bytes, ...]
) -> bool:
    """Tells whether frames of one size and header follow each other, padded or not."""
    for _ in range(_FREE_IN_A_ROW):
        if data[position : position + 3] not in headers:
            return False
        position += sizes[data[position + 2] >> 1 & 1]
    return True


def find(
    data: bytes, start: int = 0, most: int = sys.maxsize
) -> tuple[int, Format] | None:
    """Finds the first frame: some in a row, or as many as there are to the end.

    Only the first `most` places are looked at.
    """
    free_tries = 0
    for match in _SYNC.finditer(data, start, min(len(data), start + most + 2)):
        position = match.start()
        form = frame_format(data[position : position + 4])
        is_free = form and data[position + 2] >> 4 == 0
        is_near = position - start <= _MOST_BEFORE_FREE_BYTES
        if form and is_free and is_near and free_tries < _MOST_FREE_TRIES:
            form, free_tries = _with_free_size(data, position, form), free_tries + 1
        if form:
            count, end = _follow(data, position, form)
            if count >= _IN_A_ROW or (count and end == len(data)):
                return position, form
    return None


def follow(data: bytes) -> Stream | None:
    """Follows the frames to the end of the file, or to those of another format."""
    found = find(data, 0)
    if not found:
        return None
    (position, form), runs, num_frames, changes = found, [], 0, False
    xing = read_xing(data[position : position + 200], form)
    while found and not changes:
        count, end = _follow(data, found[0], form)
        runs.append((found[0], end))
        num_frames += count
        found = find(data, end)
        changes = found is not None and found[1] != form
    return Stream(form, runs, num_frames - bool(xing), xing, changes)


def read_xing(frame: bytes, form: Format) -> Xing | None:
    """Reads the Xing or Info header in the first 200 bytes of a frame."""
    at = 4 + form.side_bytes
    if form.layer != 3 or frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    frame = frame.ljust(200, b"\0")
    (flags,) = struct.unpack_from(">I", frame, at + 4)
    fields, at = [0, 0], at + 8
    for bit, size in enumerate((4, 4, 100, 4)):
        if flags >> bit & 1:
            if bit < 2:
                fields[bit] = int.from_bytes(frame[at : at + size], "big")
            at += size
    padding = int.from_bytes(frame[at + 21 : at + 24], "big")
    return Xing(fields[0], fields[1], flags, (padding >> 12) + (padding & 4095))


def is_plausible(xing: Xing, form: Format) -> bool:
    """Tells whether so many frames go into so many bytes."""
    smallest = min(_sizes(form).values())
    return 0 < xing.num_frames <= xing.num_bytes // smallest


def copied(data: bytes, stream: Stream) -> tuple[list[bytes], int]:
    """Gives all frames without what is between them, for libmpg123 to read.

    It takes their number from a Xing header, or guesses it from the size of the first:
    a frame of silence, which is as small as can be, makes it guess too high.

    Returns:
        What to write, and how many samples it has before those of the file.
    """
    pieces = [data[first:end] for first, end in stream.runs]
    form, head, at = stream.format, pieces[0], 12 + stream.format.side_bytes
    if stream.xing and stream.xing.flags & 1:
        number = struct.pack(">I", stream.num_frames)
        return [head[:at], number, head[at + 4 :], *pieces[1:]], 0
    sizes = _sizes(form)
    if stream.xing:
        pieces[0] = head[sizes[head[:3]] :]
    if form.layer != 3 or form.free_bytes:
        return pieces, 0  # All frames are of one size.
    header, size = min(sizes.items(), key=lambda one: (one[1], ~one[0][1] & 1))
    return [(header + head[3:4]).ljust(size, b"\0"), *pieces], form.frame_samples
