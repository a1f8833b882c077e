"""What a visitor of the page may ask for."""

from typing import NamedTuple


class Limits(NamedTuple):
    """What a visitor may ask for."""

    duration_s: float  # Of a song.
    samples: int  # Of a song, of all its channels.
    decode_s: float  # How long decoding may take.
    upload_bytes: int = 200_000_000  # 19 minutes of stereo WAV at 44.1 kHz.
    upload_s: float = 300.0  # How long an upload may take,
    pause_s: float = 10.0  # and pause,
    upload_bytes_per_s: int = 20_000  # and how fast it must be, after a first pause.
    songs: int = 5  # At a time, uploads included.
