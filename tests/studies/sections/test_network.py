"""The study of the networks draws what was described, and corrects Table II."""

import json

import pytest

from msd_tagger.network.describe import describe
from studies.records import SweepRecord
from studies.sections import network
from studies.study import FAILS, HOLDS, UNDECIDED


@pytest.fixture(scope="module")
def described():
    return describe()


def study_of(folder, networks, **config):
    (folder / "network.json").write_text(json.dumps(networks))
    return network.study(SweepRecord(folder, config, {}, {}))


def test_fig_3_and_table_2(tmp_path, described):
    study = study_of(tmp_path, described)
    assert [claim.verdict for claim in study.claims] == [HOLDS, FAILS, HOLDS]
    assert study.claims[0].here == "39,282"
    assert "2.62 times" in study.claims[2].here
    assert "multiply to 256" in study.paragraphs[1]
    assert "left with 48, 12, 3, 1, 0 bands" in study.paragraphs[1]
    assert "fit the 257 bins of the STFT" in study.paragraphs[1]
    table = study.tables[0]
    assert table.rows[0] == [
        *("input", "(1, 96, 1360)", "–", "(1, 96, 1360)", "–", "(1, 257, 1360)")
    ]
    assert table.rows[2] == [
        "conv2",
        "(32, (3, 3)) and (4, 4)",
        "(32, (3, 3)) and (3, 4)",
        "(32, 16, 85)",
        "(32, (3, 3)) and (4, 4)",
        "(32, 32, 85)",
    ]
    assert study.tables[1].rows[-1][1] == "39,282"
    (figure,) = study.illustrations
    texts = [text.get_text() for axes in figure.draw().axes for text in axes.texts]
    assert "conv 3×3\npool 3×4" in texts and "50\ntags" in texts


def test_one_network_alone(tmp_path, described):
    study = study_of(tmp_path, {"stft": described["stft"]})
    assert study.claims == [] and len(study.tables) == 2
    study.illustrations[0].draw()


def test_nothing_of_the_papers_is_claimed_of_other_networks(tmp_path):
    inputs = {"mel": ((96, 1360), ((8, 34), (12, 40)))}
    asked = {"model": {"pools": [[8, 34], [12, 40]]}, "spectrogram": {"kind": "mel"}}
    study = study_of(tmp_path, describe(inputs=inputs), **asked)
    assert study.claims == []
    assert "mel network pools (8, 34), (12, 40), as the conf" in study.paragraphs[1]
    assert "There is no STFT network" in study.paragraphs[1]
    wider = study_of(tmp_path, describe(channels=8)).claims[0]
    assert wider.verdict == UNDECIDED and "8 feature maps were asked for" in wider.why


def test_without_a_description(tmp_path):
    study = network.study(SweepRecord(tmp_path, {}, {}, {}))
    assert study.paragraphs == ["There is no network.json: the networks are left out."]
