"""What a result depends on: the keys that matter, and a name made of their values."""

import hashlib
import json
from pathlib import Path

from ml_collections import ConfigDict

from configs.keys import (
    ANNOTATED,
    KEYS,
    file_of_rates,
    file_of_weights,
    label_noise_of,
    values_of,
)

# Keys of label noise.
NOISE = (
    *("train.labels", "train.drop_positives", "train.flip_labels"),
    *("train.noise_seed", "train.label_noise"),
)
# Keys that came later: folders of runs that do without them keep their names.
LATER = (
    *("model.network", "train.weight_decay", "train.class_weights"),
    "train.augmentations",
)
# What training takes from a bundle; "sha256" is that of its weights.
OF_BUNDLE = ("tags", "recipe", "preprocessing", "network", "sha256")


def identity(config: ConfigDict) -> dict:
    """Collects the keys that change a result, as a flat dict of dotted names.

    Of a bundle that is started from, its content matters and not its place.

    Raises:
        ValueError: The bundle cannot be read.
    """
    values = values_of(config)
    found = {name: value for name, value in values.items() if KEYS[name].matters}
    # 0 was added later, and means what 50 alone meant before; a folder's 50 is new.
    if not config.corpus.num_tags:
        found["corpus.num_tags"] = 50
    elif config.corpus.name == "folder":
        found["corpus.num_tags"] = f"{config.corpus.num_tags} by count"
    if config.train.init_bundle:
        found["train.init_bundle"] = bundle_digest(Path(config.train.init_bundle))
    else:
        del found["train.init_bundle"], found["train.freeze"]
    for name in LATER:
        if found[name] == KEYS[name].default:
            del found[name]
    if weights := file_of_weights(config.train.class_weights):
        found["train.class_weights"] = _content(weights)
    return found | _of_labels(config, found)


def _of_labels(config: ConfigDict, found: dict) -> dict:
    """Takes the keys of label noise out of `found`, and returns those that are used.

    Folders of runs that do without them keep their names. Of a file of rates the
    content matters.
    """
    used = {
        name: value
        for name in NOISE
        if (value := found.pop(name)) != KEYS[name].default
    }
    if not {"train.drop_positives", "train.flip_labels"} & used.keys():
        used.pop("train.noise_seed", None)
    source, factor = label_noise_of(config.train.label_noise)
    if source == ANNOTATED:
        options = config.analysis
        drawn = f"{options.subset100_clips} clips, seed {options.subset_seed}"
        used["train.label_noise"] += f" ({drawn})"
    elif rates := file_of_rates(config.train.label_noise):
        used["train.label_noise"] = [_content(rates), factor]
    return used


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digest(content: dict) -> str:
    """Returns eight hexadecimal digits of what a result depends on.

    >>> digest({"num_seeds": 1}) == digest({"num_seeds": 2})
    False
    """
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def bundle_digest(directory: Path) -> str:
    """Computes a digest of what training takes from a bundle, not of its dates.

    Its format's version, by which the names of its files differ, is left out too.

    Raises:
        ValueError: There is no bundle.
    """
    try:
        new, old = directory / "config.json", directory / "bundle.json"
        path = new if new.exists() else old
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {key: content[key] for key in OF_BUNDLE}
        [weights] = dict(found["sha256"]).values()
        return digest(found | {"sha256": {"weights.safetensors": weights}})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{directory} holds no bundle ({error!r}); a training leaves its bundle in "
            "<workdir>/bundle"
        ) from error
