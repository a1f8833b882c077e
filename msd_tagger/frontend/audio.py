"""Audio files to clips: decode, average the channels, resample, cut.

Preparation, tagging and the tests all go through these functions, so that a network
hears the same numbers everywhere.
"""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from msd_tagger.frontend.recipe import Recipe

# Reasons for which a file is left out, as they appear in the ledger.
REASONS = {
    "missing": "no file at this path",
    "unreadable": "a folder, a device, or no permission to read",
    "empty": "a file of 0 bytes",
    "not audio": "no decoder recognises it",
    "damaged": "the decoder gives up in the middle",
    "truncated": "the audio ends before its header says so",
    "past the end": "start_s lies behind the last sample",
    "not finite": "NaN or infinite values, or samples beyond a million",
    "too many values": "more than 16 channels of 192 kHz would be",
    "silent": "no sample of the clip reaches -80 dB of full scale",
    "not a spectrogram": "no array of numbers in NumPy's format, or a cut one",
    "wrong spectrogram": "its shape or values are not those of the recipe",
}
SILENCE_PEAK = 1e-4  # -80 dB of full scale
LOUDEST_PEAK = 1e6  # Of full scale: a power of more overflows what is stored.
MOST_VALUES_PER_S = 16 * 192_000  # Of all channels, which bounds the memory.

# Codecs that carry state (MP3's bit reservoir, Opus) are exact again 3,000 samples
# behind a seek, and soxr's filter rings for fewer: half a second is ample.
_MARGIN_S = 0.5
# Behind the clip only the filter counts, 120 samples of the lower of the two rates.
# With ten times that the clip is, bit for bit, what more would give.
_TAIL_SAMPLES = 1200
# The length of an MP3 without a Xing header is an estimate, 0.14 s too long for 30 s.
_LENGTH_TOLERANCE_S = 0.5


class AudioError(ValueError):
    """A file that cannot become a spectrogram, for one of `REASONS`."""

    def __init__(self, path: os.PathLike | str, reason: str, detail: str = "") -> None:
        self.path, self.reason, self.detail = Path(path), reason, detail
        super().__init__(path, reason, detail)

    def __str__(self) -> str:
        """Says path, reason, what the reason means, and the detail."""
        return f"{self.path}: {self.explanation}"

    @property
    def explanation(self) -> str:
        """All but the path."""
        text = f"{self.reason} ({REASONS[self.reason]})"
        return f"{text}: {self.detail}" if self.detail else text


class Source(NamedTuple):
    """An opened audio file."""

    path: os.PathLike | str  # As it was given.
    handle: io.FileIO  # The file.
    file: soundfile.SoundFile  # Its decoder.

    @property
    def length_s(self) -> float:
        """What the header says; an estimate for an MP3 without a Xing header."""
        return self.file.frames / self.file.samplerate


@contextlib.contextmanager
def open_audio(path: os.PathLike | str) -> Iterator[Source]:
    """Opens a file to read clips from it.

    Raises:
        AudioError: "missing", "unreadable", "empty" or "not audio".
    """
    with open_file(path) as handle, _sound_file(path, handle) as file:
        yield Source(path, handle, file)


def read_clip(
    path: os.PathLike | str, recipe: Recipe, start_s: float | None = None
) -> np.ndarray:
    """Reads one clip as the network hears it.

    Only the seconds that the clip needs are decoded. What cannot be noticed: an MP3 of
    constant bit rate without a Xing or Info header that was cut (its length is then
    estimated from the size of the file), an MP3 of variable bit rate without one (the
    estimate may be too short, and decoding stops there), and damage that a decoder
    conceals.

    Args:
        path: MP3, Ogg Vorbis, Opus, FLAC, WAV or AIFF; any rate, any channels.
        recipe: Sample rate, duration and offset of the clip.
        start_s: Where the clip starts; overrides `recipe.offset`.

    Returns:
        float32 `[T]` at `recipe.sample_rate_hz`; channels averaged, padded with zeros
        at the end where the file is short.

    Raises:
        AudioError: With one of `REASONS`.
    """
    with open_audio(path) as source:
        return clip_of(source, recipe, start_s)


def clip_of(source: Source, recipe: Recipe, start_s: float | None = None) -> np.ndarray:
    """Reads a clip of an opened file: seeking on is fast, opening it again is not.

    Each clip seeks back into its margin, also where it follows the one before: between
    two reads soundfile asks for the position, and an MP3 decoder then loses a frame.
    """
    path = source.path
    samples, rate_hz, lead_s = _decode(source, recipe, start_s)
    num_channels = samples.shape[1]
    # A matrix product: NumPy's mean over a last axis of two is 30 times slower.
    weights = np.full(num_channels, 1 / num_channels, np.float32)
    mono = samples[:, 0] if num_channels == 1 else samples @ weights
    if not np.isfinite(mono).all():
        raise AudioError(path, "not finite")
    if rate_hz != recipe.sample_rate_hz:
        mono = soxr.resample(mono, rate_hz, recipe.sample_rate_hz, quality="HQ")
    clip = fit(mono[round(lead_s * recipe.sample_rate_hz) :], recipe.num_samples)
    peak = np.abs(clip).max()
    if peak > LOUDEST_PEAK:
        raise AudioError(path, "not finite", f"peak {peak:.1e}")
    if peak < SILENCE_PEAK:
        raise AudioError(path, "silent", f"peak {peak:.1e}")
    return clip


