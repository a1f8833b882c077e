"""How much sound a file's own headers say it has: WAV and its kin, FLAC, Ogg.

libsndfile mends much of what is wrong in a file and does not say so. What it takes to
tell a file that was cut from one that was written carelessly is read here.
"""

import io
import itertools
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

# Programs that write into a pipe leave 0 or a number of about 2 or 4 GiB.
_STAND_INS = range(2**31 - 2**16, 2**32)
# A few bytes too few are a mistake in counting, and not a cut: 64 last 0.4 ms.
_COUNTING_ERROR_BYTES = 64
_MOST_CHUNKS = 1000
_MOST_BYTES = 2**48  # Of samples; a header that says more is nonsense.
_FLAC_PART_BYTES = 2**18  # Where the header does not say how large a frame is.
_LARGEST_PAGE_BYTES = 65_307
_SMALL_BYTES = 2**20
_MOST_LINKS_BYTES = 2**30  # Of Ogg.

Link = tuple[int, int]  # Where one of several streams in a row begins and ends.


class _Chunks(NamedTuple):
    """How a family of formats lays out its chunks."""

    first: int  # Where they begin.
    id_bytes: int  # Length of a name.
    size: str  # Format of the size behind it, for `struct`.
    of_sound: tuple[bytes, ...]  # How the name of the chunk with the samples begins.
    alignment: int = 2  # Chunks begin at multiples of it.
    counts_itself: bool = False  # Whether the size is that of the header too.


_FAMILIES = {
    b"RIFF": _Chunks(12, 4, "<I", (b"data",)),
    b"RF64": _Chunks(12, 4, "<I", (b"data",)),
    b"RIFX": _Chunks(12, 4, ">I", (b"data",)),
    b"FORM": _Chunks(12, 4, ">I", (b"SSND", b"BODY")),
    b"caff": _Chunks(8, 4, ">q", (b"data",), alignment=1),
    b"riff": _Chunks(40, 16, "<q", (b"data",), alignment=8, counts_itself=True),
}


# How the forms of RIFF and its kin begin that are sound, as WAVE, AIFF, AIFC and 8SVX.
_FORMS = (b"WAV", b"AIF", b"8SV", b"16S", b"")


class Sound(NamedTuple):
    """The part of a file that holds the samples."""

    start: int  # Of the samples, in bytes.
    declared: int  # Bytes of them, by the header; -1 where it does not know.
    there: int  # Bytes of them in the file.
    size_at: int = 0  # Where the header has that number,
    size: str = ""  # how,
    more: int = 0  # and which bytes it counts with them.

    @property
    def share(self) -> float:
        """How much of what is declared is there, 1 at most."""
        lacking = self.declared - self.there
        return self.there / self.declared if lacking >= _COUNTING_ERROR_BYTES else 1.0

    @property
    def lacking(self) -> str:
        """The same in words."""
        return f"{self.there:,} of {self.declared:,} bytes of samples are there"

    @property
    def patch(self) -> tuple[int, bytes]:
        """What the header should have said, and where."""
        most = 2 ** (8 * struct.calcsize(self.size) - 1) - 1
        return self.size_at, struct.pack(self.size, min(self.there + self.more, most))


def sound_of(handle: io.FileIO, start: int) -> Sound | None:
    """Finds the samples of a file in chunks, AU, NIST or SDS; None in others.

    The format begins at `start`, behind tags.
    """
    head = os.pread(handle.fileno(), 1024, start)
    end = os.fstat(handle.fileno()).st_size
    if head[:4] in _FAMILIES:
        return _sound_chunk(handle, head[:4], start, end)
    fixed = _fixed(head)
    if fixed is None:
        return None
    first, declared, *place = fixed
    found = Sound(start + first, declared, max(0, end - start - first))
    return found._replace(size_at=start + 8, size=place[0]) if place else found


