"""The model bundle: a folder with all that tagging needs, and its provenance.

`config.json` has everything that a program may want to read, `model.safetensors` the
arrays, `README.md` is for people. Nothing in them is ever executed; a network and a
front end of one's own are imported by their names. docs/bundle.md describes the format.
"""

import dataclasses
import hashlib
import itertools
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import safetensors
import safetensors.numpy
from flax.traverse_util import unflatten_dict

from msd_tagger.bundle.thresholds import Thresholds
from msd_tagger.common import calls, contents, files
from msd_tagger.common.contents import Each, Maybe, Number, OneOf
from msd_tagger.common.csv_files import LFS_POINTER
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network import own
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.model import Model, Network, Weights

FORMAT, VERSION = "msd-tagger bundle", 2
DESCRIPTION, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
# Description and weights of older versions, which differ in nothing else.
OLDER = {1: ("bundle.json", "weights.safetensors")}
_POSITIVE, _SIZE = Number(1e-300, 1e300), Number(1, 2**31, is_whole=True)
_SHARED = {
    "dtype": OneOf(("float32", "bfloat16")),
    "precision?": OneOf(("default", "highest")),
}
NETWORK = {
    "channels": _SIZE,
    "pools": Each(Each(_SIZE)),
    "epsilon": _POSITIVE,
    **_SHARED,
}
# Of a network of one's own: how it is called, and a digest of its file.
OWN_NETWORK = {"name": str, "code": str, **_SHARED}
# What else a description holds.
CONTENT: dict[str, Any] = {
    "tags": Each(str),
    "recipe": dict,
    "preprocessing": {
        "magnitude": OneOf(pre.MAGNITUDES),
        "frequency_weighting": OneOf(pre.WEIGHTINGS),
        "standardise_clip": bool,
        "scale": _POSITIVE,
        "reference": OneOf(pre.REFERENCES),
    },
    "seeds": Each(Number(is_whole=True)),
    "batch_statistics": bool,
    "thresholds": Maybe(dict),
    "scores": dict,
    "provenance": dict,
}
# Where a description may name somebody's own code.
CODE = (("network", "name"), ("recipe", "kind"))
# What wrong values may raise, in a description that was edited by hand.
DAMAGE = (ArithmeticError, KeyError, TypeError, ValueError)

logger = logging.getLogger(__name__)


class Bundle(NamedTuple):
    """Trained networks of one architecture, one for each seed."""

    tags: tuple[str, ...]  # In the order of the scores.
    recipe: Recipe
    preprocessing: pre.Preprocessing
    # See `NETWORK` and `OWN_NETWORK`; "precision" where it is not "default".
    network: dict[str, Any]
    bands: pre.BandStatistics  # Host arrays `[M]`.
    weights: Weights  # Host arrays `[S, …]`.
    seeds: tuple[int, ...]
    # Whether a prediction normalises by its batch, as the published network did; false
    # for everything trained here.
    batch_statistics: bool
    thresholds: Thresholds | None  # None where there were no labels to choose them by.
    scores: dict[str, Any]  # Named averages by split and labels, per seed and over all.
    provenance: dict[str, Any]  # Corpus, code, packages, when and from what.


def build_model(bundle: Bundle) -> Model:
    """Builds the model of a bundle's weights; its optimiser changes nothing."""
    network = build_network(bundle.network, len(bundle.tags))
    optimiser = optax.set_to_zero()
    return Model(network, bundle.preprocessing, bundle.bands, optimiser)


def build_network(network: Mapping[str, Any], num_tags: int) -> Network:
    """Builds a network of what a bundle says of it; one's own is imported.

    Raises:
        ValueError: It cannot be imported.
    """
    if "name" in network:
        precision = network.get("precision", "default")
        own_settings = {"dtype": network["dtype"], "precision": precision}
        where = "the bundle's network"
        return own.build(network["name"], num_tags, where=where, **own_settings)
    return ConvNet(num_tags, **{**network, "dtype": jnp.dtype(network["dtype"])})


