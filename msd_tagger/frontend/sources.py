"""Sound files as they are: what decodes each, how long it is, and whether it was cut.

`open_source` is the one place that says so. Files are opened by content, never by the
ending of their name. What libsndfile cannot read as it stands (junk before an MP3, a
header that lies, streams in a row, codecs that cannot seek, formats of others) it reads
from a copy.
"""

import contextlib
import dataclasses
import functools
import io
import itertools
import math
import numbers
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import soundfile

from msd_tagger.frontend import containers, foreign, handles, mpeg
from msd_tagger.frontend.audio_error import AudioError

# Changes with what is made of files: whoever remembers that one could not be read tries
# it again then.
DECODERS = f"6, libsndfile {soundfile.__libsndfile_version__}, {foreign.VERSION}"

# What libsndfile reads, by the usual endings.
SUFFIXES: tuple[str, ...] = (
    *(".mp3", ".mp2", ".mpga", ".ogg", ".oga", ".opus", ".flac", ".wav", ".wave"),
    *(".bwf", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".voc"),
    *(".sph", ".svx", ".paf", ".sds", ".avr", ".htk"),
)
if foreign.IS_INSTALLED:
    SUFFIXES += foreign.SUFFIXES

_HEAD_BYTES = 2**14  # Some MPEG frames.
_MOST_JUNK_BYTES = 2**24  # Before the first of them.
_MOST_FRAMES_BYTES = 2**30  # Of them, where they have to be counted: 7 h at 320 kbps.
# How those begin that are found behind junk.
_BEGINNING = re.compile(
    rb"(?s)RIFF....WAVE|FORM....AIF[FC]|fLaC[\x00\x80]\x00\x00\x22"
    rb"|OggS\x00\x02\x00{8}|caff\x00\x01\x00\x00desc"
)
_CONTAINERS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"caff", b"riff", b"fLaC", b"OggS")
_UNKNOWN_SAMPLES = 2**60  # libsndfile gives the largest number there is.
_BLOCK_SAMPLES = 2**16
# Encoders add a frame or two before and behind the sound, which decoders take off.
_MPEG_SLACK_SAMPLES, _MOST_ADDED_SAMPLES = 2400, 8192
_FLAC_SLACK_SAMPLES = 64  # Fewer than in a block: a mistake in counting, no cut.
_LAST_S = 0.2  # A decoder that fails this near to the end ran out of bytes.

Size = tuple[int, int, int]  # Rate in Hz, number of channels and of samples.


class _Decoder(soundfile.SoundFile):
    """Reads on from where it is: soundfile would seek before and behind every read."""

    def seekable(self) -> bool:
        return False


@dataclasses.dataclass(eq=False)
class Source:
    """An opened sound file."""

    path: os.PathLike | str  # As it was given.
    rate_hz: int
    num_channels: int
    num_samples: int  # That must be there, by its frames or header.
    decoder: Callable[[], "_Decoder | _Row"]
    readable: int = dataclasses.field(init=False)  # That can be decoded.
    slack_samples: int = 0  # That may be missing all the same.
    extra_samples: int = 0  # That the decoder gives before the first.
    is_copy: bool = False  # Whether what is decoded was mended.
    cut: str = ""  # What is missing, in words, where that is known.
    note: str = ""  # What is odd about a file that is read nevertheless.
    # Says what a decoder would leave out between two times in seconds, if anything.
    damage: Callable[[float, float], str] | None = None
    # Examines it more closely, should it seem to end or fail within a clip.
    second_look: Callable[[], "Source"] | None = None

    def __post_init__(self) -> None:
        self.readable = self.num_samples  # Unless it turns out that it is less.

    @property
    def length_s(self) -> float:
        """How long it should be."""
        return self.num_samples / self.rate_hz

    @functools.cached_property
    def _file(self) -> "_Decoder | _Row":
        """Opened late: a copy is made of no file that is only looked at."""
        return self.decoder()

    def read(self, first: int, count: int) -> np.ndarray:
        """Decodes float32 `[samples, channels]`, fewer than `count` at the end.

        Raises:
            AudioError: "damaged", "truncated" for a decoder that fails at the end, or
                "unreadable".
        """
        try:
            return self._checked(first, count)
        except OSError as error:  # As of a disk that fails.
            raise AudioError(self.path, "unreadable", str(error)) from error

    def _checked(self, first: int, count: int) -> np.ndarray:
        if self.damage:
            lost = self.damage(first / self.rate_hz, (first + count) / self.rate_hz)
            if lost:
                raise AudioError(self.path, "damaged", lost)
        try:
            samples = self._read(first, count)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            if self._looks_again():
                return self.read(first, count)
            reason = "truncated" if self.cut or self._fails_last(first, count) else ""
            detail = self.cut or str(error).strip()
            raise AudioError(self.path, reason or "damaged", detail) from error
        if len(samples) < count and self._looks_again():
            return self.read(first, count)
        return samples

    def _read(self, first: int, count: int) -> np.ndarray:
        there = self._file.frames - self.extra_samples
        end = min(first + count, self.readable, there)
        if first >= end:
            return np.zeros((0, self.num_channels), np.float32)
        self._file.seek(first + self.extra_samples)
        return self._file.read(end - first, dtype="float32", always_2d=True)

    def _looks_again(self) -> bool:
        """Examines the file more closely, once; tells whether that helps."""
        if self.second_look is None:
            return False
        other, self.second_look = self.second_look(), None
        is_same = other.num_samples <= self.num_samples + self.slack_samples
        if is_same and not other.is_copy and not other.cut:
            return False
        self.__dict__.pop("_file", None)
        self.__dict__.update(other.__dict__)
        return True

    def _fails_last(self, first: int, count: int) -> bool:
        """Tells whether all can be decoded but the end of the file."""
        last = self.num_samples - round(_LAST_S * self.rate_hz)
        if first + count <= last:
            return False
        try:
            self._read(first, max(0, last - first))
        except (soundfile.LibsndfileError, RuntimeError):
            return False
        return True


