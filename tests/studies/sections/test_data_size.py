"""Fig. 5 from made-up points: gains per doubling, mel against STFT, bins."""

import dataclasses

import librosa
import numpy as np
import pandas as pd
import pytest

from msd_tagger.pages import style
from studies import comparison, statistics
from studies.sections import data_size
from studies.study import FAILS, HOLDS, UNDECIDED
from tests import sweeps


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return sweeps.write_sweep(folder, sweeps.size_points())


def claims_of(study):
    return {claim.statement: claim for claim in study.claims}


def verdict(study, start):
    (found,) = [one for one in study.claims if one.statement.startswith(start)]
    return found.verdict


def test_a_line_of_skill_gives_a_line_of_scores(record):
    study = data_size.study(record)
    assert verdict(study, "Neither") in (HOLDS, UNDECIDED)
    assert verdict(study, "Mel leads") == HOLDS
    (cost,) = [one for one in study.claims if one.statement.startswith("Mel leads")]
    assert cost.here == "STFT takes 2.50 times as long per clip"
    one_size = data_size.claim_of_cost(pd.DataFrame({"ratio": [2.5]}))
    assert (one_size.here, one_size.verdict) == (cost.here, UNDECIDED)
    assert "nan" not in one_size.why
    half = pd.DataFrame({"ratio": [2.4, 2.5, 2.6]})
    assert data_size.claim_of_cost(half).verdict == HOLDS
    assert data_size.claim_of_cost(half, ["a is missing"]).verdict == UNDECIDED


def line(bend=0.0, noise=0.0, slope=0.02):
    """Seven sizes; the gain changes by that share of itself from the middle to ends."""
    doublings = np.arange(-3.0, 4)
    curve = bend / 6 * doublings**2 + noise * np.array([1, -1, 0, 1, -1, 0, 1])
    scores = 0.7 + slope * (doublings + curve)
    return statistics.fit_line(100 * 2**doublings, scores)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({"mel": line(noise=0.1), "stft": line(0.2, noise=0.1)}, HOLDS),
        ({"mel": line(noise=0.1), "stft": line(-0.9, noise=0.1)}, FAILS),
        ({"mel": line(noise=0.1), "stft": line(0.3, noise=0.4)}, UNDECIDED),
        ({"mel": line(slope=-0.02, noise=0.1)}, FAILS),
    ],
)
def test_a_line_rises_and_hardly_bends(lines, expected):
    assert data_size.claim_of_line(lines, []).verdict == expected
    part = data_size.claim_of_line(lines, ["size-mel-002 is missing"])
    assert part.verdict == UNDECIDED
    assert expected == UNDECIDED or "together, and size-mel-002 is miss" in part.why


def test_sizes_at_chance_are_in_no_line(tmp_path):
    """With one that is left out go all smaller ones, though one may be lucky."""
    points = sweeps.size_points()
    for name in points:
        if "stft" in name or name == "size-mel-004":
            points[name]["skill"] = 0.0
        if name.endswith("100") and "mel" in name:
            points[name]["skill"] = points["size-mel-064"]["skill"] - 0.1
    record = sweeps.write_sweep(tmp_path, points)
    sizes, placed = (
        data_size.sizes_of(record.points),
        comparison.place(record.points, "weak"),
    )
    above = data_size.above_chance(sizes, placed)
    assert {*above.kind} == {"mel"}
    assert list(above.share) == list(sweeps.SIZES[2:])
    study = data_size.study(record)
    claims = {one.statement.split()[0]: one for one in study.claims}
    for one in (claims["Exponentially"], claims["AUC"]):
        assert one.verdict == UNDECIDED
        assert "chance and left out: mel 2 %, mel 4 %, STFT 2 %," in one.why
    # By mel alone the last step falls short.
    assert claims["AUC"].why.endswith("and STFT is above chance at 0 sizes only.")
    table = next(one for one in study.tables if one.caption.startswith("Straight"))
    assert table.rows[0][0] == "mel, weak labels"
    style.svg(study.illustrations[0].draw, "light")


def test_the_table_has_a_row_a_size_and_a_column_a_kind_of_labels(record):
    table = data_size.study(record).tables[0]
    assert table.rows[0][0] == "12 (2 %)"
    assert len(table.rows) == len(sweeps.SIZES)
    assert table.header[1:] == [
        "mel, weak labels",
        "STFT, weak labels",
        "mel, true labels",
        "STFT, true labels",
    ]
    mean = comparison.auc(record.points["size-stft-002"], "true").mean()
    assert table.rows[0][4].startswith(f"{mean:.4f} ± ")


def test_the_figure_prints_the_differences_and_draws_in_both_themes(record):
    study = data_size.study(record)
    figure = study.illustrations[0].draw()
    texts = [text.get_text().replace("−", "-") for text in figure.axes[0].texts]
    gap = (
        comparison.auc(record.points["size-mel-100"]).mean()
        - comparison.auc(record.points["size-stft-100"]).mean()
    )
    assert f"{gap:+.4f}" in texts
    for theme in style.THEMES:
        style.svg(study.illustrations[1].draw, theme)


