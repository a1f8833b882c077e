"""A bundle as ONNX graphs, which run in many places without JAX.

The network is written operation by operation. The converters were tried first: tf2onnx
cannot read what JAX hands to TensorFlow since JAX 0.9, and jax2onnx 0.17 asks for an
Orbax that is older than ours. Batch normalisation is folded into the convolutions.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.bundle import waveform
from msd_tagger.bundle.format import Bundle
from msd_tagger.common import files
from msd_tagger.common.errors import check_installed
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import POWER_FLOOR
from msd_tagger.network.preprocessing import FLOOR_DB

# Old enough for every runtime of the last years, browsers included.
OPSET, IR_VERSION = 17, 8


def write(directory: Path, bundle: Bundle) -> None:
    """Writes two graphs, of any number B of clips, into a folder.

    Where the front end is one's own, which is Python, the graph of waveforms is left
    out.

    Raises:
        ValueError: The package that writes the format is missing.
    """
    graphs = {name: Graph() for name in ("spectrogram", "waveform")}
    bands, frames = bundle.recipe.shape
    scores = _scores(graphs["spectrogram"], "spectrogram", bundle)
    shape_of = {"spectrogram": ["B", bands, frames]}
    outputs = {"scores": (scores, ["B", len(bundle.seeds), len(bundle.tags)])}
    _save(directory, "spectrogram", shape_of, outputs, graphs["spectrogram"], bundle)

    if bundle.recipe.own_shape:
        return
    graph = graphs["waveform"]
    spectrogram = _front_end(graph, "waveform", bundle.recipe)
    outputs["scores"] = (_scores(graph, spectrogram, bundle), outputs["scores"][1])
    outputs["spectrogram"] = (spectrogram, shape_of["spectrogram"])
    shape_of = {"waveform": ["B", bundle.recipe.num_samples]}
    _save(directory, "waveform", shape_of, outputs, graph, bundle)


class Graph:
    """Nodes in the order in which they are computed, and their constants."""

    def __init__(self) -> None:
        check_installed("--format=onnx", "export", "onnx")
        import onnx

        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Adds an operation on names and constants; returns the name of its result."""
        names = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        result = f"{kind.lower()}_{len(self.nodes)}"
        node = self.onnx.helper.make_node(kind, names, [result], **attributes)
        self.nodes.append(node)
        return result

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name


def _front_end(graph: Graph, samples: str, recipe: Recipe) -> str:
    """Takes samples `[B, T]` to decibels `[B, M, F]`, as `waveform.spectrogram_db`."""
    x = graph.add("Unsqueeze", samples, [1])
    kernels = waveform.kernels(recipe)[:, None, :]
    margin = recipe.dft_size_samples // 2
    x = graph.add(
        "Conv", x, kernels, strides=[recipe.hop_samples], pads=[margin, margin]
    )
    x = graph.add("MatMul", waveform.bands_of_squares(recipe), graph.add("Mul", x, x))
    x = graph.add("Log", graph.add("Max", x, POWER_FLOOR))
    return graph.add("Mul", x, waveform.DB_PER_NEPER)


def _scores(graph: Graph, stored_db: str, bundle: Bundle) -> str:
    """Takes decibels `[B, M, F]` to scores `[B, S, K]`."""
    x = graph.add("Unsqueeze", _preprocess(graph, stored_db, bundle), [1])
    of_seeds = [
        graph.add("Unsqueeze", _network(graph, x, bundle, seed), [1])
        for seed in range(len(bundle.seeds))
    ]
    return graph.add("Concat", *of_seeds, axis=1)