def _fixed(head: bytes) -> tuple[int, int] | tuple[int, int, str] | None:
    """Finds where samples begin in formats without chunks, and how many bytes they are.

    >>> _fixed(b".snd" + struct.pack(">II", 24, 2**32 - 1))
    (24, -1, '>I')
    """
    if head[:4] in (b".snd", b"dns.") and len(head) >= 12:
        order = "<" if head[:1] == b"d" else ">"
        first, declared = struct.unpack_from(f"{order}II", head, 4)
        return first, -1 if declared in (0, 2**32 - 1) else declared, f"{order}I"
    if head[:4] == b"NIST":
        field = rb"^(?:sample_count|sample_n_bytes|channel_count) -i (\d{1,12})\s"
        values = [int(value) for value in re.findall(field, head, re.MULTILINE)]
        return 1024, math.prod(values) if len(values) == 3 else -1
    if head[:4] == b"2BIT" and len(head) >= 128:
        is_stereo, bits = struct.unpack_from(">HH", head, 12)
        (count,) = struct.unpack_from(">I", head, 26)
        return 128, count * (2 if is_stereo else 1) * (bits // 8) or -1
    if head[:8] == b"Creative" and (found := _voc_blocks(head)[-1:]):
        [(kind, at, size)] = found
        format_bytes = {1: 2, 9: 12}.get(kind, 0)
        return at + format_bytes, size - format_bytes
    if head[:2] == b"\xf0\x7e" and head[3:4] == b"\x01" and len(head) >= 21:
        words = head[10] | head[11] << 7 | head[12] << 14
        in_packet = {1: 120, 2: 60, 3: 40, 4: 30}.get(-(-head[6] // 7), 60)
        return 21, -(-words // in_packet) * 127
    return None


def _voc_blocks(head: bytes) -> list[tuple[int, int, int]]:
    r"""Lists kind, place and size of a Creative Voice file's blocks up to its sound.

    >>> _voc_blocks(bytes(20) + b"\x1a" + bytes(5) + b"\5\2\0\0hi\1\x63\0\0")
    [(5, 30, 2), (1, 36, 99)]
    """
    at = int.from_bytes(head[20:22], "little")
    found: list[tuple[int, int, int]] = []
    while at + 4 <= len(head) and head[at] and not (found and found[-1][0] in (1, 9)):
        size = int.from_bytes(head[at + 1 : at + 4], "little")
        found.append((head[at], at + 4, size))
        at += 4 + size
    return found


def is_packed_voc(head: bytes) -> bool:
    """Tells whether samples are packed in Creative's way, which is read as if not.

    The byte behind the rate says so, in the block of the sound or of its format, 8.
    """
    blocks = _voc_blocks(head) if head[:8] == b"Creative" else []
    packings = {1: 1, 8: 2}
    return any(
        head[at + packings[kind] :][:1] > b"\0"
        for kind, at, _ in blocks
        if kind in packings
    )


def _sound_chunk(handle: io.FileIO, magic: bytes, start: int, end: int) -> Sound | None:
    family = _FAMILIES[magic]
    for header, first, size in _chunks(handle, family, start):
        if header.startswith(family.of_sound):
            size_at = first - struct.calcsize(family.size)
            found = Sound(first, size, max(0, end - first), size_at, family.size)
            if family.counts_itself:
                found = found._replace(more=len(header))
            if magic == b"RF64":
                found = _of_64(handle, start, found)
            is_narrow = struct.calcsize(family.size) == 4
            is_unknown = found.declared >= _MOST_BYTES or (
                is_narrow and found.declared in _STAND_INS
            )
            is_empty = size == 0 and _are_chunks(handle, family, start, first, end)
            if is_unknown or (found.declared <= 0 and not is_empty):
                return found._replace(declared=-1)
            return found
    return None


def _chunks(
    handle: io.FileIO, family: _Chunks, start: int
) -> Iterator[tuple[bytes, int, int]]:
    """Yields the header of each chunk, where its content begins, and how long it is.

    The last may be longer than the file, and its header may be cut.
    """
    at = start + family.first
    header_bytes = family.id_bytes + struct.calcsize(family.size)
    for _ in range(_MOST_CHUNKS):
        header = os.pread(handle.fileno(), header_bytes, at)
        if len(header) < header_bytes:
            return
        (size,) = struct.unpack_from(family.size, header, family.id_bytes)
        first, size = at + header_bytes, size - family.counts_itself * header_bytes
        yield header, first, size
        if size < 0:
            return
        at = _aligned(family, start, first + size)


def missing_padding(handle: io.FileIO, start: int) -> list[int]:
    """Finds where chunks of odd sizes lack the byte that must follow them.

    Nothing where the samples are found without that, or are not found with it.
    """
    head = os.pread(handle.fileno(), 4, start)
    family = _FAMILIES.get(head)
    if not family or family.alignment != 2 or sound_of(handle, start):
        return []
    found = list[int]()
    for header, first, size in _chunks(handle, family._replace(alignment=1), start):
        if header.startswith(family.of_sound):
            return found
        found += [first + size] if size % 2 else []
    return []


def why_without_sound(handle: io.FileIO, start: int) -> tuple[str, str]:
    """Says for what reason, and why, a file of a known format has no sound to decode.

    Two empty words where it may have some.
    """
    head = os.pread(handle.fileno(), 16, start)
    end, magic = os.fstat(handle.fileno()).st_size, head[:4]
    truncated = "truncated", "it ends before its sound begins"
    if magic == b"OggS":
        has_sound = any(page.granule > 0 for page in _ogg_pages(handle, start))
        return truncated if not has_sound and ogg_end(handle)[0] else ("", "")
    if magic == b"fLaC":
        return truncated if flac_frames(handle, start) >= end else ("", "")
    family = _FAMILIES.get(magic)
    # Videos and pictures have such chunks too.
    if not family or (family.alignment == 2 and head[8:11] not in _FORMS):
        return "", ""
    last = start + family.first
    for header, first, size in _chunks(handle, family, start):
        if header.startswith(family.of_sound):
            return "", ""
        last = _aligned(family, start, first + max(0, size))
    if family.alignment == 2 and len(head) >= 8:  # Which say how long they are.
        last = max(last, start + 8 + struct.unpack_from(family.size, head, 4)[0])
    # Less than the header of a chunk is one that was cut.
    header_bytes = family.id_bytes + struct.calcsize(family.size)
    if last > end or 0 < end - last < header_bytes:
        return truncated
    return ("empty", "it has no chunk of samples") if last == end else ("", "")


def _of_64(handle: io.FileIO, start: int, found: Sound) -> Sound:
    """Takes the size of the samples in an RF64 file from where it is: `ds64`."""
    head = os.pread(handle.fileno(), 36, start)
    if head[12:16] != b"ds64" or len(head) < 36:
        return found
    declared = int.from_bytes(head[28:36], "little")
    return found._replace(declared=declared, size_at=start + 28, size="<q")


def _are_chunks(
    handle: io.FileIO, family: _Chunks, start: int, at: int, end: int
) -> bool:
    """Tells whether chunks, and no samples, go on to the end: the sound is empty."""
    header_bytes = family.id_bytes + struct.calcsize(family.size)
    while at < end:
        header = os.pread(handle.fileno(), header_bytes, at)
        if len(header) < header_bytes or not header[:4].strip().isalnum():
            return False
        (size,) = struct.unpack_from(family.size, header, family.id_bytes)
        size -= family.counts_itself * header_bytes
        if size < 0:
            return False
        at = _aligned(family, start, at + header_bytes + size)
    return at < end + family.alignment


def _aligned(family: _Chunks, start: int, at: int) -> int:
    """Finds where a chunk begins that follows one which ends at a place."""
    return at + (start - at) % family.alignment


def flac_lengths(handle: io.FileIO, start: int) -> tuple[int, int, bool] | None:
    """Returns samples as the header says, 0 for unknown, and as the last frame says.

    The latter is 0 where no frame is found. And whether several may follow in a row:
    frames do not count on through the file. None: not a FLAC file.
    """
    size = os.fstat(handle.fileno()).st_size
    head = os.pread(handle.fileno(), 42, start)
    if head[:4] != b"fLaC" or len(head) < 42:
        return None
    declared = int.from_bytes(head[21:26], "big") & (2**36 - 1)
    block, largest = (int.from_bytes(head[a:b], "big") for a, b in ((10, 12), (15, 18)))
    part_bytes = 3 * largest + 1024 if largest else _FLAC_PART_BYTES

    def ends_behind(at: int) -> list[int]:
        at = max(at, start + 42)
        data = os.pread(handle.fileno(), min(part_bytes, size - at), at)
        return _flac_ends(data, block, declared)

    # To search all of a file would take long.
    places = (start + (size - start) * k // 4 for k in (1, 2, 3))
    heard = [end for at in places for end in ends_behind(at)[:1]]
    last = [0, *ends_behind(size - part_bytes)][-1]
    is_even = heard == sorted({*heard}) and declared == last
    return declared, last, not is_even


def flac_frames(handle: io.FileIO, start: int) -> int:
    """Finds where the frames of a FLAC file begin: behind its blocks of metadata."""
    at, is_last = start + 4, False
    while not is_last:
        header = os.pread(handle.fileno(), 4, at)
        is_last = len(header) < 4 or header[0] > 127
        at += 4 + int.from_bytes(header[1:], "big")
    return at


def _flac_ends(data: bytes, block: int, declared: int) -> list[int]:
    """Finds where frames end, in samples."""
    found, ends = [], {0}
    for match in re.finditer(rb"\xff(?=[\xf8\xf9])", data):
        frame = _flac_frame(data[match.start() :][:16], block)
        # Noise can look like a frame, but not go on where another one ends.
        if frame and (frame[0] in ends or frame[1] == declared):
            found.append(frame[1])
        ends |= {frame[1]} if frame else set()
    return found


def flac_links(handle: io.FileIO, start: int) -> list[Link]:
    """Finds FLAC files in a row, each by its name and first block."""
    starts, at, before = list[int](), start, b""
    while piece := os.pread(handle.fileno(), _SMALL_BYTES, at):
        found = re.finditer(rb"fLaC[\x00\x80]\x00\x00\x22", before + piece)
        starts += [at - len(before) + match.start() for match in found]
        before, at = piece[-7:], at + len(piece)
    return [*itertools.pairwise([*starts, at])]


def flac_patch(head: bytes, num_samples: int) -> tuple[int, bytes]:
    """Returns where the header has its length, and the bytes of another."""
    field = int.from_bytes(head[21:26], "big") & ~(2**36 - 1) | num_samples
    return 21, field.to_bytes(5, "big")


def _flac_frame(header: bytes, block: int) -> tuple[int, int] | None:
    """Reads where a frame begins and ends, in samples (RFC 9639, section 9.1).

    None for what is no frame. A header has 16 bytes at most; `block` is the number of
    samples of a frame where all have the same.
    """
    header = header.ljust(16, b"\0")
    size_code, rate_code = header[2] >> 4, header[2] & 15
    # The number is coded as UTF-8 codes a character, in up to 7 bytes.
    ones = next((n for n in range(8) if not header[4] << n & 128), 8)
    if ones in (1, 8) or not size_code:
        return None
    at = 5 + max(0, ones - 1)
    number = header[4] & (127 >> ones)
    for byte in header[5:at]:
        number = number << 6 | byte & 63
    samples = {1: 192} | {n: 576 << n - 2 for n in range(2, 6)}
    samples |= {n: 256 << n - 8 for n in range(8, 16)}
    more = max(0, size_code - 5) if size_code in (6, 7) else 0
    samples[6] = samples[7] = int.from_bytes(header[at : at + more], "big") + 1
    at += more + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _crc8(header[:at]) != header[at]:
        return None
    begin = number if header[1] & 1 else number * block
    return begin, begin + samples[size_code]


def _crc8(data: bytes) -> int:
    """Computes the checksum of a frame's header, of x^8 + x^2 + x + 1."""
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder << 1 ^ (0x107 if remainder & 128 else 0)
    return remainder


def ogg_end(handle: io.FileIO) -> tuple[bool, bool]:
    """Looks at the last page of an Ogg file (RFC 3533, section 6).

    Returns:
        Whether it is incomplete, and whether its number may be too low for a file of
        this size: it then counts from a stream that begins later.
    """
    size = os.fstat(handle.fileno()).st_size
    first = max(0, size - 2 * _LARGEST_PAGE_BYTES)
    head, tail = (os.pread(handle.fileno(), size - first, at) for at in (0, first))
    at = tail.rfind(b"OggS")
    number = int.from_bytes(tail[at + 18 : at + 22], "little")
    expected = max(1, head.count(b"OggS")) / len(head) * (first + at)
    may_be_chained = size < _SMALL_BYTES or number < 0.75 * expected - 4
    return at >= 0 and _page_end(tail, at) > len(tail), may_be_chained


def ogg_damage(handle: io.FileIO, start: int, rate_hz: int, end_s: float) -> str:
    """Says which page decoders leave out, without a word; "" where they leave out none.

    Its checksum is wrong, or it is not there: the pages of a stream are numbered. Bytes
    between pages do no harm, and a recording may begin in the middle of a stream. The
    format begins at `start`, pages count in `rate_hz`, and up to `end_s` it matters.
    """
    before: dict[int, int] = {}  # Of every stream the last page that had sound.
    began_s = 0.0  # How late a recording may have begun: where its first page ends.
    for page in _ogg_pages(handle, start):
        if not _is_sound(handle, page):
            return f"the checksum of the Ogg page at byte {page.at:,} is wrong"
        expected = before.pop(page.serial, page.number - 1) + 1
        if page.number not in (expected, 0):  # 0 where a stream begins.
            return f"an Ogg page is missing before byte {page.at:,}"
        if page.granule:  # It is 0 where a stream begins, and may jump behind that.
            before[page.serial] = page.number
        page_s = page.granule / rate_hz
        began_s = began_s or max(0.0, page_s)
        if page_s - began_s > end_s:
            break
    return ""


class _Page(NamedTuple):
    """What the header of a page says."""

    at: int  # Where it begins, and
    end: int  # ends, in the file.
    granule: int  # How many samples its stream has then; -1 in the middle of a packet.
    serial: int  # Of its stream.
    number: int


def _ogg_pages(handle: io.FileIO, at: int) -> Iterator[_Page]:
    """Yields all whole pages, and steps over what is none."""
    size = os.fstat(handle.fileno()).st_size
    while at < size:
        header = os.pread(handle.fileno(), 27 + 255, at)
        end = at + _page_end(header, 0)
        if header[:4] == b"OggS" and end <= size:
            yield _Page(at, end, *struct.unpack_from("<qII", header, 6))
            at = end
            continue
        found = os.pread(handle.fileno(), _LARGEST_PAGE_BYTES, at + 1).find(b"OggS")
        at += 1 + found if found >= 0 else _LARGEST_PAGE_BYTES - 3


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _is_sound(handle: io.FileIO, page: _Page) -> bool:
    """Checks a page's CRC32: zlib's polynomial, but the bits of bytes reversed."""
    data = os.pread(handle.fileno(), page.end - page.at, page.at)
    bits = memoryview(data.translate(_REVERSED))
    crc = zlib.crc32(bits[:22], 0xFFFFFFFF)
    crc = zlib.crc32(bits[26:], zlib.crc32(bytes(4), crc))
    return crc ^ 0xFFFFFFFF == int.from_bytes(bits[22:26], "big")


def ogg_links(handle: io.FileIO, start: int) -> list[Link]:
    """Finds chained streams: pages that begin streams stand at the start of a link."""
    data = os.pread(handle.fileno(), _MOST_LINKS_BYTES, start)
    starts, at, was_first = list[int](), 0, False
    while data[at : at + 4] == b"OggS" and len(data) > at + 27:
        is_first = bool(data[at + 5] & 2)
        if is_first and not was_first:
            starts.append(start + at)
        at, was_first = _page_end(data, at), is_first
    return [*itertools.pairwise([*starts, start + at])]


def _page_end(data: bytes, at: int) -> int:
    """Finds where a page ends: its header has the sizes of its segments."""
    num_segments = data[at + 26] if len(data) > at + 26 else 0
    segments = data[at + 27 : at + 27 + num_segments]
    # A header that is cut is longer than what is there of it.
    return at + 27 + num_segments + sum(segments)
