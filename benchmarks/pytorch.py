"""The same network, batches and initial weights in PyTorch, written at its best.

Channels-last puts the channels where oneDNN wants them; the compiler fuses what lies
between convolutions; autocast runs convolutions in bfloat16 and keeps the parameters
and their Adam moments in float32, as this project does.
"""

import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (everybody's name for it)
from torch.utils.data import DataLoader

from benchmarks import problem, ways
from benchmarks.worker import Work, loading, repeating
from msd_tagger.common.processes import available_cores
from msd_tagger.network.pools import POOLS

CHANNELS = 32
SONGS_IN_BATCH = 8


class Network(nn.Module):
    """Stored spectrograms `[B, M, F]` to logits `[B, K]`, preprocessing included."""

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._pools = POOLS["mel"]
        depths = [1] + [CHANNELS] * len(self._pools)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(depths)
        )
        # PyTorch's momentum is the weight of the new.
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(CHANNELS, problem.EPSILON, 1 - problem.MOMENTUM)
            for _ in self._pools
        )
        self.tags = nn.Linear(CHANNELS, problem.TAGS)

    def forward(self, stored_db: torch.Tensor) -> torch.Tensor:
        """Scores a batch."""
        x = preprocess(stored_db)[:, None].contiguous(memory_format=self._format)
        for conv, norm, pool in zip(self.convs, self.norms, self._pools, strict=True):
            x = F.max_pool2d(F.elu(norm(conv(x)), inplace=True), pool)
        return self.tags(x.flatten(1))

    @torch.no_grad()
    def load(self, weights: str) -> None:
        """Takes the weights that `ours.start` wrote."""
        with np.load(weights) as stored:
            arrays = {name: torch.from_numpy(stored[name]) for name in stored.files}
        params, statistics = "params/", "batch_stats/"
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), 1):
            conv.weight.copy_(arrays[f"{params}conv{i}_kernel"].permute(3, 2, 0, 1))
            conv.bias.copy_(arrays[f"{params}conv{i}_bias"])
            norm.weight.copy_(arrays[f"{params}norm{i}/scale"])
            norm.bias.copy_(arrays[f"{params}norm{i}/bias"])
            norm.running_mean.copy_(arrays[f"{statistics}norm{i}/mean"])
            norm.running_var.copy_(arrays[f"{statistics}norm{i}/var"])
        self.tags.weight.copy_(arrays[f"{params}tags/kernel"].T)
        self.tags.bias.copy_(arrays[f"{params}tags/bias"])


def preprocess(stored_db: torch.Tensor) -> torch.Tensor:
    """Takes decibels below a clip's maximum, at most 80, and standardises them."""
    x = stored_db.float()
    x = torch.clamp(x - x.amax((1, 2), keepdim=True), min=-80.0)
    deviation, mean = torch.std_mean(x, (1, 2), correction=0, keepdim=True)
    return (x - mean) / deviation


def training(
    batch_size: int,
    weights: str,
    channels_last: bool = False,
    compiled: bool = False,
    bfloat16: bool = False,
    platform: str = "",
) -> Work:
    """Trains from the weights of a file; "cpu" keeps it from a GPU that is there."""
    device = set_up(platform)
    network = build(weights, channels_last, device)
    parameters = network.parameters()
    optimiser = torch.optim.Adam(parameters, problem.LEARNING_RATE, fused=True)
    autocast = _autocast(device, bfloat16)
    found = [
        [_from_numpy(batch[name], device) for name in ("spectrogram", "tags")]
        for batch in problem.batches(batch_size)
    ]
    batches = itertools.cycle(found)

    def loss_of(spectrogram: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        logits = network(spectrogram).float()
        return F.binary_cross_entropy_with_logits(logits, tags.float())

    if compiled:
        loss_of = torch.compile(loss_of, dynamic=False)

    def step() -> torch.Tensor:
        spectrogram, tags = (x.to(device, non_blocking=True) for x in next(batches))
        optimiser.zero_grad(set_to_none=True)
        with autocast():
            loss = loss_of(spectrogram, tags)
        loss.backward()
        optimiser.step()
        return loss.detach()

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    def losses() -> Iterator[float]:
        for _ in range(problem.SIMILAR_STEPS):
            yield step().item()

    measure = repeating(step, batch_size, finish)
    return Work(losses, measure, partial(_device_memory_bytes, device))


def inference(
    batch_size: int,
    weights: str,
    channels_last: bool = False,
    compiled: bool = False,
    frozen: bool = False,
    bfloat16: bool = False,
    platform: str = "",
) -> Work:
    """Scores clips with the weights of a file.

    `frozen` says whether the compiler may fold them into the program as constants.
    """
    device = set_up(platform)
    network = build(weights, channels_last, device).eval()
    if compiled:
        network = compile_network(network, frozen)
    autocast = _autocast(device, bfloat16)
    batch = _from_numpy(problem.batches(batch_size, 1)[0]["spectrogram"], device)

    def score() -> np.ndarray:
        with torch.inference_mode(), autocast():
            logits = network(batch.to(device, non_blocking=True)).float().cpu()
        return torch.sigmoid(logits).numpy()

    return problem.scoring(score, batch_size, partial(_device_memory_bytes, device))


class Items:
    """What a function makes of some things, each when it is asked for."""

    def __init__(self, make: Callable[[Any], Any], things: Sequence[Any]) -> None:
        self._make, self._things = make, things

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._things)

    def __getitem__(self, index: int) -> Any:
        """Makes one."""
        return self._make(self._things[index])


