"""A small MTG-Jamendo in its real layout, and its spectrograms as Essentia has them."""

import librosa
import numpy as np

from tests.small_corpus import sound, write_sound

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
RATE_HZ = 12_000
DURATION_S = 3.0
ROCK, PIANO, HAPPY = "genre---rock", "instrument---piano", "mood/theme---happy"
FILES = ("train", "validation", "test")


def row(number, tags, duration_s=DURATION_S, **changes):
    values = {
        "track": f"track_{number:07d}",
        "artist": f"artist_{number // 2:06d}",
        "album": f"album_{number // 2:06d}",
        "path": f"{number % 100:02d}/{number}.mp3",
        "duration": f"{duration_s:.1f}",
    } | changes
    return "\t".join([*values.values(), *tags])


def rows(counts=(6, 4, 4), first=100):
    """Rows of the three tables; even tracks are rock, every third has a piano."""
    made = []
    for count in counts:
        made.append([row(n, _tags(n)) for n in range(first, first + count)])
        first += count
    return made


def _tags(number):
    tags = [PIANO] * (number % 3 == 0) + [ROCK if number % 2 == 0 else HAPPY]
    return sorted(tags)


def write_labels(label_dir, tables=None, fold=0, subset="autotagging_top50tags"):
    """Writes the tables of one subset and fold as Python's csv wrote the real ones."""
    folder = label_dir / f"split-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(FILES, tables or rows(), strict=True):
        text = "".join(f"{line}\r\n" for line in [HEADER, *lines])
        (folder / f"{subset}-{name}.tsv").write_bytes(text.encode())
    return label_dir


def write_tracks(audio_dir, form, tables=None):
    """Writes every track of the tables as ".mp3", ".low.mp3" or ".npy"."""
    for line in (line for table in tables or rows() for line in table):
        path, duration_s = line.split("\t")[3:5]
        number = int(path[3:-4])
        path = audio_dir / path.replace(".mp3", form)
        if form == ".npy":
            samples = sound(number, float(duration_s), RATE_HZ)[:, 0]
            write_spectrogram(path, published(samples))
        else:
            write_sound(path, number, RATE_HZ, duration_s=float(duration_s))
    return audio_dir


def write_spectrogram(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values, allow_pickle=False)
    return path


def published(samples):
    """What `melspectrograms.py` of the data set makes of samples at 12 kHz.

    Essentia's steps: frames centred on multiples of 256, up to the first that is
    centred at or behind the end; a symmetric Hann window; the magnitude of the DFT; 96
    triangles of area 1 on Slaney's mel scale, on powers; 10 log10, at least -100,
    doubled. The array is a transposed one, so NumPy stores it in Fortran order.
    """
    size, hop = 512, 256
    num_frames = 1 + -(-len(samples) // hop)
    padded = np.pad(samples, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:num_frames]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(size)))
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=size, n_mels=96)
    power = np.square(magnitude) @ filters.T
    return (2 * 10 * np.log10(np.maximum(power, 1e-10))).astype(np.float32).T
