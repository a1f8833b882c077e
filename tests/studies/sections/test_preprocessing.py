"""Fig. 7 from a made-up grid in which decibels matter and nothing else does."""

import dataclasses

import numpy as np
import pytest

from msd_tagger.pages import style
from studies import comparison
from studies.sections import preprocessing
from studies.study import FAILS, HOLDS, UNDECIDED
from tests import sweeps


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    points = sweeps.grid_points() | sweeps.size_points(("mel",))
    return sweeps.write_sweep(tmp_path_factory.mktemp("sweep"), points)


@pytest.fixture(scope="module")
def study(record):
    return preprocessing.study(record)


def claim(study, start):
    (found,) = [one for one in study.claims if one.statement.startswith(start)]
    return found


def test_what_matters_is_found(study):
    assert claim(study, "Decibel-scaled mel").verdict == HOLDS
    assert claim(study, "Decibel-scaled mel").here.startswith("above in 6 of 6 pairs")
    assert claim(study, "Decibel-scaled STFT").verdict == HOLDS
    assert claim(study, "On average, decibels").verdict == HOLDS
    assert claim(study, "No frequency weighting").verdict == UNDECIDED
    # 160 test clips cannot show that something makes no difference.
    assert claim(study, "Frequency weighting").verdict == UNDECIDED
    assert claim(study, "Multiplying").verdict == UNDECIDED


def test_what_does_not_matter_is_found_where_noise_is_small(tmp_path):
    points = sweeps.grid_points()
    for point in points.values():
        point |= {"jitter": 0.001, "own_noise": 0.005, "num_clips": 400}
    record = sweeps.write_sweep(tmp_path, points)
    study = preprocessing.study(record)
    assert claim(study, "Frequency weighting").verdict == HOLDS
    assert claim(study, "Multiplying").verdict == HOLDS
    assert claim(study, "No frequency weighting").verdict == HOLDS
    assert "12 of 12 lie within ± 0.005" in claim(study, "Frequency weighting").why
    # Of a part it cannot be said; points of STFT are no part of this.
    for absent, verdict in (("pre-x", UNDECIDED), ("pre-stft-db", HOLDS)):
        part = preprocessing.study(dataclasses.replace(record, missing=(absent,)))
        found = claim(part, "Frequency weighting")
        assert found.verdict == verdict
        assert claim(part, "No frequency weighting").verdict == verdict
        assert claim(part, "On average, decibels").verdict == verdict
        assert (f"but {absent} is missing." in found.why) == (verdict == UNDECIDED)


def test_every_pair_is_compared_once(record):
    chosen = record.select("pre-")
    found = preprocessing.compare_all(chosen, comparison.place(chosen, "weak"), "weak")
    sizes = {name: len(pairs) for name, pairs in found.items()}
    # A pair of STFT points, six of magnitudes and scales, three for each of 4 groups.
    assert sizes == {"magnitude": 6, "weighting": 12, "scale": 6, "stft": 1}
    points = record.points
    gap = comparison.auc(points["pre-db-bypass-x10"]) - comparison.auc(
        points["pre-linear-bypass-x10"]
    )
    (pair,) = [
        one for one in found["magnitude"] if one.name == "dB − linear, bypass, ×10"
    ]
    assert pair.mean == pytest.approx(gap.mean())


def test_a_weighting_that_matters_fails_the_claim(tmp_path):
    points = sweeps.grid_points()
    for name, point in points.items():
        point["skill"] -= 0.9 * ("a_weighting" in name)
    study = preprocessing.study(sweeps.write_sweep(tmp_path, points))
    assert claim(study, "Frequency weighting").verdict == FAILS
    assert "A-weighting" in claim(study, "Frequency weighting").why
    assert claim(study, "No frequency weighting").verdict == FAILS
    assert claim(study, "No frequency weighting").here.count(" ± ") == 3
    assert claim(study, "Seemingly").verdict == UNDECIDED


def test_linear_ahead_fails_the_claim(tmp_path):
    record = sweeps.write_sweep(tmp_path, sweeps.grid_points(gap=-0.6))
    study = preprocessing.study(record)
    assert claim(study, "Decibel-scaled mel").verdict == FAILS
    assert claim(study, "On average, decibels").verdict == FAILS
    assert claim(study, "Decibel-scaled STFT").verdict == FAILS


def test_runs_that_do_not_tell_db_from_linear_tell_nothing(tmp_path):
    record = sweeps.write_sweep(tmp_path, sweeps.grid_points(gap=0.0))
    study = preprocessing.study(record)
    assert claim(study, "Decibel-scaled mel").verdict == UNDECIDED
    assert claim(study, "Multiplying").verdict == UNDECIDED
    why = claim(study, "Multiplying").why
    assert "0 of 6 lie within ± 0.005" in why
    # How close to no difference they are shown to be.
    points = record.select("pre-")
    placed = comparison.place(points, "weak")
    pairs = preprocessing.compare_all(points, placed, "weak")["scale"]
    assert why.endswith(f" All are within ± {max(farthest(pairs)):.4f} (95 %).")


