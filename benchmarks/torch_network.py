"""The same network, batches and initial weights in PyTorch, written at its best.

Channels-last puts the channels where oneDNN wants them; the compiler fuses what lies
between convolutions; autocast runs convolutions in bfloat16 and keeps the parameters
and their Adam moments in float32, as this project does.
"""

import contextlib
import importlib
import itertools
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (everybody's name for it)

from benchmarks import clock, problem
from benchmarks.machine import cores
from msd_tagger.network.pools import POOLS


class Network(nn.Module):
    """Stored spectrograms [B, M, F] to logits [B, K], preprocessing included."""

    def __init__(self, channels: int = 32, channels_last: bool = False) -> None:
        super().__init__()
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._pools = POOLS["mel"]
        depths = [1] + [channels] * len(self._pools)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(depths)
        )
        # PyTorch's momentum is the weight of the new.
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(channels, problem.EPSILON, 1 - problem.MOMENTUM)
            for _ in self._pools
        )
        self.tags = nn.Linear(channels, problem.TAGS)

    def forward(self, stored_db: torch.Tensor) -> torch.Tensor:
        """Scores a batch."""
        x = preprocess(stored_db)[:, None].contiguous(memory_format=self._format)
        for conv, norm, pool in zip(self.convs, self.norms, self._pools, strict=True):
            x = F.max_pool2d(F.elu(norm(conv(x)), inplace=True), pool)
        return self.tags(x.flatten(1))

    @torch.no_grad()
    def load(self, weights: str) -> None:
        """Takes the weights that `ours.Training.write_weights` wrote."""
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
    """Decibels below the clip's maximum, at most 80, standardised per clip."""
    x = stored_db.float()
    x = torch.clamp(x - x.amax((1, 2), keepdim=True), min=-80.0)
    deviation, mean = torch.std_mean(x, (1, 2), correction=0, keepdim=True)
    return (x - mean) / deviation


class Training:
    """Training steps.

    Args:
        weights: File of initial weights.
        channels_last: Whether maps are stored with their channels last.
        compiled: Whether `torch.compile` is used.
        bfloat16: Whether autocast is.
        platform: "cpu" keeps it from a GPU that is there.
    """

    def __init__(
        self,
        weights: str,
        channels_last: bool = False,
        compiled: bool = False,
        bfloat16: bool = False,
        platform: str = "",
    ) -> None:
        self._weights, self._channels_last = weights, channels_last
        self._compiled, self._bfloat16 = compiled, bfloat16
        self._device = set_up(platform)
        self._lanes: dict[int, _Steps] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and trains some steps; "values" are the losses."""
        network = _network(self._weights, self._channels_last, self._device)
        lane = _Steps(network, self._compiled, self._bfloat16, self._device, batch_size)
        self._lanes[batch_size] = lane
        started = time.monotonic()
        losses = [lane.step().item()]
        seconds = time.monotonic() - started
        losses += [lane.step().item() for _ in range(problem.SIMILAR_STEPS - 1)]
        return {
            "values": losses,
            "first_step_s": seconds,
            "device_memory_bytes": _device_memory_bytes(self._device),
        }

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Trains for some seconds."""
        lane = self._lanes[batch_size]
        return clock.repeat(lane.step, lane.finish, seconds, batch_size)


class _Steps:
    def __init__(
        self,
        network: Network,
        compiled: bool,
        bfloat16: bool,
        device: torch.device,
        batch_size: int,
    ) -> None:
        self._device, self._count = device, 0
        self._batches = [
            (torch.from_numpy(batch["spectrogram"]), torch.from_numpy(batch["tags"]))
            for batch in problem.batches(batch_size)
        ]
        if device.type == "cuda":
            self._batches = [(x.pin_memory(), y.pin_memory()) for x, y in self._batches]
        self._optimiser = torch.optim.Adam(
            network.parameters(), problem.LEARNING_RATE, fused=True
        )
        self._autocast = _autocast(device, bfloat16)

        def loss_of(spectrogram: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
            logits = network(spectrogram).float()
            return F.binary_cross_entropy_with_logits(logits, tags.float())

        self._loss_of = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def step(self) -> torch.Tensor:
        batch = self._batches[self._count % len(self._batches)]
        self._count += 1
        spectrogram, tags = (x.to(self._device, non_blocking=True) for x in batch)
        self._optimiser.zero_grad(set_to_none=True)
        with self._autocast():
            loss = self._loss_of(spectrogram, tags)
        loss.backward()
        self._optimiser.step()
        return loss.detach()

    def finish(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


class Inference:
    """Scores of clips.

    Args:
        weights: File of trained weights.
        channels_last: Whether maps are stored with their channels last.
        compiled: Whether `torch.compile` is used.
        frozen: Whether it may fold the weights into constants.
        bfloat16: Whether autocast is used.
        platform: "cpu" keeps it from a GPU that is there.
    """

    def __init__(
        self,
        weights: str,
        channels_last: bool = False,
        compiled: bool = False,
        frozen: bool = False,
        bfloat16: bool = False,
        platform: str = "",
    ) -> None:
        self._device = set_up(platform)
        self._autocast = _autocast(self._device, bfloat16)
        self._network = _network(weights, channels_last, self._device).eval()
        self._compiled, self._frozen = compiled, frozen
        self._lanes: dict[int, tuple] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and scores a batch; "values" are the first clip's logits."""
        score = self._network
        if self._compiled:
            inductor = importlib.import_module("torch._inductor.config")
            inductor.freezing = self._frozen
            score = torch.compile(self._network, dynamic=False)
        batch = torch.from_numpy(problem.batches(batch_size, 1)[0]["spectrogram"])
        if self._device.type == "cuda":
            batch = batch.pin_memory()
        self._lanes[batch_size] = (score, batch)
        started = time.monotonic()
        logits = self._logits(batch_size)
        return {
            "values": logits[0].tolist(),
            "first_step_s": time.monotonic() - started,
            "device_memory_bytes": _device_memory_bytes(self._device),
        }

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Scores clips for some seconds; the scores come back to the host."""

        def step() -> None:
            torch.sigmoid(self._logits(batch_size)).numpy()

        return clock.repeat(step, lambda: None, seconds, batch_size)

    def _logits(self, batch_size: int) -> torch.Tensor:
        score, batch = self._lanes[batch_size]
        with torch.inference_mode(), self._autocast():
            return score(batch.to(self._device, non_blocking=True)).float().cpu()


def set_up(platform: str) -> torch.device:
    """Takes all cores, and the GPU where there is one and it is wanted."""
    torch.set_num_threads(cores())
    gpu = platform != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.backends.cudnn.benchmark = True
    return torch.device("cuda" if gpu else "cpu")


def _network(weights: str, channels_last: bool, device: torch.device) -> Network:
    network = Network(channels_last=channels_last)
    network.load(weights)
    network = network.to(device)
    return network.to(memory_format=torch.channels_last) if channels_last else network


def _autocast(device: torch.device, bfloat16: bool) -> Any:
    if not bfloat16:
        return contextlib.nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)


def _device_memory_bytes(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None