def fields_of(network: Network) -> dict[str, Any]:
    """Says what a network is, as `build_network` takes it."""
    shared = {"dtype": np.dtype(network.dtype).name}
    if network.precision != "default":
        shared["precision"] = network.precision
    if isinstance(network, own.OwnNetwork):
        return {"name": network.call, "code": network.code, **shared}
    return {
        "channels": network.channels,
        "pools": tuple(map(tuple, network.pools)),
        "epsilon": network.epsilon,
        **shared,
    }


def write_bundle(
    directory: Path, bundle: Bundle, overwrite: bool = False, text: str | None = None
) -> None:
    """Writes a bundle, whole or not at all, into a new or empty folder.

    With `overwrite` the folder may hold files, such as an older bundle, which goes; a
    model card that somebody has edited stays. `text` is a card to write.

    Raises:
        ValueError: The folder holds something, or the bundle's parts do not fit.
    """
    from msd_tagger.bundle import card  # It imports what reading can do without.

    if not overwrite:
        files.check_unused(directory)
    elif text is None and (text := edited_card(directory)) is not None:
        logger.warning(
            "%s stays as it is: it was edited, or another version wrote it. Delete it "
            "to get a new one",
            directory / CARD,
        )
    if text is None:
        text = card.write(bundle)
    content = json.loads(files.json_text(describe(bundle)))  # As readers will find it.
    _check_content(content)
    arrays = _arrays(bundle)
    _check_arrays(arrays, bundle._asdict())
    weights = safetensors.numpy.save(arrays, {"format": FORMAT})
    content["sha256"] = {WEIGHTS: sha256(weights)}
    directory.mkdir(parents=True, exist_ok=True)
    # The description is removed first and written last: it marks a complete bundle.
    for name in (DESCRIPTION, *itertools.chain(*OLDER.values())):
        (directory / name).unlink(missing_ok=True)
    files.write_bytes(directory / WEIGHTS, weights)
    files.write_text(directory / CARD, text)
    files.write_json(directory / DESCRIPTION, content | {"digest": digest(content)})


def edited_card(directory: Path) -> str | None:
    """Reads the model card of a bundle if it is not what is written of that bundle."""
    from msd_tagger.bundle import card

    try:
        text = (directory / CARD).read_text("utf-8")
    except (OSError, ValueError):  # None, or not a text.
        return None
    try:
        is_ours = text == card.write(read_bundle(directory))
    except ValueError:
        is_ours = False
    return None if is_ours else text


def read_bundle(directory: Path) -> Bundle:
    """Reads a bundle and checks all of it.

    Raises:
        ValueError: What is missing, altered or does not fit, and what to do.
    """
    directory = Path(directory)
    version, (description, arrays_name) = _find(directory)
    content = _read_description(directory / description, version, arrays_name)
    weights = _read_file(directory / arrays_name)
    known, found = content["sha256"][arrays_name], sha256(weights)
    if known != found:
        raise ValueError(
            f"{directory / arrays_name} was altered or cut short: its SHA-256 is "
            f"{found}, {description} says {known}. Copy the bundle again"
        )
    try:
        _check_place_of_code(content, directory)
        _check_content(content)
        values = _values(content)
        arrays = safetensors.numpy.load(weights)
        _check_arrays(arrays, values)
    except (*DAMAGE, safetensors.SafetensorError) as error:
        raise ValueError(f"{directory} is not a usable bundle: {error}") from error
    _note_changed_code(values["network"], directory)
    tree = unflatten_dict(arrays, sep="/")
    bands = pre.BandStatistics(**tree.pop("bands"))
    return Bundle(**values, bands=bands, weights=Weights(**tree))


def _check_place_of_code(content: Mapping[str, Any], directory: Path) -> None:
    """Refuses to run a file that came with a bundle."""
    for key, name in CODE:
        text = content[key].get(name) if isinstance(content.get(key), dict) else None
        if not isinstance(text, str) or ":" not in text:
            continue
        where = f"the bundle's {key}={text}"
        for place in calls.places_of(calls.parse(text, where).name, where):
            if place.resolve().is_relative_to(directory.resolve()):
                raise ValueError(
                    f"{where}: {place.name} lies in the bundle itself, and code that "
                    "came with a bundle is not run. Read it, and put it into a folder "
                    "on PYTHONPATH if you trust it"
                )