def farthest(pairs):
    return [abs(end) for one in pairs for end in one.interval()]


def test_what_db_is_worth_is_read_off_the_sizes(record, study):
    found = claim(study, "Seemingly")
    chosen = record.select("pre-")
    placed = comparison.place(chosen, "weak")
    pairs = preprocessing.compare_all(chosen, placed, "weak")["magnitude"]
    mean = comparison.average("", pairs, placed)
    scores = [
        comparison.auc(record.points[f"size-mel-{share:03.0f}"]).mean()
        for share in np.array(sweeps.SIZES) * 100
    ]
    assert scores == sorted(scores)
    doublings = np.interp(scores[-1] - mean.mean, scores, np.log2(sweeps.SIZES))
    assert found.here.startswith(f"{2**-doublings:.3g} times the data (95 %: ")


def test_what_db_is_worth_needs_the_mel_sizes_alone(tmp_path):
    points = sweeps.grid_points() | sweeps.size_points(("mel",))
    for point in points.values():
        point |= {"jitter": 0.001, "own_noise": 0.005, "num_clips": 400}
    record = sweeps.write_sweep(tmp_path, points)
    whole = claim(preprocessing.study(record), "Seemingly")
    assert whole.verdict != UNDECIDED
    for absent, is_needed in (("size-mel-064", True), ("size-stft-064", False)):
        part = preprocessing.study(dataclasses.replace(record, missing=(absent,)))
        found = claim(part, "Seemingly")
        assert found.verdict == (UNDECIDED if is_needed else whole.verdict)
        assert (f"{absent} is missing" in found.why) == is_needed


def test_biases_without_a_gradient_are_zero_over_zero(study):
    found = claim(study, "Scaling")
    assert found.verdict == UNDECIDED
    assert "convolution's bias: 0/0" in found.here
    assert "β: 10 (10 to 10 over 6 pairs)" in found.here
    assert "exact gradient of the convolution's bias is zero" in found.why
    (table,) = [one for one in study.tables if one.caption.startswith("The first")]
    assert table.rows[0][-1] == "0/0"
    assert table.rows[1][1:] == ["0.2", "2", "10"]


def test_a_ratio_of_biases_by_hand():
    assert preprocessing.ratio(0.68, 0.2) == "3.4"
    assert preprocessing.ratio(0.5, 0.0) == "0.5/0"


@pytest.mark.parametrize("theme", list(style.THEMES))
def test_the_figure_draws_four_groups_and_the_sizes(study, theme):
    style.svg(study.illustrations[0].draw, theme)
    left, right = study.illustrations[0].draw().axes
    drawn = [[points_of(one) for one in axes.containers] for axes in (left, right)]
    assert [len(one) for one in drawn[0]] == [4, 4, 4]
    assert [len(one) for one in drawn[1]] == [len(sweeps.SIZES)]
    names = [text.get_text().split("\n")[0] for text in left.get_xticklabels()]
    assert names == ["1", "1s", "2", "2s"]
    # Nothing is cut, the lines of deviations neither.
    low, high = left.get_ylim()
    ends = [
        height
        for axes in (left, right)
        for container in axes.containers
        for line in container[2][0].get_segments()
        for height in line[:, 1]
    ]
    assert low < min(ends) and max(ends) < high


def points_of(container):
    return container[0].get_ydata()


def test_a_few_points_of_one_seed_leave_things_open(tmp_path):
    names = ("pre-db-bypass-x1", "pre-linear-bypass-x1", "pre-db-bypass-x10")
    some = {
        name: point | {"num_seeds": 1, "with_truth": False}
        for name, point in sweeps.grid_points().items()
        if name in names
    }
    record = sweeps.write_sweep(tmp_path, some, missing=("pre-stft-db",))
    study = preprocessing.study(record)
    assert {one.verdict for one in study.claims} == {UNDECIDED}
    assert "Not complete: pre-stft-db is missing." in study.paragraphs[0]
    style.svg(study.illustrations[0].draw, "light")
    stft = {k: v for k, v in sweeps.grid_points().items() if k.startswith("pre-stft-")}
    study = preprocessing.study(sweeps.write_sweep(tmp_path / "stft", stft))
    assert claim(study, "Decibel-scaled STFT").verdict == HOLDS
    assert not study.illustrations  # Fig. 7 is of mel spectrograms.
    empty = preprocessing.study(sweeps.write_sweep(tmp_path / "empty", {}))
    assert "No point" in empty.paragraphs[0]
