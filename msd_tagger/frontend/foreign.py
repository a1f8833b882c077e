"""Formats that libsndfile does not read and PyAV, where it is installed, does."""

import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata, util
from typing import Any, NamedTuple

import numpy as np

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
    (0, b"RIFF", "a codec in WAV", "wav"),
    (0, b"FORM", "a codec in AIFF", "aiff"),
    (0, b"caff", "a codec in CAF", "caf"),
    (0, b"OggS", "a codec in Ogg", "ogg"),
)
_MAY_BE_ANYTHING = ("wav", "aiff", "caf", "ogg")  # A picture, say.
SUFFIXES = (
    *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ape", ".wv", ".tta", ".mpc", ".tak"),
    *(".dsf", ".amr", ".ra", ".rm", ".ac3", ".mka", ".webm", ".3gp", ".mov", ".alac"),
)
NEVER_READ = (".m4p", ".aax", ".mid", ".midi", ".kar")  # Locked, or without sound.
INSTALL = 'PyAV reads it: pip install -e ".[m4a]", or pip install av'
IS_INSTALLED = util.find_spec("av") is not None
VERSION = f"PyAV {metadata.version('av')}" if IS_INSTALLED else "no PyAV"
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
    num_samples: int  # As its packets have it, or its header where that says more.
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


def open_stream(handle: io.FileIO, kind: Kind) -> Stream | None:
    """Finds the first sound of a file; None where PyAV cannot read it.

    Raises:
        ValueError: It is damaged.
    """
    import av

    try:
        with _container(handle, kind) as container:
            frame = next(container.decode(audio=0), None)
            stream = container.streams.audio[0]
            if frame is None:
                return None
            rate_hz, num_channels = frame.sample_rate, frame.layout.nb_channels
            said_s = _said_s(container, stream)
        with _container(handle, kind) as container:
            there_s = _length_s(container)
    except (av.FFmpegError, IndexError, ValueError) as error:
        is_damage = isinstance(error, (av.InvalidDataError, av.error.EOFError))
        if is_damage and kind.demuxer not in _MAY_BE_ANYTHING:
            raise ValueError(str(error)) from error
        return None
    num_samples = round(max(said_s, there_s) * rate_hz)

    def blocks() -> Iterator[np.ndarray]:
        return _blocks(handle, kind, rate_hz, num_samples + round(_AHEAD_S * rate_hz))

    return Stream(rate_hz, num_channels, num_samples, blocks)


def _container(handle: io.FileIO, kind: Kind) -> Any:
    import av

    handle.seek(0)
    return av.open(handle, "r", format=kind.demuxer, metadata_errors="ignore")


def _said_s(container: Any, stream: Any) -> float:
    """How long a sound is by its header; 0 where it does not say so.

    Matroska says how long the file is: as long as its sound, if that is all but for a
    picture of its cover. FFmpeg guesses the same of other formats, from what is there.
    """
    import av

    if stream.duration:
        return float(stream.duration * stream.time_base)
    cover = av.stream.Disposition.attached_pic
    has_video = any(not one.disposition & cover for one in container.streams.video)
    is_alone = len(container.streams.audio) == 1 and not has_video
    if "matroska" in container.format.name and is_alone:
        return float((container.duration or 0) / av.time_base)
    return 0.0


def _length_s(container: Any) -> float:
    """Adds up the packets, which are read and not decoded."""
    stream, ticks = container.streams.audio[0], 0
    for packet in container.demux(stream):
        ticks += packet.duration or 0
    return float(ticks * stream.time_base)


def _blocks(
    handle: io.FileIO, kind: Kind, rate_hz: int, most_samples: int
) -> Iterator[np.ndarray]:
    """Decodes a file.

    Raises:
        ValueError: It is damaged.
    """
    import av

    with _container(handle, kind) as container:
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
            raise ValueError(str(error)) from error
