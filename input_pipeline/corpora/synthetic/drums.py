"""Drum sounds: sine sweeps and noise."""

import numpy as np

from input_pipeline.corpora.synthetic.oscillators import (
    SAMPLE_RATE_HZ,
    difference,
    time_axis_s,
    white_noise,
)


def drum(
    name: str, electronic: bool, gated: bool, random: np.random.Generator
) -> np.ndarray:
    """Strikes a drum, perhaps a drum machine's, perhaps with the eighties' gate.

    The names are "kick", "snare", "brush", "clap", "closed hat", "ride", "crash",
    "tambourine" and "tom 0" to "tom 3".

    Returns:
        float32 `[T]`, half a second (crash: 0.9).
    """
    num_samples = int(SAMPLE_RATE_HZ * (0.9 if name == "crash" else 0.5))
    time_s, noise = time_axis_s(num_samples), white_noise(num_samples, random)
    if name == "kick":
        return _kick(time_s, noise, electronic)
    if name == "snare":
        return _snare(time_s, noise, electronic, gated)
    if name == "clap":
        return _clap(time_s, difference(noise))
    if name.startswith("tom"):
        return _tom(time_s, int(name[-1]))
    return _cymbal(name, time_s, difference(noise))


def _decay(time_s: np.ndarray, constant_s: float) -> np.ndarray:
    return np.exp(time_s * np.float32(-1 / constant_s))


def _kick(time_s: np.ndarray, noise: np.ndarray, electronic: bool) -> np.ndarray:
    """Makes a sine that falls to 48 Hz; longer and from higher up on a machine."""
    sweep, length_s = (3.2, 0.28) if electronic else (1.6, 0.09)
    turns = 48 * time_s + sweep * (1 - _decay(time_s, 0.03))
    body = np.sin(2 * np.pi * turns) * _decay(time_s, length_s)
    return 1.4 * body + 0.35 * noise * _decay(time_s, 0.004)


def _snare(
    time_s: np.ndarray, noise: np.ndarray, electronic: bool, gated: bool
) -> np.ndarray:
    """Makes a drum at 190 Hz under noise, which the eighties hold and cut."""
    rattle = difference(noise) if electronic else noise
    shape = _decay(time_s, 0.26 if gated else 0.16)
    if gated:
        shape = shape * (time_s < 0.22)
    body = np.sin(2 * np.pi * 190 * time_s) * _decay(time_s, 0.05)
    return 0.5 * body + 0.8 * rattle * shape


def _clap(time_s: np.ndarray, hiss: np.ndarray) -> np.ndarray:
    """Makes three bursts 11 ms apart and a tail."""
    bursts = [
        _decay(np.maximum(0, time_s - start), 0.012) * (time_s >= start)
        for start in (0.0, 0.011, 0.023)
    ]
    return hiss * (0.7 * sum(bursts) + 0.3 * _decay(time_s, 0.09))


def _tom(time_s: np.ndarray, number: int) -> np.ndarray:
    turns = (117 - 5 * number) * time_s + 0.6 * (1 - _decay(time_s, 0.05))
    return np.sin(2 * np.pi * turns) * _decay(time_s, 0.14)


def _cymbal(name: str, time_s: np.ndarray, hiss: np.ndarray) -> np.ndarray:
    """Makes bright noise; the kinds differ in length and loudness."""
    lengths_s = {
        "closed hat": 0.03, "ride": 0.12, "crash": 0.35, "tambourine": 0.06,
        "brush": 0.08,
    }  # fmt: skip
    if name not in lengths_s:
        raise ValueError(f"Unknown drum {name!r}; allowed are {sorted(lengths_s)}.")
    brighter = hiss if name in ("brush", "crash") else difference(hiss)
    return 0.55 * brighter * _decay(time_s, lengths_s[name])