class _Samples(Source):
    """Sound that is in memory already."""

    def __init__(self, samples: np.ndarray, rate_hz: int, name: str) -> None:
        super().__init__(name, rate_hz, samples.shape[1], len(samples), _Decoder)
        self.samples = samples

    def _read(self, first: int, count: int) -> np.ndarray:
        return self.samples[first : first + count].astype(np.float32)


def of_samples(samples: np.ndarray, rate_hz: int, name: str = "samples") -> Source:
    """Makes a source of samples in memory, floating `[T]` or `[T, channels]`, of ± 1.

    The name stands for a path in messages.

    Raises:
        ValueError: The samples are no such array, or the rate is no positive number.
    """
    samples = np.asarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(
            f"samples are {samples.dtype}; floating-point numbers are needed, whose "
            "full scale is 1 (divide 16-bit integers by 32768)"
        )
    shape = samples.shape
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or not samples.shape[1] or 0 < len(samples) < samples.shape[1]:
        turned = "; transpose them" if len(shape) == 2 and all(shape) else ""
        raise ValueError(
            f"samples are {list(shape)}; [T] or [T, channels] is needed{turned}"
        )
    is_number = isinstance(rate_hz, numbers.Real)
    if not (is_number and rate_hz > 0 and float(rate_hz).is_integer()):
        raise ValueError(
            f"a sample rate of {rate_hz!r} Hz; a positive integer is needed"
        )
    return _Samples(samples, int(rate_hz), name)


@contextlib.contextmanager
def open_source(path: os.PathLike | str) -> Iterator[Source]:
    """Opens a sound file.

    Raises:
        AudioError: "missing", "unreadable", "empty", "not audio", "no decoder", or
            "truncated" where nothing of it can be decoded for that reason.
    """
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(handles.open_file(path, may_be_pipe=True))
        try:
            source = _examine(_File(path, handle, stack))
        except RuntimeError as error:  # As libsndfile's are.
            raise AudioError(path, "damaged", str(error).strip()) from error
        except OSError as error:  # As of a disk that fails.
            raise AudioError(path, "unreadable", str(error)) from error
        yield source


