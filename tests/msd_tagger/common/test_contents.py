"""What is expected of a file's content, and the sentence where it is otherwise."""

import numpy as np
import pytest

from msd_tagger.common.contents import (
    COUNT,
    NUMBER,
    SHARE,
    Array,
    Each,
    Maybe,
    OneOf,
    check,
)

EXPECTED = {
    "steps": COUNT,
    "tags": Each(str, "K"),
    "split": OneOf(("train", "test")),
    "mean": {"auc": Maybe(SHARE)},
    "by_name?": Each(NUMBER),
    "scores": Array("f", "K ."),
}
WHOLE = {
    "steps": 3,
    "tags": ["rock", "pop"],
    "split": "test",
    "mean": {"auc": None},
    "by_name": {"x": 1, "y": -2.5},
    "scores": np.zeros((2, 5)),
    "more": object(),
}


def test_what_is_expected_passes():
    sizes = {}
    check(WHOLE, EXPECTED, "a.json: ", sizes)
    check(WHOLE | {"mean": {"auc": 1}}, EXPECTED, "b.json: ", sizes)
    assert sizes == {"K": (2, "a.json: tags")}


WRONG = {
    "no object": ([], r"a.json:  is \[\]; it must be an object"),
    "missing": ({"steps": 3}, "a.json has no 'tags', but steps"),
    "float": ({"steps": 3.0}, "steps is 3.0; it must be a whole number from 0"),
    "truth": ({"steps": True}, "steps is True; it must be a whole number"),
    "huge": ({"steps": 10**300}, r"steps is 1000.* …; it must be a whole number"),
    "item": ({"tags": ["rock", 7]}, r"tags\[1\] is 7; it must be text"),
    "list": ({"tags": "rock"}, "tags is 'rock'; it must be a list"),
    "choice": ({"split": []}, r"split is \[\]; it must be one of train, test"),
    "share": ({"mean": {"auc": 1.5}}, "mean.auc is 1.5; it must be a number from 0"),
    "infinite": ({"by_name": {"x": float("inf")}}, r"by_name\[x\] is inf"),
    "size": ({"scores": np.zeros((3, 5))}, "scores has the size 3, and .*tags has 2"),
    "axes": ({"scores": np.zeros(2)}, r"scores is float64 \(2,\); .*\[K, \.\]"),
    "type": ({"scores": np.array([["a"]])}, "scores is <U1"),
    "NaN": ({"scores": np.full((2, 5), np.nan)}, "scores has values that are not fin"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_is_named(name):
    change, message = WRONG[name]
    found = change if name in ("no object", "missing") else WHOLE | change
    with pytest.raises(ValueError, match=message):
        check(found, EXPECTED, "a.json: ")