def _preprocess(graph: Graph, x: str, bundle: Bundle) -> str:
    """Does as `network.preprocessing.apply`, decibels being relative to the clip."""
    asked, bands = bundle.preprocessing, bundle.bands
    if asked.magnitude == "linear":
        x = graph.add("Exp", graph.add("Mul", x, 1 / waveform.DB_PER_NEPER))
    else:
        loudest = graph.add("ReduceMax", x, axes=[1, 2])
        x = graph.add("Max", graph.add("Sub", x, loudest), FLOOR_DB)
    weighting = asked.frequency_weighting
    if weighting == "a_weighting":
        weight_db = np.asarray(bands.a_weighting_db)[:, None]
        if asked.magnitude == "linear":
            x = graph.add("Mul", x, 10.0 ** (weight_db / 10))
        else:
            x = graph.add("Add", x, weight_db)
    elif weighting == "per_frequency":
        x = _standardise(graph, x, [2])
    elif weighting == "per_frequency_dataset":
        deviation = np.where(bands.deviation > 0, bands.deviation, 1)[:, None]
        x = graph.add("Sub", x, np.asarray(bands.mean)[:, None])
        x = graph.add("Div", x, deviation)
    if asked.standardise_clip:
        x = _standardise(graph, x, [1, 2])
    return graph.add("Mul", x, asked.scale)


def _standardise(graph: Graph, x: str, axes: list[int]) -> str:
    """Standardises as `network.preprocessing`, which says why a value goes first."""
    first = graph.add("Slice", x, [0] * len(axes), [1] * len(axes), axes)
    x = graph.add("Sub", x, first)
    x = graph.add("Sub", x, graph.add("ReduceMean", x, axes=axes))
    squares = graph.add("Mul", x, x)
    deviation = graph.add("Sqrt", graph.add("ReduceMean", squares, axes=axes))
    is_known = graph.add("Greater", deviation, 0.0)
    return graph.add("Div", x, graph.add("Where", is_known, deviation, 1.0))


def _network(graph: Graph, x: str, bundle: Bundle, seed: int) -> str:
    """Takes `[B, 1, M, F]` to the scores of one seed, `[B, K]`."""
    params, statistics = bundle.weights.params, bundle.weights.batch_stats
    for i, pool in enumerate(bundle.network["pools"], start=1):
        kernel, bias = (params[f"conv{i}_{x}"][seed] for x in ("kernel", "bias"))
        gamma, beta = (params[f"norm{i}"][x][seed] for x in ("scale", "bias"))
        mean, variance = (statistics[f"norm{i}"][x][seed] for x in ("mean", "var"))
        factor = gamma / np.sqrt(np.float64(variance) + bundle.network["epsilon"])
        weights = (kernel * factor).transpose(3, 2, 0, 1)
        shift = beta + (bias - mean) * factor
        x = graph.add("Conv", x, weights, shift, pads=[1, 1, 1, 1])
        x = graph.add("Elu", x)
        x = graph.add("MaxPool", x, kernel_shape=pool, strides=pool)
    tags = params["tags"]
    x = graph.add("MatMul", graph.add("Flatten", x), tags["kernel"][seed])
    return graph.add("Sigmoid", graph.add("Add", x, tags["bias"][seed]))


def _save(
    directory: Path,
    name: str,
    inputs: dict[str, list],
    outputs: dict[str, tuple[str, list]],
    graph: Graph,
    bundle: Bundle,
) -> None:
    onnx, helper = graph.onnx, graph.onnx.helper
    for shown, (result, _) in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [result], [shown]))

    def described(shapes: dict[str, list]) -> list[Any]:
        kind = onnx.TensorProto.FLOAT
        return [helper.make_tensor_value_info(n, kind, s) for n, s in shapes.items()]

    made = helper.make_graph(
        graph.nodes,
        f"from_{name}",
        described(inputs),
        described({shown: shape for shown, (_, shape) in outputs.items()}),
        graph.constants,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)
    helper.set_model_props(model, {"tags": json.dumps(bundle.tags)})
    onnx.checker.check_model(model, full_check=True)
    files.write_bytes(directory / f"from_{name}.onnx", model.SerializeToString())
