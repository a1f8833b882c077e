"""Formats that libsndfile does not read and PyAV, where it is installed, does."""

import contextlib
import io
import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata, util
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.frontend import mpeg

# Where a file has which bytes: what it is, and FFmpeg's name of what reads it. The name
# is given to FFmpeg: left to guess, it would take text for a list of addresses to load.
_KINDS = (
    (4, b"ftyp", "MPEG-4 (.m4a, .mp4: AAC or ALAC)", "mov"),
    (0, b"\xff\xf1", "AAC", "aac"),
    (0, b"\xff\xf9", "AAC", "aac"),
    (0, b"\xff\xf0", "AAC", "aac"),
    (0, b"\xff\xf8", "AAC", "aac"),
    (0, b"ADIF", "AAC", "aac"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (.wma)", "asf"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM", "matroska"),
    (0, b"MAC ", "Monkey's Audio (.ape)", "ape"),
    (0, b"wvpk", "WavPack (.wv)", "wv"),
    (0, b"TTA1", "True Audio (.tta)", "tta"),
    (0, b"MPCK", "Musepack (.mpc)", "mpc8"),
    (0, b"MP+", "Musepack (.mpc)", "mpc"),
    (0, b"tBaK", "TAK", "tak"),
    (0, b"DSD ", "DSD (.dsf)", "dsf"),
    (0, b"#!AMR", "AMR", "amr"),
    (0, b".RMF", "RealAudio", "rm"),
    (0, b"\x0b\x77", "AC-3", "ac3"),
    (0, b"FLV\x01", "Flash video", "flv"),
    # What libsndfile does not take of its own formats.
    (8, b"WAVE", "a codec in WAV", "wav"),
    (0, b"RIFF", "RIFF that is not WAV, as of videos and pictures", "avi"),
    (0, b"BW64", "BW64", "wav"),
    (0, b"FORM", "a codec in AIFF", "aiff"),
    (0, b"caff", "a codec in CAF", "caf"),
    (0, b"OggS", "a codec in Ogg", "ogg"),
    (0, b"Creative Voice", "Creative Voice (.voc) in several blocks or packed", "voc"),
)
_MAY_BE_ANYTHING = ("wav", "avi", "aiff", "caf", "ogg")  # A picture, say.
SUFFIXES = (
    *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ape", ".wv", ".tta", ".mpc", ".tak"),
    *(".dsf", ".amr", ".ra", ".rm", ".ac3", ".mka", ".webm", ".3gp", ".mov", ".alac"),
)
NEVER_READ = (".m4p", ".aax", ".mid", ".midi", ".kar")  # Locked, or without sound.
INSTALL = 'PyAV reads it: pip install -e ".[m4a]", or pip install av'
IS_INSTALLED = util.find_spec("av") is not None
VERSION = f"PyAV {metadata.version('av')}" if IS_INSTALLED else "no PyAV"
SLACK_SAMPLES = 2400  # Of what a header says so many may be missing.
_GAP_PACKETS = 4  # A packet that lasts as long as so many usual ones hides a gap.
_AHEAD_S = 60.0  # More than a header promises is decoded, but not without end.


logger = logging.getLogger(__name__)


class Kind(NamedTuple):
    """What a file is."""

    name: str
    demuxer: str


class Stream(NamedTuple):
    """The first sound in a file."""

    rate_hz: int
    num_channels: int
    num_samples: int  # Nearly; decoders drop or add some at both ends.
    promised: int  # Samples that must be there by the header; 0 where it does not say.
    cut: str  # What is missing of them, in words.
    blocks: Callable[[], Iterator[np.ndarray]]  # Decodes it: float32 [samples, C].


def kind_of(head: bytes) -> Kind | None:
    """Recognises a file by its first bytes.

    >>> kind_of(b"wvpk")
    Kind(name='WavPack (.wv)', demuxer='wv')
    """
    for at, magic, name, demuxer in _KINDS:
        if head[at : at + len(magic)] == magic:
            return Kind(name, demuxer)
    return None


def warn_of_missing(paths: Iterable[os.PathLike[str]]) -> None:
    """Says in one line how many files cannot be read, by their endings."""
    suffixes = (os.path.splitext(path)[1].lower() for path in paths)  # noqa: PTH122
    counts = Counter(one for one in suffixes if one in SUFFIXES)
    if counts and not IS_INSTALLED:
        logger.warning("no decoder for %s (%s)", in_words(counts), INSTALL)


def in_words(counts: Counter[str]) -> str:
    """Names endings with their numbers.

    >>> in_words(Counter([".m4a", ".wma", ".m4a"]))
    '2 .m4a, 1 .wma'
    """
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def open_stream(handle: io.FileIO, start: int, kind: Kind) -> Stream | None:
    """Finds the first sound of a file; None where PyAV cannot read it.

    The format begins at `start`, behind tags.

    Raises:
        ValueError: It is damaged.
    """
    import av

    part = _Part(handle, start)
    try:
        return _opened(part, kind)
    except (av.InvalidDataError, av.error.EOFError) as error:
        if kind.demuxer in _MAY_BE_ANYTHING:
            return None
        raise ValueError(error.strerror) from error
    except (av.FFmpegError, IndexError, ValueError):
        return None


