"""The table of keys and the page made of it."""

import re
from pathlib import Path

from configs import default, sweeps
from configs.keys import KEYS, PLACES, Range, markdown, settle_places

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_that_of_the_table():
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    assert page == markdown(), "python -m configs.keys > docs/keys.md"


def test_the_page_links_other_pages_and_shows_angle_brackets():
    page = markdown()
    assert "([watching.md](watching.md))" in page and "docs/" not in page
    assert "&lt;workdir>/profile" in page and "<" not in page


def test_every_key_says_what_it_means_and_what_is_allowed():
    for key in KEYS.values():
        assert key.meaning.endswith((".", "…")), key
        assert key.allowed, key
        if not isinstance(key.allowed, str) and isinstance(key.default, str | float):
            assert key.default in key.allowed, key


def test_units_are_those_of_the_names():
    found = {name: key.unit for name, key in KEYS.items() if key.unit}
    assert found["train.batch_size"] == "clips"
    assert found["spectrogram.sample_rate_hz"] == "Hz"
    assert found["train.checkpoint_every_minutes"] == "minutes"
    assert "num_seeds" not in found


def test_a_range_has_ends():
    assert 0 in Range(0, 1) and 0 not in Range(0, 1, above=True)
    assert 1 in Range(0, 1, above=True) and 1.5 not in Range(0, 1)
    assert float("nan") not in Range(0, 1)
    assert str(Range(0, 1, above=True)) == "more than 0 and at most 1"


def test_places_are_the_keys_that_may_be_a_folder_or_a_file():
    texts = {n: key.allowed for n, key in KEYS.items() if isinstance(key.allowed, str)}
    named = {name for name in texts if re.search(r" folder|(?i:file)", texts[name])}
    assert named == {*PLACES}


def test_a_tilde_is_the_home_folder_whoever_wrote_it(monkeypatch):
    monkeypatch.setenv("HOME", "/homes/ann")
    config = default.get_config(
        corpus__audio_dir="~/music",
        analysis__annotations=("~/a.csv", "./~", "b~.csv"),
        analysis__annotated_labels=("~", "~/x"),  # Labels may be anything.
        sweep=(("a", (("train.init_bundle", "~/b"), ("name", "~"))),),
    )
    settle_places(config)
    assert config.corpus.audio_dir == "/homes/ann/music"
    assert config.analysis.annotations == ("/homes/ann/a.csv", "./~", "b~.csv")
    assert config.analysis.annotated_labels == ("~", "~/x")
    at_point = sweeps.at(config, config.sweep[0])
    assert (at_point.train.init_bundle, at_point.name) == ("/homes/ann/b", "~")