def start_s(
    path: os.PathLike | str, recipe: Recipe, given_s: float | None = None
) -> float:
    """Returns where a clip starts in its file, in seconds."""
    with open_audio(path) as source:
        return _start_s(source, recipe, given_s)


def fit(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """Trims at the end, or pads it with zeros: `[any]` -> `[num_samples]`.

    >>> fit(np.array([1.0, 2.0, 3.0]), 2), fit(np.array([1.0]), 2)
    (array([1., 2.]), array([1., 0.]))
    """
    if len(samples) >= num_samples:
        return samples[:num_samples]
    return np.pad(samples, (0, num_samples - len(samples)))


def _decode(
    source: Source, recipe: Recipe, start_s: float | None
) -> tuple[np.ndarray, int, float]:
    """Decodes the clip and a margin around it.

    Returns:
        float32 [samples, channels], their rate in Hz, and the seconds before the clip.
    """
    path, handle, file = source
    rate_hz = file.samplerate
    if rate_hz * file.channels > MOST_VALUES_PER_S:
        detail = f"{file.channels} channels of {rate_hz} Hz"
        raise AudioError(path, "too many values", detail)
    start_s = _start_s(source, recipe, start_s)
    lead_s = min(start_s, _MARGIN_S)
    tail_s = _TAIL_SAMPLES / min(rate_hz, recipe.sample_rate_hz)
    wanted = round((lead_s + recipe.duration_s + tail_s) * rate_hz)
    try:
        file.seek(round((start_s - lead_s) * rate_hz))
        samples = file.read(wanted, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        # A decoder that fails at the very end of the file ran out of bytes.
        at_end = handle.tell() >= os.fstat(handle.fileno()).st_size
        reason = "truncated" if at_end else "damaged"
        raise AudioError(path, reason, str(error).strip()) from error
    needed = round((lead_s + recipe.duration_s) * rate_hz)
    if len(samples) < needed:
        _check_not_truncated(path, file, start_s - lead_s, len(samples))
    return samples, rate_hz, lead_s


def open_file(path: os.PathLike | str) -> io.FileIO:
    """Opens a regular, non-empty file: libsndfile calls all else "unknown error"."""
    try:
        handle = io.FileIO(path, opener=_open_without_waiting)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(path, "missing") from error
    except (OSError, ValueError) as error:
        raise AudioError(path, "unreadable", str(error)) from error
    status = os.fstat(handle.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        handle.close()
        reason = "empty" if stat.S_ISREG(status.st_mode) else "unreadable"
        raise AudioError(path, reason)
    return handle


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a named pipe at once, where the plain call would block for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _sound_file(path: os.PathLike | str, handle: io.FileIO) -> soundfile.SoundFile:
    """Opens by descriptor: by name, soundfile would trust the extension .raw."""
    try:
        return soundfile.SoundFile(handle.fileno(), closefd=False)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise AudioError(path, "not audio") from error


def _start_s(source: Source, recipe: Recipe, start_s: float | None) -> float:
    length_s = source.length_s
    if start_s is None:
        spare_s = max(0.0, length_s - recipe.duration_s)
        return 0.0 if recipe.offset == "start" else spare_s / 2
    if start_s >= length_s > 0:
        detail = f"start_s {start_s}, length {length_s:.2f} s"
        raise AudioError(source.path, "past the end", detail)
    return start_s


def _check_not_truncated(
    path: os.PathLike | str, file: soundfile.SoundFile, start_s: float, num_read: int
) -> None:
    """Tells a file that is short from one that was cut.

    MP3 (with a Xing header) and FLAC declare a length and decode to less. A cut WAV or
    AIFF is shorter than its header says, a cut Ogg stream lacks the flag of its last
    page; libsndfile mends both silently.
    """
    length_s = file.frames / file.samplerate
    missing_s = length_s - start_s - num_read / file.samplerate
    if num_read == 0 or missing_s > _LENGTH_TOLERANCE_S:
        found_s = start_s + num_read / file.samplerate
        detail = f"{found_s:.2f} s of {length_s:.2f} s decoded"
        raise AudioError(path, "truncated", detail)
    if file.format in ("WAV", "WAVEX", "AIFF") and _shorter_than_header(path):
        raise AudioError(path, "truncated", "the file is shorter than its header says")
    if file.format == "OGG" and not _has_last_page(path):
        raise AudioError(path, "truncated", "the last Ogg page is missing")


def _shorter_than_header(path: os.PathLike | str) -> bool:
    """Compares the size in a RIFF or FORM header with the file's."""
    with Path(path).open("rb") as file:
        header = file.read(8)
        size_bytes = file.seek(0, os.SEEK_END)
    is_big_endian = header[:4] in (b"FORM", b"RIFX")
    declared_bytes = int.from_bytes(header[4:8], "big" if is_big_endian else "little")
    # Programs that write into a pipe leave a placeholder of about 2 or 4 GiB.
    return size_bytes < 8 + declared_bytes < 2**31 - 2**16


def _has_last_page(path: os.PathLike | str) -> bool:
    """Looks for the end-of-stream flag (RFC 3533, section 6) in the last Ogg page."""
    with Path(path).open("rb") as file:
        # A page has at most 65,307 bytes.
        file.seek(max(0, file.seek(0, os.SEEK_END) - 65_307))
        tail = file.read()
    page = tail.rfind(b"OggS")
    return page >= 0 and len(tail) > page + 5 and bool(tail[page + 5] & 4)