class _File:
    """A file, and everything that is opened on its behalf."""

    def __init__(
        self, path: os.PathLike | str, handle: io.FileIO, stack: contextlib.ExitStack
    ) -> None:
        self.path, self.handle, self.stack = path, handle, stack
        self.start = mpeg.behind_tags(self.bytes_at)  # Where the format begins.

    def bytes_at(self, start: int, count: int) -> bytes:
        return os.pread(self.handle.fileno(), count, start)

    def size_bytes(self) -> int:
        return os.fstat(self.handle.fileno()).st_size

    def decoder(self) -> _Decoder | None:
        """Opens it as it stands.

        By a name without an ending: libsndfile would trust `.raw`. By a descriptor
        alone it takes a file `._` or a folder `.AppleDouble` in the current directory
        for a part of every MP3.
        """
        name = f"/dev/fd/{self.handle.fileno()}"
        try:
            if os.path.exists(name):  # noqa: PTH110 (faster)
                return self.stack.enter_context(_Decoder(name))
            self.handle.seek(0)
            file = _Decoder(self.handle.fileno(), closefd=False)
            return self.stack.enter_context(file)
        except (soundfile.LibsndfileError, RuntimeError, TypeError):
            return None

    def copy(self, pieces: Iterable[bytes], size_bytes: int) -> "_File":
        """Writes other bytes in its place."""
        handle = handles.copy_of(self.path, pieces, size_bytes)
        return _File(self.path, self.stack.enter_context(handle), self.stack)

    def patched(self, at: int, new: bytes) -> "_File":
        """Copies it with other bytes at one place."""
        head = self.bytes_at(0, at)
        pieces = handles.pieces(self.handle, at + len(new))
        return self.copy(itertools.chain([head, new], pieces), self.size_bytes())


def _examine(file: _File) -> Source:
    """Finds out what a file is; what is most frequent comes first."""
    if _starts_with_frames(file, file.start):
        return _of_mpeg(file, file.decoder())
    magic, decoder = file.bytes_at(file.start, 1024), file.decoder()
    if containers.is_packed_voc(magic):
        decoder = None
    sound = containers.sound_of(file.handle, file.start)
    if sound and _starts_with_frames(file, sound.start):
        return _of_mpeg(file, decoder, sound)
    if decoder and "MPEG" in decoder.subtype:
        return _of_mpeg(file, decoder)
    if sound and (source := _of_chunks(file, decoder, sound)):
        return source
    if decoder:
        by_format = {"FLAC": _of_flac, "OGG": _of_ogg}
        return by_format.get(decoder.format, _as_it_is)(file, decoder)
    if file.start and magic[:4] in _CONTAINERS:
        pieces = handles.pieces(file.handle, file.start)
        return _examine(file.copy(pieces, file.size_bytes()))
    if better := _better(file, magic):
        return _examine(better)
    try:
        if kind := foreign.kind_of(magic):
            return _of_foreign(file, kind)
        return _of_mpeg(file, None)
    except AudioError as error:
        reason, detail = containers.why_without_sound(file.handle, file.start)
        if reason:
            raise AudioError(file.path, reason, detail) from error
        raise


def _better(file: _File, magic: bytes) -> _File | None:
    """Copies a file without what keeps libsndfile from reading it, where that is known.

    That is junk before its format, a byte that is missing behind a chunk of odd size,
    or something about a FLAC file that is no sound, as a picture of a wrong size.
    """
    begin = file.start
    if padding := containers.missing_padding(file.handle, begin):
        ends = itertools.pairwise([begin, *padding])
        parts = (file.bytes_at(first, end - first) + b"\0" for first, end in ends)
        rest = handles.pieces(file.handle, padding[-1])
        return file.copy(itertools.chain(parts, rest), file.size_bytes())
    if magic[:4] == b"fLaC":
        frames = containers.flac_frames(file.handle, begin)
        if not begin + 42 < frames < file.size_bytes():
            return None
        head = b"fLaC\x80" + file.bytes_at(begin + 5, 37)
        rest = handles.pieces(file.handle, frames)
        return file.copy(itertools.chain([head], rest), file.size_bytes())
    if foreign.kind_of(magic):
        return None
    # The size of a tag may be wrong, so that it seems to end behind the beginning.
    for start in dict.fromkeys((begin, 0)):
        found = _BEGINNING.search(file.bytes_at(start, _MOST_JUNK_BYTES))
        if found and start + found.start() > 0:
            pieces = handles.pieces(file.handle, start + found.start())
            return file.copy(pieces, file.size_bytes())
    return None


def _starts_with_frames(file: _File, start: int) -> bool:
    return mpeg.find(file.bytes_at(start, _HEAD_BYTES), most=1) is not None


def _source(file: _File, decoder: _Decoder, num_samples: int = 0) -> Source:
    count = num_samples or decoder.frames
    return Source(
        file.path, decoder.samplerate, decoder.channels, count, lambda: decoder
    )