def _note_changed_code(network: Mapping[str, Any], directory: Path) -> None:
    """Logs a warning where a module is no longer what the network was trained with."""
    if "name" not in network:
        return
    name = calls.parse(network["name"], network["name"]).name
    if calls.digest_of(name, name) != network["code"]:
        logger.warning(
            "%s has changed since %s was trained: its scores may differ",
            *(calls.source_of(name, name), directory),
        )


def describe(bundle: Bundle) -> dict[str, Any]:
    """Says all of a bundle but its arrays, as `config.json` does."""
    thresholds = bundle.thresholds
    return {
        "format": FORMAT,
        "version": VERSION,
        "tags": list(bundle.tags),
        "recipe": bundle.recipe.to_dict(),
        "preprocessing": bundle.preprocessing._asdict(),
        "network": bundle.network,
        "seeds": [int(seed) for seed in bundle.seeds],
        "batch_statistics": bundle.batch_statistics,
        "thresholds": thresholds and thresholds.to_rows(bundle.tags),
        "scores": bundle.scores,
        "provenance": bundle.provenance,
    }


def _values(content: dict[str, Any]) -> dict[str, Any]:
    """Reads from a description all fields of a bundle but the arrays."""
    tags, network = tuple(content["tags"]), content["network"]
    if "pools" in network:
        network = network | {"pools": tuple(map(tuple, network["pools"]))}
    rows = content["thresholds"]
    plain = ("batch_statistics", "scores", "provenance")
    return {name: content[name] for name in plain} | {
        "tags": tags,
        "recipe": _recipe(content["recipe"]),
        "preprocessing": pre.Preprocessing(**content["preprocessing"]),
        "network": network,
        "seeds": tuple(content["seeds"]),
        "thresholds": None if rows is None else Thresholds.from_rows(rows, tags),
    }


def is_bundle(directory: Path) -> bool:
    """Tells whether a folder holds a bundle of any version, whole or not."""
    names = [DESCRIPTION, *(description for description, _ in OLDER.values())]
    return any((directory / name).is_file() for name in names)


def _find(directory: Path) -> tuple[int, tuple[str, str]]:
    """Finds the version of a bundle, and the names of description and weights."""
    known = {VERSION: (DESCRIPTION, WEIGHTS), **OLDER}
    if not directory.is_dir():
        is_file = directory.exists()
        what = "is a file; give the folder of the bundle" if is_file else "is no folder"
        raise ValueError(
            f"{directory} {what}. A run's bundle is <workdir>/bundle; --mode=export "
            "copies it"
        )
    for version, names in known.items():
        if (directory / names[0]).is_file():
            return version, names
    raise ValueError(
        f"{directory} holds no bundle: it has no {DESCRIPTION}. A run's bundle is "
        "<workdir>/bundle; --mode=export copies it"
    )


def _read_description(path: Path, version: int, weights: str) -> dict[str, Any]:
    content = files.parse_json(_read_file(path), path)
    if content.get("format") != FORMAT:
        inside = path.parent / "bundle"
        hint = f"; the bundle of this run is {inside}" if is_bundle(inside) else ""
        raise ValueError(f"{path} does not describe a bundle ({FORMAT!r}){hint}")
    if content.get("version") != version:
        raise ValueError(
            f"{path} has format version {content.get('version')!r}; this code reads "
            f"{version} in a file of that name. Use the code that wrote it, or a newer "
            "one"
        )
    stated, found = content.pop("digest", None), digest(content)
    if stated != found:
        raise ValueError(
            f"{path} was altered after it was written: its digest is {found}, it says "
            f"{stated}. Copy the bundle again"
        )
    names = {*Bundle._fields, "format", "version", "sha256"} - {"bands", "weights"}
    _check_keys(str(path), content, names)
    _check_keys(f"{path}: sha256", content["sha256"], [weights])
    return content


