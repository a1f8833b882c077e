"""Files of error rates, and labels that are made noisier on purpose."""

import json
import re

import numpy as np
import pytest

from msd_tagger.common import label_noise
from msd_tagger.common.label_noise import Rates

TAGS = ("rock", "sad", "a,b")
CSV = "tag,missing,false,missing_low\nsad,0.5,0.02,0.4\nrock,0,0,–\n'a,b,1e-3,0.25,\n"


def write(tmp_path, text, name="rates.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path, tags=TAGS):
    return label_noise.arrange(label_noise.read_rates(path), tags, path)


def test_rates_come_in_the_order_of_the_corpus(tmp_path):
    text = CSV.replace("'a,b", '"a,b"')
    found = read(write(tmp_path, text))
    np.testing.assert_array_equal(found.missing, [0, 0.5, 0.001])
    np.testing.assert_array_equal(found.false, [0, 0.02, 0.25])
    known = {
        tag: {"missing": m, "false": f, "why": "heard"}
        for tag, m, f in zip(TAGS, *found, strict=True)
    }
    again = read(write(tmp_path, json.dumps(known), "rates.json"))
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tag,missing\nrock,0.5\n",
            r"line 1: the columns are tag,missing; .* tag,missing,false, perhaps",
        ),
        ("", "line 1: the columns are missing; they must be tag,"),
        ("tag,missing,false\nrock,0.5\n", "line 2: 2 values; there are 3 columns"),
        ("tag,missing,false\nrock,x,0\n", "line 2: missing is 'x'; it must be a share"),
        ("tag,missing,false\nrock,0,1\n", "line 2: false is '1'; it must be a share"),
        ("tag,missing,false\nrock,0,nan\n", "line 2: false is 'nan'"),
        ("tag,missing,false\nrock,-0.1,0\n", "line 2: missing is '-0.1'"),
        ("tag,missing,false\nrock,.8,.2\n", "missing and false of rock sum to 1;"),
        (
            "tag,missing,false\nrock,0,0\nrock,0,0\n",
            "line 3: the tag rock stands",
        ),
        ("tag,missing,false\nrock,0,0\n", r"no row for sad, a,b \(2\); give every tag"),
        (
            'tag,missing,false\nrock,0,0\nsad,0,0\n"a,b",0,0\nRock,0,0\n',
            r"rows for tags that the corpus lacks: Rock \(1\); it has rock, sad",
        ),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"rates\.csv.*{message}"):
        read(write(tmp_path, text))


@pytest.mark.parametrize("one", [0.5, {"missing": 0}, {"missing": True, "false": 0}])
def test_json_of_another_kind_is_refused(tmp_path, one):
    path = write(tmp_path, json.dumps({"rock": one}), "rates.json")
    with pytest.raises(ValueError, match=r"rates\.json.*rock"):
        label_noise.read_rates(path)
    with pytest.raises(ValueError, match=rf"{re.escape(str(tmp_path))} cannot be read"):
        label_noise.read_rates(tmp_path)


def test_rates_are_cut_where_a_loss_could_not_use_them():
    counted = Rates(np.array([np.nan, 1.0, 0.6, 0.02]), np.array([0, 0.3, 0.5, 0.01]))
    missing, false = label_noise.usable(counted)
    np.testing.assert_allclose(missing, [0, 0.699, 0.499, 0.02])
    np.testing.assert_allclose(false, counted.false)
    doubled = label_noise.usable(counted, 2.0)
    np.testing.assert_allclose(doubled.missing[3], 0.04 / 1.02)
    assert np.all(doubled.missing + doubled.false <= label_noise.MOST + 1e-9)
    np.testing.assert_allclose(label_noise.usable(doubled, 0.5).false, false)


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    ids = [f"clip {n}" for n in range(4000)]
    return (rng.random((4000, 3)) < (0.5, 0.2, 0.05)).astype(np.uint8), ids


def noisy(labels, ids, tags=TAGS, drop=0.0, flip=0.0, seed=0):
    return label_noise.add_noise(labels, ids, tags, drop=drop, flip=flip, seed=seed)


def test_noise_has_the_rates_that_are_asked_for(labels):
    dropped = label_noise.count_rates(noisy(*labels, drop=0.4), labels[0])
    np.testing.assert_allclose(dropped.missing, 0.4, atol=0.12)
    np.testing.assert_allclose(dropped.missing[0], 0.4, atol=0.03)
    np.testing.assert_array_equal(dropped.false, 0)
    flipped = label_noise.count_rates(noisy(*labels, flip=0.1), labels[0])
    np.testing.assert_allclose(flipped.false, 0.1, atol=0.02)
    np.testing.assert_allclose(flipped.missing[:2], 0.1, atol=0.04)
    np.testing.assert_array_equal(noisy(*labels), labels[0])
    both = label_noise.count_rates(noisy(*labels, drop=0.4, flip=0.1), labels[0])
    np.testing.assert_allclose(both.missing[0], 0.4 * 0.9 + 0.6 * 0.1, atol=0.04)


def test_noise_depends_on_seed_clip_and_tag_alone(labels):
    tags, ids = labels
    rates = {"drop": 0.3, "flip": 0.2}
    whole = noisy(tags, ids, **rates)
    rows, columns = np.random.default_rng(1).permutation(4000)[:1000], [2, 0]
    some = noisy(
        tags[rows][:, columns],
        [ids[row] for row in rows],
        [TAGS[k] for k in columns],
        **rates,
    )
    np.testing.assert_array_equal(some, whole[rows][:, columns])
    other = noisy(tags, ids, **rates, seed=1)
    assert 0.2 < np.mean(other != whole) < 0.5
    # Of clips and of tags: neither decides alone.
    changed = noisy(np.zeros_like(tags), ids, flip=0.2)
    assert abs(np.corrcoef(changed.T) - np.eye(3)).max() < 0.06
    assert len(np.unique(changed, axis=0)) == 8


def test_more_noise_holds_less(labels):
    little, much = (noisy(*labels, drop=rate) for rate in (0.2, 0.6))
    assert np.all(much <= little) and much.sum() < little.sum()
    little, much = (noisy(*labels, flip=rate) != labels[0] for rate in (0.05, 0.3))
    assert np.all(little <= much)
