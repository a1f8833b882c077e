"""A bundle is read as it was written, or refused with what differs."""

import json
import math
import pickle
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

from msd_tagger.bundle import format as module
from msd_tagger.bundle.format import (
    DESCRIPTION,
    WEIGHTS,
    edited_card,
    read_bundle,
    write_bundle,
)
from tests import bundles

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / "tests" / "old_bundle"  # Written by the code of format version 1.
NAMES = {"config.json", "model.safetensors", "README.md"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bundle")
    write_bundle(directory, bundles.make_bundle())
    return directory


def assert_same(a, b):
    arrays = ("bands", "weights", "thresholds")
    rest = [one._replace(**dict.fromkeys(arrays)) for one in (a, b)]
    assert rest[0] == rest[1]
    for name in arrays:
        both = getattr(a, name), getattr(b, name)
        jax.tree.map(np.testing.assert_array_equal, *both)


def test_what_was_written_is_read_again(whole, tmp_path):
    bundle = read_bundle(whole)
    assert_same(bundle, bundles.make_bundle())
    bundle = bundle._replace(thresholds=None, tags=("ö", 'a"b', "c"))
    write_bundle(tmp_path / "deep" / "other", bundle)
    assert_same(read_bundle(tmp_path / "deep" / "other"), bundle)


def test_a_bundle_of_the_first_version_is_read_and_replaced(whole, tmp_path):
    old = shutil.copytree(OLD, tmp_path / "old")
    bundle = read_bundle(old)
    assert_same(bundle, bundles.make_bundle())
    write_bundle(tmp_path / "new", bundle)
    assert {p.name for p in (tmp_path / "new").iterdir()} == NAMES
    # All that changed is names.
    assert (tmp_path / "new" / WEIGHTS).read_bytes() == (
        OLD / "weights.safetensors"
    ).read_bytes()
    write_bundle(old, bundle, overwrite=True)
    assert {p.name for p in old.iterdir()} == NAMES
    assert_same(read_bundle(old), bundle)
    damaged = shutil.copytree(OLD, tmp_path / "damaged")
    edit(damaged, "weights.safetensors", lambda content: content[:-9])
    with pytest.raises(
        ValueError, match=r"altered or cut short: .*, bundle\.json says"
    ):
        read_bundle(damaged)


def test_the_card_may_be_edited_or_lost(whole, tmp_path):
    directory = shutil.copytree(whole, tmp_path / "bundle")
    ours = (directory / "README.md").read_text()
    (directory / "README.md").write_text("mine")
    assert_same(read_bundle(directory), bundles.make_bundle())
    write_bundle(directory, bundles.make_bundle(), overwrite=True)
    assert (directory / "README.md").read_text() == "mine"
    (directory / "README.md").unlink()
    assert_same(read_bundle(directory), bundles.make_bundle())
    write_bundle(directory, bundles.make_bundle(), overwrite=True)
    assert (directory / "README.md").read_text() == ours


def test_the_card_of_another_bundle_is_replaced(whole, tmp_path):
    directory = shutil.copytree(whole, tmp_path / "bundle")
    other = bundles.make_bundle()._replace(tags=("a", "b", "c"))
    write_bundle(directory, other, overwrite=True)
    text = (directory / "README.md").read_text()
    assert text != (whole / "README.md").read_text()
    assert edited_card(directory) is None


def test_a_run_in_place_of_its_bundle_gets_a_hint(whole, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"not describe a bundle [^;]*$"):
        read_bundle(tmp_path)
    shutil.copytree(whole, tmp_path / "bundle")
    with pytest.raises(ValueError, match=f"; the bundle of this run is {tmp_path}/bun"):
        read_bundle(tmp_path)


def test_nothing_is_overwritten_unless_asked(whole, tmp_path):
    bundle = bundles.make_bundle()
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds files \(mine.txt, …\); .* new or"):
        write_bundle(tmp_path, bundle)
    with pytest.raises(ValueError, match=r"mine\.txt is a file"):
        write_bundle(tmp_path / "mine.txt", bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    again = shutil.copytree(whole, tmp_path / "again")
    write_bundle(again, bundle._replace(seeds=(7, 8)), overwrite=True)
    assert read_bundle(again).seeds == (7, 8)


def test_a_bundle_whose_parts_do_not_fit_is_not_written(tmp_path):
    bundle = bundles.make_bundle()._replace(seeds=(0, 1, 2))
    with pytest.raises(ValueError, match=r"float32 \[3\] as 3 tags, 3 seeds"):
        write_bundle(tmp_path / "new", bundle)
    assert not (tmp_path / "new").exists()


def rewrite(directory, **changes):
    """Changes the description as somebody would who knows the format."""
    content = json.loads((directory / DESCRIPTION).read_text())
    del content["digest"]
    for key, value in changes.items():
        *path, last = key.split("__")
        node = content
        for part in path:
            node = node[part]
        node[last] = value
    content["digest"] = module.digest(content)
    (directory / DESCRIPTION).write_text(json.dumps(content))


def resave(directory, change):
    """Changes the arrays as somebody would who knows the format."""
    arrays = safetensors.numpy.load((directory / WEIGHTS).read_bytes())
    change(arrays)
    replace_weights(directory, safetensors.numpy.save(arrays))


def replace_weights(directory, content):
    (directory / WEIGHTS).write_bytes(content)
    rewrite(directory, **{"sha256": {WEIGHTS: module.sha256(content)}})


def edit(directory, name, change):
    path = directory / name
    path.write_bytes(change(path.read_bytes()))


def to_half(arrays):
    arrays["params/tags/bias"] = arrays["params/tags/bias"].astype(np.float16)


def to_nan(arrays):
    arrays["params/tags/bias"][1, 2] = np.nan


def of_tags(tags, rows=None):
    return {"tags": tags, "thresholds": rows}


DAMAGES = {
    "no folder": (shutil.rmtree, "bundle is no folder. A run's bundle is"),
    "nothing in it": (
        lambda d: [shutil.rmtree(d), d.mkdir()],
        "holds no bundle: it has no config.json",
    ),
    "a file": (
        lambda d: [shutil.rmtree(d), d.touch()],
        "bundle is a file; give the folder of the bundle",
    ),
    "pointers of Git LFS": (
        lambda d: edit(d, WEIGHTS, lambda _: b"version https://git-lfs.github.com/sp"),
        "safetensors is a pointer of Git LFS, and not the file; fetch it: git lfs pull",
    ),
    "no weights": (lambda d: (d / WEIGHTS).unlink(), "safetensors is missing; copy it"),
    "a changed byte": (
        lambda d: edit(d, WEIGHTS, lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        "altered or cut short: its SHA-256 is [0-9a-f]{64}, config.json says [0-9a-f]",
    ),
    "cut weights": (
        lambda d: edit(d, WEIGHTS, lambda b: b[:-9]),
        "safetensors was altered or cut short",
    ),
    "tags changed by hand": (
        lambda d: edit(d, DESCRIPTION, lambda b: b.replace(b"rock", b"folk")),
        "config.json was altered after it was written: its digest is [0-9a-f]{64}",
    ),
    "cut description": (
        lambda d: edit(d, DESCRIPTION, lambda b: b[:100]),
        "config.json cannot be read as JSON",
    ),
    "endless nesting": (
        lambda d: edit(d, DESCRIPTION, lambda b: b"[" * 100_000),
        "config.json cannot be read as JSON",
    ),
    "something else": (
        lambda d: edit(d, DESCRIPTION, lambda b: b'{"format": "tar"}'),
        "does not describe a bundle",
    ),
    "newer format": (
        lambda d: rewrite(d, version=3),
        "has format version 3; this code reads 2 in a file of that name. Use the code",
    ),
    "unknown precision": (
        lambda d: rewrite(d, network__precision="high"),
        "its network.precision is 'high'; it must be one of default, highest",
    ),
    "unknown key": (lambda d: rewrite(d, licence="MIT"), r"'licence'.*; this code kno"),
    "unknown network key": (
        lambda d: rewrite(d, network__gelu=1),
        "network has .*gelu",
    ),
    "other recipe": (
        lambda d: rewrite(d, recipe__version=4),
        "of recipe version 4, and this code makes version 3. Use the code",
    ),
    "unknown recipe key": (lambda d: rewrite(d, recipe__fmin_hz=20), "fmin_hz"),
    "other order of tags": (
        lambda d: rewrite(d, tags=["pop", "rock", "jazz"]),
        "thresholds are of other tags, or in another order",
    ),
    "a tag twice": (lambda d: rewrite(d, **of_tags(["pop"] * 3)), "its 'tags' is"),
    "a tag more": (
        lambda d: rewrite(d, **of_tags(["a", "b", "c", "d"])),
        r"params/tags/bias' of model.safetensors is float32 \[2, 3\], not float32 "
        r"\[2, 4\] as 4 tags, 2 seeds",
    ),
    "unknown dtype": (
        lambda d: rewrite(d, network__dtype="int8"),
        "its network.dtype is 'int8'; it must be one of",
    ),
    "unknown weighting": (
        lambda d: rewrite(d, preprocessing__frequency_weighting="b_weighting"),
        "its preprocessing.frequency_weighting is 'b_weighting'",
    ),
    "no network": (
        lambda d: rewrite(d, network=None),
        "its network is None; it must be an object",
    ),
    "a seed that is none": (
        lambda d: rewrite(d, seeds=[1.5]),
        r"its seeds\[0\] is 1.5; it must be a whole number$",
    ),
    "other poolings": (
        lambda d: rewrite(d, network__pools=[[2, 2]]),
        r"do not fit 24 bands x 40 frames: .* by 2 and leaves 12",
    ),
    "no poolings": (
        lambda d: rewrite(d, network__pools=[]),
        "no layer pools",
    ),
    "poolings of nothing": (
        lambda d: rewrite(d, network__pools=[[0, 4]] * 4),
        r"its network.pools\[0\]\[0\] is 0; it must be a whole number from 1",
    ),
    "endless clips": (
        lambda d: rewrite(d, recipe__duration_s=math.inf),
        "config.json cannot be read as JSON: Infinity is not a number",
    ),
    "numbers for lists": (
        lambda d: rewrite(d, seeds=3),
        "bundle: its seeds is 3; it must be a list",
    ),
    "half precision": (
        lambda d: resave(d, to_half),
        r"is float16 \[2, 3\], not float32 \[2, 3\]",
    ),
    "not a number": (lambda d: resave(d, to_nan), "'params/tags/bias' .* not finite"),
    "an array less": (
        lambda d: resave(d, lambda arrays: arrays.pop("bands/mean")),
        "the array 'bands/mean' of model.safetensors is missing",
    ),
    "an array more": (
        lambda d: resave(d, lambda arrays: arrays.update(extra=np.zeros(1))),
        "the array 'extra' of model.safetensors is not known",
    ),
    "a pickle": (
        lambda d: replace_weights(d, pickle.dumps({"params": 1})),
        "not a usable bundle",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_bundle_is_refused(damage, message, whole, tmp_path):
    directory = shutil.copytree(whole, tmp_path / "bundle")
    damage(directory)
    with pytest.raises(ValueError, match=message):
        read_bundle(directory)


def test_the_snippet_of_the_documentation_reads_it(whole, capsys):
    text = (ROOT / "docs" / "bundle.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(snippet.splitlines()) <= 8
    names = {}
    exec(snippet.replace("networks/first", str(whole)), names)
    assert names["tags"] == ["rock", "pop", "jazz"]
    kernel = bundles.make_bundle().weights.params["tags"]["kernel"]
    np.testing.assert_array_equal(names["arrays"]["params/tags/kernel"], kernel)