def _read_file(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing; copy it again") from error
    if content.startswith(LFS_POINTER):
        raise ValueError(
            f"{path} is a pointer of Git LFS, and not the file; fetch it: git lfs pull"
        )
    return content


def _check_keys(where: str, content: Any, names: Iterable[str]) -> None:
    """Checks that there are keys of these names and no others, those in `?` perhaps."""
    names, known = set(names), {name.removesuffix("?") for name in names}
    if not isinstance(content, dict) or not known & names <= {*content} <= known:
        given = sorted(content) if isinstance(content, dict) else content
        raise ValueError(f"{where} has {given}; this code knows {sorted(known)}")


def _recipe(content: dict) -> Recipe:
    recipe, version = Recipe.from_json(json.dumps(content)), Recipe.version
    if recipe.version == 2:  # Its spectrograms are those of 3 but for rounding.
        return dataclasses.replace(recipe, version=version)
    if recipe.version != version:
        raise ValueError(
            f"its spectrograms are of recipe version {recipe.version}, and this code "
            f"makes version {version}. Use the code that wrote it, or train again"
        )
    return recipe


def _check_content(content: dict[str, Any]) -> None:
    """Checks what a description says, as far as that does not show in the arrays."""
    network = content["network"]
    is_own = isinstance(network, dict) and "name" in network
    expected = CONTENT | {"network": OWN_NETWORK if is_own else NETWORK}
    contents.check(content, expected, "its ")
    for section in ("preprocessing", "network"):
        _check_keys(section, content[section], expected[section])
    tags = content["tags"]
    known = {
        "tags": bool(tags) and "" not in tags and len(set(tags)) == len(tags),
        "seeds": bool(content["seeds"]),
        "pools": all(len(pool) == 2 for pool in network.get("pools", ())),
        "name": not is_own or calls.is_own(network["name"]),
        "batch_statistics": not (is_own and content["batch_statistics"]),
    }
    for name, is_known in known.items():
        if not is_known:
            raise ValueError(f"its {name!r} is not what this code knows")


def _arrays(bundle: Bundle) -> dict[str, np.ndarray]:
    """Lists all arrays by path, as "params/conv1_kernel" or "bands/mean"."""
    tree = {
        "params": bundle.weights.params,
        "batch_stats": bundle.weights.batch_stats,
        "bands": bundle.bands._asdict(),
    }
    flat = files.flatten(tree, "/")
    return {name: np.ascontiguousarray(array) for name, array in flat.items()}


def _check_arrays(arrays: dict[str, np.ndarray], values: Mapping[str, Any]) -> None:
    """Compares the arrays with what the other fields of a bundle ask for."""
    network = values["network"]
    num_tags, num_seeds = len(values["tags"]), len(values["seeds"])
    expected = shapes(network, values["recipe"], num_tags, num_seeds)
    for name in sorted(expected.keys() | arrays.keys()):
        if name not in arrays or name not in expected:
            state = "missing" if name in expected else "not known"
            raise ValueError(f"the array {name!r} of {WEIGHTS} is {state}")
        found = (arrays[name].shape, str(arrays[name].dtype))
        if found != (expected[name], "float32"):
            raise ValueError(
                f"the array {name!r} of {WEIGHTS} is {found[1]} {list(found[0])}, not "
                f"float32 {list(expected[name])} as {num_tags} tags, {num_seeds} seeds "
                f"and the network {network} ask for"
            )
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"the array {name!r} of {WEIGHTS} is not finite")


def shapes(
    network: Mapping[str, Any], recipe: Recipe, num_tags: int, num_seeds: int
) -> dict[str, tuple[int, ...]]:
    """Lists the shape of every array, by path."""
    built = build_network(network, num_tags)
    if isinstance(built, own.OwnNetwork):
        variables = own.variables_of(built, recipe.shape, network["name"])
    else:
        x = jax.ShapeDtypeStruct((1, *recipe.shape), jnp.float32)
        variables = jax.eval_shape(built.init, jax.random.key(0), x)
    of_one = files.flatten(variables, "/")
    found = {path: (num_seeds, *leaf.shape) for path, leaf in of_one.items()}
    bands = {f"bands/{name}": recipe.shape[:1] for name in pre.BandStatistics._fields}
    return found | bands


def sha256(content: bytes) -> str:
    """Computes a SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest(content: dict[str, Any]) -> str:
    """Computes the SHA-256 of a description without the digest itself."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode())