def _as_it_is(file: _File, decoder: _Decoder) -> Source:
    if decoder.frames >= _UNKNOWN_SAMPLES:
        return _source(file, decoder, sum(map(len, _blocks(decoder))))
    # DWVW says that it can seek, and cannot.
    can_seek = soundfile.SoundFile.seekable(decoder) and "DWVW" not in decoder.subtype
    if can_seek:
        return _source(file, decoder)
    size = (decoder.samplerate, decoder.channels, decoder.frames)
    return _unrolled(file, size, _blocks(decoder))


def _blocks(decoder: _Decoder) -> Iterator[np.ndarray]:
    while len(block := decoder.read(_BLOCK_SAMPLES, "float32", always_2d=True)):
        yield block


def _unrolled(file: _File, size: Size, blocks: Iterable[np.ndarray]) -> Source:
    """Decodes all of it once, before the first read: what cannot seek then can.

    It becomes an AU file of floats, whose length its size alone says.
    """
    rate_hz, num_channels, num_samples = size

    def pieces() -> Iterator[bytes]:
        yield struct.pack("<4s5I", b"dns.", 24, 2**32 - 1, 6, rate_hz, num_channels)
        try:
            for block in blocks:
                yield block.astype("<f4", copy=False).tobytes()
        except AudioError:
            raise
        except (ValueError, RuntimeError) as error:
            raise AudioError(file.path, "damaged", str(error).strip()) from error

    def decode() -> _Decoder:
        decoder = file.copy(pieces(), 4 * num_samples * num_channels).decoder()
        assert decoder is not None  # It was just written.
        return decoder

    return Source(file.path, *size, decode)


def _of_mpeg(
    file: _File,
    decoder: _Decoder | None,
    sound: containers.Sound | None = None,
    counts: bool = False,
) -> Source:
    """Measures MP3 and its kin, by its Xing header, or by following its frames."""
    start = sound.start if sound else file.start
    head = file.bytes_at(start, 200)
    if decoder and _can_trust_xing(file, decoder, start, head) and not counts:
        source = _source(file, decoder)
        source.second_look = lambda: _of_mpeg(file, decoder, sound, counts=True)
        source.slack_samples = _MPEG_SLACK_SAMPLES
        return source
    if not mpeg.frame_format(head):
        start = 10 if file.bytes_at(0, 3) == b"ID3" else 0  # A size may be wrong.
    if not mpeg.find(file.bytes_at(start, _MOST_JUNK_BYTES)):
        if decoder:
            return _as_it_is(file, decoder)
        raise AudioError(file.path, "not audio")
    num_bytes = sound.there if sound else file.size_bytes()
    data = file.bytes_at(start, min(num_bytes, _MOST_FRAMES_BYTES))
    stream = mpeg.follow(data)
    assert stream is not None
    if decoder and _fits(decoder, stream):
        count = decoder.frames if stream.xing else stream.num_samples
        source = _source(file, decoder, count)
    else:
        source = _mended_mpeg(file, data, stream)
    if stream.lacking:
        source.cut = f"{stream.lacking:,} frames that the header counts are not there"
        source.num_samples += stream.lacking * stream.format.frame_samples
    if stream.changes:
        source.cut = f"at {source.length_s:.2f} s the sample rate or channels change"
    if num_bytes > _MOST_FRAMES_BYTES:
        source.cut = f"only the first {_MOST_FRAMES_BYTES:,} bytes are read"
    source.slack_samples = _MPEG_SLACK_SAMPLES
    return source


def _can_trust_xing(file: _File, decoder: _Decoder, start: int, head: bytes) -> bool:
    """Tells whether frames end where the header says, and libsndfile sees the same."""
    form = mpeg.frame_format(head)
    xing = form and mpeg.read_xing(head, form)
    if not form or not xing or not mpeg.is_plausible(xing, form):
        return False
    added = xing.num_frames * form.frame_samples - decoder.frames
    has_format = (decoder.samplerate, decoder.channels) == form[2:4]
    behind = mpeg.behind_tags(file.bytes_at, start + xing.num_bytes)
    after = file.bytes_at(behind, 11)
    is_end = not (after + file.bytes_at(file.size_bytes() - 99, 99)).strip(b"\0")
    is_end = is_end or after in (b"", b"LYRICSBEGIN")
    return has_format and 0 <= added < _MOST_ADDED_SAMPLES and is_end


def _fits(decoder: _Decoder, stream: mpeg.Stream) -> bool:
    """Tells whether libsndfile reads all frames without help."""
    if (decoder.samplerate, decoder.channels) != stream.format[2:4]:
        return False
    if stream.xing and stream.xing.num_frames != stream.num_frames:
        return False
    enough = stream.xing or decoder.frames >= stream.num_samples
    return bool(enough) and len(stream.runs) == 1


