"""The linear baseline: its features, its choice of C and its odd tags."""

import json
import time

import numpy as np
import pytest

from studies import baseline


def make_data(num_clips=(240, 60, 60), num_features=12, num_tags=5, seed=0):
    """Returns features and labels per split, in which tags follow the features."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(num_features, num_tags))
    features, labels = {}, {}
    for split, count in zip(("train", "valid", "test"), num_clips, strict=True):
        features[split] = rng.normal(size=(count, num_features)).astype(np.float32)
        logits = features[split] @ weights
        noise = rng.logistic(size=logits.shape)
        labels[split] = {
            "tags": (logits + noise > 2).astype(np.uint8),
            "true_tags": (logits > 1).astype(np.uint8),
        }
    return features, labels


def test_features_are_mean_and_deviation_below_the_clip_maximum():
    rng = np.random.default_rng(0)
    spectrogram = rng.uniform(-90, 30, (3, 4, 50)).astype(np.float16)
    found = baseline.band_features(spectrogram)
    for clip, row in zip(spectrogram.astype(np.float64), found, strict=True):
        relative = np.maximum(clip - clip.max(), -80)
        np.testing.assert_allclose(row[:4], relative.mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(row[4:], relative.std(axis=1), rtol=1e-5)
    assert found.dtype == np.float32


def test_features_do_not_depend_on_level():
    spectrogram = np.random.default_rng(0).uniform(-50, 0, (2, 4, 9)).astype("f4")
    np.testing.assert_allclose(
        baseline.band_features(spectrogram - 20),
        baseline.band_features(spectrogram),
        atol=1e-4,
    )


def test_padding_is_dropped():
    spectrogram = np.random.default_rng(0).normal(size=(5, 3, 8)).astype(np.float16)
    mask = np.array([True, True, True, False, False])
    batches = [
        {"spectrogram": spectrogram[:3], "mask": mask[:3]},
        {"spectrogram": spectrogram[2:], "mask": mask[2:]},
    ]
    found = baseline.split_features(batches)
    kept = baseline.band_features(spectrogram[[0, 1, 2, 2]])
    np.testing.assert_array_equal(found, kept)


@pytest.mark.parametrize(
    ("spectrogram", "mask", "message"),
    [
        (np.zeros((3, 4)), None, r"shape \(3, 4\)"),
        (np.zeros((3, 4, 5)), np.ones(2, bool), r"mask \(2,\)"),
    ],
)
def test_wrong_shapes_are_named(spectrogram, mask, message):
    with pytest.raises(ValueError, match=message):
        baseline.band_features(spectrogram, mask)


def test_learns_what_is_linear_and_gives_json():
    features, labels = make_data()
    found, _ = baseline.evaluate_baseline(features, labels)
    assert found["scores"]["test"]["true"]["mean"]["roc_auc_macro"] > 0.9
    assert found["scores"]["test"]["num_seeds"] == 1
    json.dumps(found, allow_nan=False)


def test_c_is_the_best_on_the_weak_validation_labels():
    features, labels = make_data()
    found, _ = baseline.evaluate_baseline(features, labels)
    by_c = found["valid_roc_auc_macro"]
    assert by_c[f"{found['C']:g}"] == max(by_c.values())
    labels["valid"]["true_tags"] = 1 - labels["valid"]["true_tags"]
    labels["test"]["tags"] = 1 - labels["test"]["tags"]
    assert baseline.evaluate_baseline(features, labels)[0]["C"] == found["C"]


def test_tags_that_cannot_be_fitted_get_their_share():
    features, labels = make_data()
    labels["train"]["tags"][:, 1], labels["train"]["tags"][:, 3] = 0, 1
    found = baseline.fit_and_score(features, labels["train"]["tags"], c=0.1)
    assert (found["test"][:, 1] == 0).all() and (found["test"][:, 3] == 1).all()
    assert np.ptp(found["test"][:, 0]) > 0


def test_nothing_to_choose_by_takes_the_strongest_penalty():
    features, labels = make_data()
    labels["valid"]["tags"][:] = 0
    labels["valid"]["true_tags"] = None
    found, _ = baseline.evaluate_baseline(features, labels, c_grid=(0.01, 0.1))
    assert found["C"] == 0.01
    assert found["scores"]["valid"]["true"] is None


def test_constant_and_collinear_bands_are_no_trouble():
    features, labels = make_data()
    for split in features:
        features[split][:, 2] = -80
        features[split][:, 3] = features[split][:, 4]
    found, _ = baseline.evaluate_baseline(features, labels)
    assert found["scores"]["test"]["weak"]["mean"]["roc_auc_macro"] > 0.7


def test_rows_must_match():
    features, labels = make_data()
    features["valid"] = features["valid"][1:]
    with pytest.raises(ValueError, match=r"valid split has 59 rows.* 60 clips"):
        baseline.evaluate_baseline(features, labels)


def test_fifty_tags_and_all_mel_bands_are_a_matter_of_seconds():
    features, labels = make_data((600, 100, 200), 192, 50)
    start = time.perf_counter()
    # 0.4 s on two idle cores; all eight values of C on 2,100 clips take 5.5 s.
    baseline.evaluate_baseline(features, labels, c_grid=(0.01,))
    assert time.perf_counter() - start < 30