def loader(batch_size: int, directory: str, num_workers: int) -> Work:
    """Reads a .npy file per clip in a new random order each epoch, as many do first."""

    def batches() -> Iterator:
        tags = np.load(Path(directory) / "tags.npy")
        clips = DataLoader(
            Items(partial(_read_clip, directory, tags), range(len(tags))),
            batch_size,
            shuffle=True,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        while True:
            yield from clips

    return loading(batches(), batch_size)


def _read_clip(directory: str, tags: np.ndarray, row: int) -> tuple:
    """Reads spectrogram `[M, F]` and tags `[K]`."""
    spectrogram = np.load(Path(directory) / f"{row:05d}.npy")
    return torch.from_numpy(spectrogram), torch.from_numpy(tags[row])


def tagging(weights: str, folder: str, platform: str, compiled: bool = False) -> Work:
    """Tags songs as a PyTorch user would: librosa, a DataLoader, the network.

    `compiled` says whether `torch.compile` is used, with the weights frozen.
    """
    device = set_up(platform)
    network = build(weights, True, device).eval()
    if compiled:
        network = compile_network(network, frozen=True)
    files = sorted(Path(folder).glob("*.mp3"))
    spectrograms = Items(partial(ways.spectrogram, fix_length=True), files)
    # The processes live on from pass to pass.
    songs = DataLoader(
        spectrograms,
        SONGS_IN_BATCH,
        num_workers=available_cores(),
        persistent_workers=True,
    )

    def score(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return torch.sigmoid(network(batch.to(device))).float().cpu().numpy()

    def scores_of_one() -> Iterator[float]:
        batch = np.repeat(spectrograms[0][None], SONGS_IN_BATCH, axis=0)
        yield from score(torch.from_numpy(batch))[0].tolist()

    measure = repeating(lambda: [score(batch) for batch in songs], len(files))
    return Work(scores_of_one, measure)


def set_up(platform: str) -> torch.device:
    """Takes all cores, and the GPU where there is one and it is wanted."""
    torch.set_num_threads(available_cores())
    gpu = platform != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.backends.cudnn.benchmark = True
    return torch.device("cuda" if gpu else "cpu")


def build(weights: str, channels_last: bool, device: torch.device) -> Network:
    """Builds the network with the weights of a file."""
    network = Network(channels_last)
    network.load(weights)
    network = network.to(device)
    return network.to(memory_format=torch.channels_last) if channels_last else network


def compile_network(network: Network, frozen: bool) -> Any:
    """Compiles the network for inference, its weights as constants if `frozen`."""
    inductor: Any = importlib.import_module("torch._inductor.config")
    inductor.freezing = frozen
    return torch.compile(network, dynamic=False)


def _from_numpy(array: np.ndarray, device: torch.device) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if device.type == "cuda" else tensor


def _autocast(device: torch.device, bfloat16: bool) -> Callable:
    if not bfloat16:
        return contextlib.nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)


def _device_memory_bytes(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None