def _mended_mpeg(file: _File, data: bytes, stream: mpeg.Stream) -> Source:
    """Gives libsndfile the frames alone."""
    pieces, extra_samples = mpeg.copied(data, stream)

    def decode() -> _Decoder:
        decoder = file.copy(pieces, len(data)).decoder()
        if decoder is None:
            raise AudioError(file.path, "damaged", "its frames cannot be decoded")
        return decoder

    _, _, rate_hz, num_channels, _ = stream.format
    source = Source(file.path, rate_hz, num_channels, stream.num_samples, decode)
    source.extra_samples, source.is_copy = extra_samples, True
    return source


def _of_chunks(
    file: _File, decoder: _Decoder | None, sound: containers.Sound
) -> Source | None:
    """Measures WAV and its kin: are as many bytes there as the header says?"""
    is_unknown = sound.declared < 0 < sound.there and not (decoder and decoder.frames)
    if sound.size and (is_unknown or (decoder is None and sound.share < 1)):
        decoder = file.patched(*sound.patch).decoder() or decoder
    if decoder is None:
        return _of_cut_chunks(file, sound) if sound.share < 1 else None
    source = _as_it_is(file, decoder)
    if sound.share < 1:
        source.cut = sound.lacking
        if decoder.format == "SDS":  # Its decoder makes up what is not there.
            source.readable = int(decoder.frames * sound.share)
        # ALAC has a table of its packets.
        elif sound.there and "ALAC" not in decoder.subtype:
            source.num_samples = round(decoder.frames / sound.share)
    return source


def _of_cut_chunks(file: _File, sound: containers.Sound) -> Source:
    """Lets PyAV read of a cut file what libsndfile does not."""
    lost = AudioError(file.path, "truncated", sound.lacking)
    kind = foreign.kind_of(file.bytes_at(file.start, 64))
    if kind is None:
        raise lost
    try:
        source = _of_foreign(file, kind)
    except AudioError as error:
        raise lost from error
    source.cut = sound.lacking
    return source


def _of_flac(file: _File, decoder: _Decoder) -> Source:
    """Measures FLAC: is its last frame where its header says, or do several follow?"""
    lengths = containers.flac_lengths(file.handle, file.start)
    declared, last, may_be_row = lengths or (0, 0, False)
    if may_be_row and (row := _in_a_row(file, containers.flac_links)):
        return row
    if not declared:
        return _source(file, decoder, last) if last else _as_it_is(file, decoder)
    source = _source(file, decoder, declared)
    said_s, there_s = declared / source.rate_hz, last / source.rate_hz
    if 0 < last < declared <= last + _FLAC_SLACK_SAMPLES:
        source.readable, source.slack_samples = last, _FLAC_SLACK_SAMPLES
    elif 0 < last < declared:
        source.cut = f"the frames end at {there_s:.2f} s of {said_s:.2f} s"
    elif last > declared:
        patch = containers.flac_patch(file.bytes_at(file.start, 42), last)
        better = file.patched(file.start + patch[0], patch[1]).decoder()
        if better:
            source = _source(file, better, last)
            source.note = f"its header says {said_s:.2f} s; {there_s:.2f} s are there"
    return source


def _of_ogg(file: _File, decoder: _Decoder) -> Source:
    """Measures Ogg: each stream where several follow."""
    _, may_be_chained = containers.ogg_end(file.handle)
    row = None
    if decoder.frames >= _UNKNOWN_SAMPLES or may_be_chained:
        row = _in_a_row(file, containers.ogg_links)
    source = row or _as_it_is(file, decoder)
    rate_hz = 48_000 if decoder.subtype == "OPUS" else 0
    _look_at_pages(file, source, rate_hz, row is not None)
    return source


def _look_at_pages(
    file: _File, source: Source, rate_hz: int = 0, is_chained: bool = False
) -> None:
    """Looks whether Ogg's last page is whole, and all that a clip is decoded from.

    `rate_hz` is that of the numbers in pages, where it is not the sound's.
    """
    look = partial(
        containers.ogg_damage, file.handle, file.start, rate_hz or source.rate_hz
    )
    whole = functools.cache(lambda: look(math.inf))
    # A decoder that has to find a place looks at any page on its way.
    source.damage = lambda first_s, end_s: (
        whole() if first_s or is_chained else look(end_s)
    )
    if containers.ogg_end(file.handle)[0]:
        source.cut = "the last Ogg page is cut"


