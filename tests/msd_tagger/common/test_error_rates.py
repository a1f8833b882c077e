"""Files of error rates, and rates that a loss can use."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.common import error_rates
from msd_tagger.common.error_rates import Rates

TAGS = ("rock", "sad", "a,b")
CSV = "tag,missing,false,missing_low\nsad,0.5,0.02,0.4\nrock,0,0,–\n'a,b,1e-3,0.25,\n"


def write(tmp_path, text, name="rates.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path, tags=TAGS):
    return error_rates.arrange(error_rates.read_rates(path), tags, path)


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
            r"line 1: missing columns \['false'\]\. .* tag, missing, false, and any",
        ),
        ("", r"line 1: missing columns \['tag', 'missing', 'false'\]"),
        ("tag,missing,false\nrock,0.5\n", "line 2: 2 values for 3 columns"),
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


def test_of_many_tags_some_are_named():
    tags = [f"tag {number}" for number in range(1000)]
    known = dict.fromkeys([*tags, "other"], (0.0, 0.0))
    with pytest.raises(ValueError, match=r"it has tag 0, .*tag 4, … \(1000\)$"):
        error_rates.arrange(known, tags, Path("rates.csv"))


@pytest.mark.parametrize(
    "one",
    [
        0.5,
        {"missing": 0},
        {"missing": True, "false": 0},
        {"missing": None, "false": 0},
        {"missing": 10**400, "false": 0},
    ],
)
def test_json_of_another_kind_is_refused(tmp_path, one):
    path = write(tmp_path, json.dumps({"rock": one}), "rates.json")
    with pytest.raises(ValueError, match=r"rates\.json.*rock"):
        error_rates.read_rates(path)
    with pytest.raises(ValueError, match=rf"{re.escape(str(tmp_path))} cannot be read"):
        error_rates.read_rates(tmp_path)


def test_rates_are_cut_where_a_loss_could_not_use_them():
    counted = Rates(np.array([np.nan, 1.0, 0.6, 0.02]), np.array([0, 0.3, 0.5, 0.01]))
    missing, false = error_rates.usable(counted)
    np.testing.assert_allclose(missing, [0, 0.699, 0.499, 0.02])
    np.testing.assert_allclose(false, counted.false)
    doubled = error_rates.usable(counted, 2.0)
    np.testing.assert_allclose(doubled.missing[3], 0.04 / 1.02)
    assert np.all(doubled.missing + doubled.false <= error_rates.MOST + 1e-9)
    np.testing.assert_allclose(error_rates.usable(doubled, 0.5).false, false)
