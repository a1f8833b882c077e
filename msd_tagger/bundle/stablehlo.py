"""A bundle as StableHLO, which JAX runs without this code."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from msd_tagger.bundle.format import Bundle, build_model
from msd_tagger.bundle.waveform import spectrogram_db
from msd_tagger.common import files
from msd_tagger.common.errors import check_installed
from msd_tagger.network.model import predict, prepare_batch

Array = jax.Array
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write(directory: Path, bundle: Bundle) -> None:
    """Writes two programs, of any number B of clips, into a folder.

    Where the front end is one's own, which is Python, the program of waveforms is left
    out.

    Raises:
        ValueError: The package that writes the format is missing, or a network of one's
            own cannot be written.
    """
    check_installed("--format=stablehlo", "export", "flatbuffers")
    recipe = bundle.recipe
    shapes: dict[str, tuple[int, ...]] = {"spectrogram": recipe.shape}
    if not recipe.own_shape:
        shapes["waveform"] = (recipe.num_samples,)
    (batch,) = export.symbolic_shape("B")
    for name, shape in shapes.items():
        x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
        function = jax.jit(programs(bundle)[name])
        try:
            program = export.export(function, platforms=PLATFORMS)(x)
        except Exception as error:
            if "name" not in bundle.network:
                raise
            raise ValueError(
                f"{bundle.network['name']} cannot be written as StableHLO, where the "
                "number of clips B stands for any; take it from x.shape[0], as len(x) "
                f"has to be a number ({type(error).__name__}: {error})"
            ) from error
        path = directory / f"from_{name}.stablehlo"
        files.write_bytes(path, bytes(program.serialize()))


def programs(bundle: Bundle) -> dict[str, Callable]:
    """Returns the two functions by what they take.

    From a "spectrogram" `[B, M, F]` in decibels to scores `[B, S, K]`; from a
    "waveform" `[B, T]` to scores and spectrogram. All are float32.
    """
    model = build_model(bundle)

    def of_seed(seed: int, x: Array) -> Array:
        weights = jax.tree.map(lambda leaf: np.asarray(leaf)[seed], bundle.weights)
        return jax.nn.sigmoid(predict(weights, x, model))

    def scores(spectrogram: Array) -> Array:
        x = prepare_batch({"spectrogram": spectrogram}, model)["spectrogram"]
        return jnp.stack([of_seed(s, x) for s in range(len(bundle.seeds))], axis=1)

    def from_waveform(samples: Array) -> tuple[Array, Array]:
        spectrogram = spectrogram_db(samples, bundle.recipe)
        return scores(spectrogram), spectrogram

    return {"spectrogram": scores, "waveform": from_waveform}