def _in_a_row(
    file: _File, find: Callable[[io.FileIO, int], list[containers.Link]]
) -> Source | None:
    """Streams in a row, as radio stations send them, become one; None for a single."""
    links = find(file.handle, file.start)
    if len(links) < 2:
        return None
    with _opened(file, links[0]) as part:
        kind = part.rate_hz, part.num_channels
    ends, cut = [0], ""
    for number, link in enumerate(links, start=1):
        length, why = _measured(file, link, kind)
        if why:
            place = f"at {ends[-1] / kind[0]:.2f} s"
            cut = f"stream {number} of {len(links)}, {place}: {why}"
        ends.append(ends[-1] + length)
        if cut:
            break
    row = _Row(file, links, ends)
    source = Source(file.path, *kind, ends[-1], lambda: row)
    source.is_copy, source.cut = True, cut
    return source


def _measured(
    file: _File, link: containers.Link, kind: tuple[int, int]
) -> tuple[int, str]:
    """Counts the samples of one stream of several, and says why others are lost."""
    try:
        with _opened(file, link) as part:
            if (part.rate_hz, part.num_channels) == kind:
                return part.num_samples, part.cut
            return 0, "another sample rate or number of channels"
    except AudioError as error:
        return 0, error.explanation


class _Row:
    """Decodes streams in a row as one; a radio's hundreds must not be open at once."""

    def __init__(
        self, file: _File, links: Sequence[containers.Link], ends: Sequence[int]
    ) -> None:
        """Streams end at `ends`, in samples, behind a 0 where the first begins."""
        self._file, self._links, self._ends = file, links, ends
        self.frames, self._at = ends[-1], 0
        self._open: tuple[int, Source] | None = None
        self._stack = file.stack.enter_context(contextlib.ExitStack())

    def seek(self, at: int) -> None:
        self._at = at

    def read(self, count: int, dtype: str, always_2d: bool) -> np.ndarray:
        """Decodes `[samples, channels]`; streams give floats in two dimensions."""
        assert dtype == "float32" and always_2d
        first, self._at = self._at, self._at + count
        parts = []
        for number, (begin, end) in enumerate(itertools.pairwise(self._ends)):
            start, stop = max(first, begin), min(self._at, end)
            if start < stop:
                parts.append(self._stream(number).read(start - begin, stop - start))
        return np.concatenate(parts)

    def _stream(self, number: int) -> Source:
        if self._open is None or self._open[0] != number:
            self._stack.close()
            opened = _opened(self._file, self._links[number])
            self._open = number, self._stack.enter_context(opened)
        return self._open[1]


@contextlib.contextmanager
def _opened(file: _File, link: containers.Link) -> Iterator[Source]:
    """Opens a stream of several, whatever it is."""
    begin, end = link
    with contextlib.ExitStack() as stack:
        pieces = handles.pieces(file.handle, begin, end)
        copy = handles.copy_of(file.path, pieces, end - begin)
        yield _examine(_File(file.path, stack.enter_context(copy), stack))


def _of_foreign(file: _File, kind: foreign.Kind) -> Source:
    """Measures what PyAV decodes."""
    if not foreign.IS_INSTALLED:
        raise AudioError(file.path, "no decoder", f"{kind.name}; {foreign.INSTALL}")
    try:
        stream = foreign.open_stream(file.handle, file.start, kind)
    except ValueError as error:
        raise AudioError(file.path, "damaged", str(error)) from error
    if stream is None:
        detail = f"{kind.name}, which PyAV does not read either"
        raise AudioError(file.path, "no decoder", detail)

    def blocks() -> Iterator[np.ndarray]:
        count = 0
        try:
            for block in stream.blocks():
                yield block
                count += len(block)
        except ValueError as error:
            if not count:
                raise
            # What fails behind all that was promised is a tag or other junk.
            if count + foreign.SLACK_SAMPLES < (stream.promised or math.inf):
                place = f"at {count / stream.rate_hz:.2f} s: {error}"
                source.cut = source.cut or place
        if not source.cut:
            source.num_samples = source.readable = count

    source = _unrolled(file, stream[:3], blocks())
    source.slack_samples, source.cut = foreign.SLACK_SAMPLES, stream.cut
    if kind.demuxer == "ogg":
        _look_at_pages(file, source)
    return source