class _Part:
    """What FFmpeg reads of a file: neither the tags around the sound, nor its size.

    FFmpeg takes tags for damaged sound, and guesses lengths from sizes. Damaged files
    make it seek to places that no disk has; PyAV would print what that raises.
    """

    def __init__(self, handle: io.FileIO, start: int) -> None:
        self._number, self._start, self._at = handle.fileno(), start, 0
        size = os.fstat(self._number).st_size
        self._end = mpeg.before_tags(
            lambda at, count: os.pread(self._number, count, at), start, size
        )

    def read(self, count: int) -> bytes:
        at = self._start + self._at
        count = min(count, self._end - at)
        found = os.pread(self._number, count, at) if count > 0 else b""
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + (self._at if whence == os.SEEK_CUR else 0)
        if at < 0 or whence == os.SEEK_END:
            return -1
        self._at = at
        return at

    def tell(self) -> int:
        return self._at


def _opened(part: _Part, kind: Kind) -> Stream | None:
    with _container(part, kind) as container:
        frame = next(container.decode(audio=0), None)
        if frame is None:
            return None
        rate_hz, num_channels = frame.sample_rate, frame.layout.nb_channels
        said_end_s = _said_end_s(container, container.streams.audio[0])
    with _container(part, kind) as container:
        begin_s, end_s, is_even = _times(container)
    num_samples = round((end_s - begin_s) * rate_hz)
    if not is_even:
        num_samples = _count(_blocks(part, kind, rate_hz))
        end_s = max(end_s, begin_s + num_samples / rate_hz)
    promised, cut = max(0, round((said_end_s - begin_s) * rate_hz)), ""
    if promised and (said_end_s - end_s) * rate_hz > SLACK_SAMPLES:
        lengths_s = end_s - begin_s, said_end_s - begin_s
        cut = "its packets end at {:.2f} s of {:.2f} s".format(*lengths_s)
        num_samples = promised

    def blocks() -> Iterator[np.ndarray]:
        most_samples = num_samples + round(_AHEAD_S * rate_hz)
        return _blocks(part, kind, rate_hz, most_samples)

    return Stream(rate_hz, num_channels, num_samples, promised, cut, blocks)


def _container(part: _Part, kind: Kind) -> Any:
    import av

    part.seek(0)
    return av.open(part, "r", format=kind.demuxer, metadata_errors="ignore")


def _said_end_s(container: Any, stream: Any) -> float:
    """Reads from the header when a sound ends; 0 where it does not say so.

    Matroska says when all of the file ends: as its sound does, if that is all but for a
    picture of its cover.
    """
    import av

    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    cover = av.stream.Disposition.attached_pic
    has_video = any(not one.disposition & cover for one in container.streams.video)
    is_alone = len(container.streams.audio) == 1 and not has_video
    if "matroska" in container.format.name and is_alone:
        return float((container.duration or 0) / av.time_base)
    return 0.0


def _times(container: Any) -> tuple[float, float, bool]:
    """Finds when a sound's packets begin and end, and whether they are its length.

    They are not where they leave gaps (Opus is silent so), or do not say when they are.
    """
    tick_s = float(container.streams.audio[0].time_base)
    packets = np.fromiter(_packets(container), np.dtype((float, 2)))
    times, steps = packets[:, 0], np.diff(packets[:, 0])
    if len(steps) == 0 or not (steps > 0).all():
        return 0.0, 0.0, False
    usual = np.median(steps)
    end = times[-1] + (packets[-1, 1] or usual)  # Some have no durations.
    is_even = bool(steps.max() < _GAP_PACKETS * usual)
    return float(times[0] * tick_s), float(end * tick_s), is_even


def _packets(container: Any) -> Iterator[tuple[float, float]]:
    """Gives times and durations of packets, in ticks; they are read and not decoded.

    Where one is damaged they end: to decode the sound will show what that means.
    """
    import av

    try:
        for packet in container.demux(container.streams.audio[0]):
            if packet.size:
                has_time = packet.pts is not None
                yield packet.pts if has_time else math.nan, packet.duration or 0
    except av.FFmpegError:
        return


def _count(blocks: Iterator[np.ndarray]) -> int:
    """Counts samples by decoding them, up to where that fails."""
    num_samples = 0
    with contextlib.suppress(ValueError):
        for block in blocks:
            num_samples += len(block)
    return num_samples


def _blocks(
    part: _Part, kind: Kind, rate_hz: int, most_samples: float = math.inf
) -> Iterator[np.ndarray]:
    """Decodes a file.

    Raises:
        ValueError: It is damaged.
    """
    import av

    with _container(part, kind) as container:
        resampler = None
        try:
            for frame in container.decode(audio=0):
                # To interleaved float32, without another rate or number of channels.
                resampler = resampler or av.AudioResampler("flt", frame.layout, rate_hz)
                for one in resampler.resample(frame):
                    block = one.to_ndarray().reshape(-1, one.layout.nb_channels)
                    yield block
                    most_samples -= len(block)
                if most_samples < 0:
                    return
        except av.FFmpegError as error:
            raise ValueError(error.strerror) from error