def test_neither_wins_where_both_intervals_are_narrow():
    placed, weights = wide_and_narrow(), {"mel": 1.0, "stft": -1.0}
    narrow = comparison.Comparison(
        "mel − STFT at 64 %",
        weights,
        values=pd.Series([0.0004, 0.0006, 0.0002]),
        run_std=0.001,
        clips_error=placed["narrow"].error(weights),
        is_informed=True,
    )
    claims = data_size.claims_of_kinds([narrow], placed["narrow"])
    assert [one.verdict for one in claims] == [HOLDS, HOLDS]
    error = placed["wide"].error(weights)
    wide = dataclasses.replace(narrow, clips_error=error)
    claims = data_size.claims_of_kinds([wide], placed["wide"])
    assert [one.verdict for one in claims] == [UNDECIDED, UNDECIDED]
    dull = dataclasses.replace(narrow, is_informed=False)
    claims = data_size.claims_of_kinds([dull], placed["narrow"])
    assert [one.verdict for one in claims] == [UNDECIDED, UNDECIDED]
    claims = data_size.claims_of_kinds([narrow, dull], placed["narrow"])
    assert [one.verdict for one in claims] == [UNDECIDED, HOLDS]
    assert "mean of sizes, 1 near chance left out: " in claims[1].why
    assert "of their larger half: " in claims[1].why


def wide_and_narrow():
    """Test clips that two runs place nearly alike, and quite differently."""
    labels = np.tile([0, 1], 50)[:, None]
    mel = np.linspace(0.6, 0.9, 100)[:, None]
    moved = np.sin(np.arange(100))[:, None]
    placements = {k: {"mel": mel, "stft": mel + k * moved} for k in (0.005, 0.2)}
    narrow, wide = (comparison.Placed(labels, one) for one in placements.values())
    return {"narrow": narrow, "wide": wide}


def test_a_clear_winner_is_seen(tmp_path):
    points = sweeps.size_points()
    for point in points.values():
        point["skill"] += 0.6 * (point["kind"] == "mel")
    study = data_size.study(sweeps.write_sweep(tmp_path, points))
    assert verdict(study, "Mel and STFT differ by at most") == FAILS
    assert verdict(study, "Neither") == FAILS


def test_saturation_needs_a_last_step_below_the_line(tmp_path):
    points = sweeps.size_points()
    level = points["size-mel-064"]["skill"]
    for point in points.values():
        if point["fraction"] == 1.0:
            point["skill"] = level - 0.1
    study = data_size.study(sweeps.write_sweep(tmp_path, points))
    assert verdict(study, "AUC starts") == HOLDS


def test_growth_goes_on_where_the_last_step_is_large(tmp_path):
    points = sweeps.size_points()
    for point in points.values():
        point["skill"] += 0.5 * (point["fraction"] == 1.0)
    study = data_size.study(sweeps.write_sweep(tmp_path, points))
    assert verdict(study, "AUC starts") == FAILS


@pytest.mark.parametrize("complete", [("002", "004"), ("002", "100")])
def test_a_part_of_an_average_decides_nothing(tmp_path, complete):
    """STFT's steps are the steepest while its large sizes are not trained."""
    points = sweeps.size_points()
    for point in points.values():
        if point["fraction"] == 1.0:
            point["skill"] = points["size-mel-064"]["skill"] - 0.1
    away = [name for name in points if "stft" in name and name[-3:] not in complete]
    some = {name: point for name, point in points.items() if name not in away}
    study = data_size.study(sweeps.write_sweep(tmp_path, some, missing=tuple(away)))
    found = next(one for one in study.claims if one.statement.startswith("AUC starts"))
    assert found.verdict == UNDECIDED and "STFT" not in found.here
    assert verdict(study, "Neither") == UNDECIDED
    assert verdict(study, "Exponentially") == UNDECIDED


def test_few_points_leave_things_open(tmp_path):
    points = {
        name: point | {"num_seeds": 1, "with_truth": False, "clips_per_s": None}
        for name, point in sweeps.size_points(("mel",)).items()
        if name in ("size-mel-064", "size-mel-100")
    }
    record = sweeps.write_sweep(tmp_path, points, missing=("size-mel-002",))
    study = data_size.study(record)
    assert {claim.verdict for claim in study.claims} == {UNDECIDED}
    assert "Not complete: size-mel-002 is missing." in study.paragraphs[0]
    style.svg(study.illustrations[0].draw, "light")


def test_a_study_without_points_says_so(tmp_path):
    study = data_size.study(sweeps.write_sweep(tmp_path, {}))
    assert "No point" in study.paragraphs[0]


def test_times_on_other_devices_are_no_comparison(record, monkeypatch):
    sizes = data_size.sizes_of(record.points)
    assert len(data_size.times_per_clip(sizes)) == 7
    # 40 clips/s for all seeds, and 16 for STFT.
    expected = 1000 / 40 / sweeps.SEEDS, 1000 / 16 / sweeps.SEEDS, 2.5
    assert tuple(data_size.times_per_clip(sizes).loc[1.0]) == pytest.approx(expected)
    other = record.points["size-stft-100"].environment
    monkeypatch.setitem(other, "device", "gpu x 1")
    assert 1.0 not in data_size.times_per_clip(sizes).index


@pytest.mark.parametrize("rate", [12_000, 16_000, 1_500])
def test_mel_widths_are_librosas(rate):
    centres = librosa.mel_frequencies(96 + 2, fmin=0, fmax=rate / 2)
    assert data_size.mel_width_hz(rate, 96) == pytest.approx(np.diff(centres)[0])


def test_the_papers_mel_width_goes_up_to_12_khz():
    centres = librosa.mel_frequencies(96, fmin=0, fmax=12_000)
    assert round(float(np.diff(centres)[0]), 1) == 35.9
