"""What a visitor of the page may ask for."""

from typing import NamedTuple


class Limits(NamedTuple):
    """What a visitor may ask for."""

    upload_bytes: int = 200_000_000  # 19 minutes of stereo WAV at 44.1 kHz.
    duration_s: float = 3600.0
    # At a time, uploads included; one is tagged while the others wait.
    songs: int = 5
    upload_s: float = 300.0  # How long an upload may take.
