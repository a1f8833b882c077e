"""Section IV-B's reasons for mel: time per clip, and the widths of bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import ABSENT, Table, percent
from studies.records import RunRecord

# Slaney's mel scale (the paper's [37], librosa's default): linear below 1 kHz, 200/3 Hz
# a mel, then a factor of 6.4 in 27 mel.
HZ_PER_MEL = 200 / 3
BREAK_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27

# From a share of the training clips to milliseconds per clip and seed, mel and STFT.
Times = dict[float, tuple[float, float]]


def times_per_clip(curves: Mapping[str, Mapping[float, RunRecord]]) -> Times:
    """Time of a training clip and seed in ms, where both were timed alike.

    Points on different devices, or with other numbers of seeds or batch sizes, are no
    comparison and left out.
    """
    mel, stft = curves.get("mel", {}), curves.get("stft", {})
    return {
        share: (_time_ms(mel[share]), _time_ms(stft[share]))
        for share in mel
        if share in stft
        and _circumstances(mel[share]) == _circumstances(stft[share])
        and mel[share].summary.get("clips_per_s")
        and stft[share].summary.get("clips_per_s")
    }


def sentences(times: Times) -> list[str]:
    """What a clip costs as mel and as STFT."""
    if not times:
        return ["Mel and STFT were not timed under the same circumstances."]
    mel, stft = np.median(list(times.values()), axis=0)
    ratio = np.median([stft / mel for mel, stft in times.values()])
    return [
        f"Training takes {mel:.3g} ms per clip and seed with mel and {stft:.3g} ms "
        f"with STFT (medians of {len(times)} sizes; compilation and evaluation aside), "
        f"{ratio:.2f} times as long."
    ]


def tables(
    curves: Mapping[str, Mapping[float, RunRecord]], times: Times
) -> list[Table]:
    """Times by size, and the widths of bins."""
    rows = [
        [f"{percent(share)}", f"{mel:.3g}", f"{stft:.3g}", f"{stft / mel:.2f}"]
        for share, (mel, stft) in times.items()
    ]
    header = ("training clips", "mel [ms]", "STFT [ms]", "STFT / mel")
    timed = (
        [Table.of_rows("Training time per clip and seed.", header, rows)]
        if rows
        else []
    )
    some = next(iter(next(iter(curves.values())).values()))
    return [*timed, _width_table(some.config["spectrogram"])]


def stft_width_hz(sample_rate_hz: float, dft_size_samples: int) -> float:
    """Width of a bin as the paper counts it: half the rate over the number of bins.

    >>> round(stft_width_hz(12_000, 512), 1), round(stft_width_hz(12_000, 256), 1)
    (23.3, 46.5)
    """
    return sample_rate_hz / 2 / (dft_size_samples // 2 + 1)


def mel_width_hz(sample_rate_hz: float, num_mel_bands: int) -> float:
    """Distance of neighbouring mel bands' centres below 1 kHz.

    >>> round(mel_width_hz(12_000, 96), 1)
    28.2
    """
    return float(_mel(sample_rate_hz / 2) / (num_mel_bands + 1) * HZ_PER_MEL)


def _mel(frequency_hz: float) -> float:
    if frequency_hz < BREAK_HZ:
        return frequency_hz / HZ_PER_MEL
    return BREAK_HZ / HZ_PER_MEL + np.log(frequency_hz / BREAK_HZ) / LOG_STEP


def _width_table(spectrogram: Mapping[str, Any]) -> Table:
    """IV-B's widths beside those of the settings."""
    rate, size = spectrogram["sample_rate_hz"], spectrogram["dft_size_samples"]
    bands = spectrogram["num_mel_bands"]
    widths = {
        "stft of 256": stft_width_hz(12_000, 256),
        "stft": stft_width_hz(rate, size),
        "mel": mel_width_hz(rate, bands),
    }
    names = {
        "stft of 256": "STFT of the paper's [1]: 256-point DFT, 12 kHz",
        "stft": f"STFT: {size}-point DFT, {rate / 1000:g} kHz",
        "mel": f"mel below 1 kHz: {bands} bands, {rate / 1000:g} kHz",
    }
    rows = [
        [name, f"{paper.BIN_WIDTH_HZ[key]}", f"{widths[key]:.1f}"]
        for key, name in names.items()
    ]
    caption = (
        "Widths of bins. The paper's 35.9 Hz is the distance of 96 mel frequencies "
        "spread up to 12 kHz; with bands up to half the sampling rate of 12 kHz the "
        f"distance of their centres is {mel_width_hz(12_000, 96):.1f} Hz, so mel is "
        "finer there than the paper says."
    )
    return Table.of_rows(caption, ("", "paper [Hz]", "here [Hz]"), rows)


def _time_ms(point: RunRecord) -> float:
    rate = point.summary["clips_per_s"] * int(point.summary["num_seeds"])
    return 1000 / rate


def _circumstances(point: RunRecord) -> tuple:
    """What changes a time besides the input."""
    device = point.environment.get("device", point.environment.get("devices", ABSENT))
    size = point.summary.get("batch_size")
    return str(device), int(point.summary["num_seeds"]), size
