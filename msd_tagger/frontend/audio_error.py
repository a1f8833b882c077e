"""Why a file cannot become a spectrogram."""

import os
from pathlib import Path

# Reasons for which a file is left out, as they appear in the ledger.
REASONS = {
    "missing": "no file at this path",
    "unreadable": "a folder, device or idle pipe; no permission, failing disk, no room",
    "empty": "no samples: a file of 0 bytes, or nothing behind its header",
    "not audio": "no decoder recognises it",
    "no decoder": "a format that libsndfile does not read",
    "damaged": "the decoder gives up in the middle",
    "truncated": "the audio ends before its header says so",
    "past the end": "start_s lies behind the last sample",
    "not finite": "NaN or infinite values, or samples beyond a million",
    "too many values": "more than 16 channels of 192 kHz would be",
    "silent": "no sample of the clip reaches -80 dB of full scale",
    "not a spectrogram": "no array of numbers in NumPy's format, or a cut one",
    "wrong spectrogram": "its shape or values are not those of the recipe",
}


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
