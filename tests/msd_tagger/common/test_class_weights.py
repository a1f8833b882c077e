import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from msd_tagger.common import class_weights


def test_inverse_frequencies_are_those_of_scikit_learn():
    tags = np.random.default_rng(0).random((200, 4)) < [0.02, 0.3, 0.9, 0.5]
    found = class_weights.balanced(tags)
    for k in range(4):
        negative, positive = compute_class_weight(
            "balanced", classes=np.array([False, True]), y=tags[:, k]
        )
        assert found.positive[k] == pytest.approx(positive)
        assert found.negative[k] == pytest.approx(negative)
    given = np.where(tags, found.positive, found.negative)
    np.testing.assert_allclose(given.mean(0), 1)


def test_tags_that_tell_nothing_weigh_one():
    found = class_weights.balanced(np.array([[0, 1], [0, 1]]))
    np.testing.assert_array_equal(np.stack(found), 1)


def test_a_file_of_weights(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text("tag,negative,positive,note\nrock,1,4.5,loud\njazz,0.5,2,\n")
    known = class_weights.read(path)
    found = class_weights.arrange(known, ("jazz", "rock"), path)
    assert found.positive.tolist() == [2, 4.5] and found.negative.tolist() == [0.5, 1]
    with pytest.raises(
        ValueError, match=r"no row for pop \(1\); .* row, with 1,1 where"
    ):
        class_weights.arrange(known, ("jazz", "rock", "pop"), path)
    with pytest.raises(ValueError, match=r"rows for tags that the corpus lacks: rock"):
        class_weights.arrange(known, ("jazz",), path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag,positive\nrock,1\n", "missing columns .'negative'.. Expected"),
        (
            "tag,positive,negative\nrock,-1,1\n",
            r"line 2: '-1' is not a weight, a number",
        ),
        ("tag,positive,negative\nrock,inf,1\n", "line 2: 'inf' is not a weight"),
        ("tag,positive,negative\nrock,1_0,1\n", "line 2: '1_0' is not a weight"),
        ("tag,positive,negative\nrock,1,much\n", "line 2: 'much' is not a weight"),
        (
            "tag,positive,negative\na,1,1\na,1,1\n",
            "line 3: the tag a stands there twice",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "weights.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}.*{message}"):
        class_weights.read(path)
