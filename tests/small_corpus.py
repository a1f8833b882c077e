"""Small folder corpora and the damaged files that people really have."""

import csv
from pathlib import Path

import numpy as np
import soundfile

from msd_tagger.frontend.recipe import Recipe

RECIPE = Recipe("mel", duration_s=1.0)
STFT = Recipe("stft", duration_s=1.0)
SPLITS = ("train", "train", "train", "valid", "test")
TAGS = ("rock", "pop", "jazz")


def sound(seed, duration_s=1.2, rate_hz=22_050, channels=1):
    """A tone in noise; every seed has its own pitch and level."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * rng.uniform(200, 2000) * time_s)
    noise = rng.standard_normal((len(time_s), channels))
    return rng.uniform(0.1, 0.5) * (tone[:, None] + 0.1 * noise).astype(np.float32)


def write_sound(path, seed=0, rate_hz=22_050, **options):
    """Writes `sound` in the format that the extension names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = sound(seed, options.pop("duration_s", 1.2), rate_hz)
    soundfile.write(path, samples, rate_hz, **options)
    return path


def write_table(directory, rows, columns=("track_id", "path", "split", "tags")):
    """Writes tags.csv."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return directory


def write_folder(directory, num_clips=20, extra_rows=(), true_tags=False):
    """A folder corpus of noisy tones, three of five in train, and a vocabulary."""
    rows = []
    for number in range(num_clips):
        path = Path("audio") / f"{number:03d}.wav"
        write_sound(directory / path, seed=number)
        tags = "|".join(TAGS[: number % 3 + 1])
        row = (f"id-{number:03d}", path.as_posix(), SPLITS[number % 5], tags)
        rows.append((*row, TAGS[number % 3]) if true_tags else row)
    columns = ("track_id", "path", "split", "tags", "true_tags")
    write_table(directory, [*rows, *extra_rows], columns[: 5 if true_tags else 4])
    (directory / "tags.txt").write_text("\n".join(TAGS) + "\n")
    return directory


def _cut(path, share=0.4):
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * share)])
    return path


def _write_samples(path, samples, **options):
    soundfile.write(path, samples, 22_050, **options)
    return path


def _garble(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(content)
    return path


def _folder(path):
    path.mkdir()
    return path


def _text(path, content):
    path.write_bytes(content)
    return path


def _with_nan():
    samples = sound(0)
    samples[500] = np.nan
    return samples


# Name of a file -> (what makes it in a folder, the reason it must end up with).
DAMAGED = {
    "empty.mp3": (lambda path: _text(path, b""), "empty"),
    "page.mp3": (lambda path: _text(path, b"<html>404</html>" * 500), "not audio"),
    "bytes.wav": (lambda path: _text(path, bytes(range(256)) * 200), "not audio"),
    "cut.mp3": (lambda path: _cut(write_sound(path, duration_s=2)), "truncated"),
    "cut.ogg": (lambda path: _cut(write_sound(path, duration_s=2)), "truncated"),
    "cut.flac": (lambda path: _cut(write_sound(path)), "truncated"),
    "cut.wav": (lambda path: _cut(write_sound(path)), "truncated"),
    "header.wav": (
        lambda path: _write_samples(path, np.zeros((0, 1), np.float32)),
        "empty",
    ),
    "garbled.flac": (
        lambda path: _garble(write_sound(path, duration_s=1.0)),
        "damaged",
    ),
    "silent.wav": (
        lambda path: _write_samples(path, np.zeros((30_000, 1))),
        "silent",
    ),
    "faint.flac": (lambda path: _write_samples(path, sound(0) * 1e-4), "silent"),
    "nan.wav": (
        lambda path: _write_samples(path, _with_nan(), subtype="FLOAT"),
        "not finite",
    ),
    "folder.mp3": (_folder, "unreadable"),
    "nowhere.mp3": (lambda path: path, "missing"),
}
