"""Audio files to tags as a PyTorch user would: librosa, a DataLoader, the network."""

import importlib
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks import torch_network
from benchmarks.machine import cores
from benchmarks.preparers import BANDS, DFT_SIZE, HOP, SAMPLE_RATE_HZ
from benchmarks.taggers import repeat

BATCH_SIZE = 8
DURATION_S = 29.0


class Tagging:
    """Tags of a folder's files, again and again.

    Args:
        weights: File of trained weights.
        folder: Of audio files.
        compiled: Whether `torch.compile` is used, with the weights frozen.
        platform: "cpu" keeps it from a GPU that is there.
    """

    def __init__(
        self, weights: str, folder: str, compiled: bool = False, platform: str = ""
    ) -> None:
        self._device = torch_network.set_up(platform)
        network = torch_network.Network(channels_last=True)
        network.load(weights)
        network = network.to(self._device, memory_format=torch.channels_last).eval()
        if compiled:
            importlib.import_module("torch._inductor.config").freezing = True
            network = torch.compile(network, dynamic=False)
        self._network = network
        files = sorted(Path(folder).glob("*.mp3"))
        self._first = Files(files[:1])
        # The processes live on from pass to pass.
        self._loader = DataLoader(
            Files(files), BATCH_SIZE, num_workers=cores(), persistent_workers=True
        )
        self._is_warm = False

    def prepare(self) -> dict[str, Any]:
        """Compiles, and tags one file; "values" are its scores."""
        one = self._first[0][None]
        scores = self._score(torch.from_numpy(np.repeat(one, BATCH_SIZE, axis=0)))
        return {"values": scores[0].tolist()}

    def run(self, seconds: float) -> dict[str, float]:
        """Whole passes over the files; units are files."""
        if not self._is_warm:
            self._tag_all()  # The processes start, and import librosa.
            self._is_warm = True
        return repeat(self._tag_all, seconds)

    def _tag_all(self) -> int:
        return sum(len(self._score(batch)) for batch in self._loader)

    def _score(self, batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            logits = self._network(batch.to(self._device))
            return torch.sigmoid(logits).float().cpu().numpy()


class Files(Dataset):
    """Spectrograms of files, made when they are asked for."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._files)

    def __getitem__(self, index: int) -> np.ndarray:
        """What a tutorial shows, with the recipe's parameters."""
        samples, _ = librosa.load(
            self._files[index], sr=SAMPLE_RATE_HZ, duration=DURATION_S
        )
        samples = librosa.util.fix_length(
            samples, size=round(DURATION_S * SAMPLE_RATE_HZ)
        )
        power = librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE_HZ, n_fft=DFT_SIZE, hop_length=HOP, n_mels=BANDS
        )
        return librosa.power_to_db(power, top_db=None)
