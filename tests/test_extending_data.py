"""The front end and the reader of docs/extending.md, from a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from input_pipeline import catalogue
from msd_tagger.bundle.format import read_bundle
from msd_tagger.commands import export
from msd_tagger.commands.command_line import Options
from msd_tagger.tagging import songs
from msd_tagger.tagging.tagger import Tagger
from tests import warm
from tests.extending import write_code, write_sounds

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
KIND = "my_front_ends:ConstantQ(hop_samples=512, bins_per_octave=12, num_octaves=5"
RUN = (
    "--config=configs/db_mel.py",
    "--config.corpus.name=my_corpora:read(min_votes=2)",
    "--config.spectrogram.kind=my_front_ends:ConstantQ(bins_per_octave=12)",
    "--config.preprocessing.frequency_weighting=a_weighting",
    "--config.model.pools=((3,4),(5,4),(4,4))",
    "--config.model.channels=4",
    "--config.clip.duration_s=3",
    "--config.train.batch_size=4",
    "--config.train.max_steps=3",
    "--config.train.statistics_clips=4",
    "--config.prepare.num_processes=2",
    "--config.prepare.clips_per_shard=4",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder outside of the repository: the page's files, and a small corpus."""
    folder = tmp_path_factory.mktemp("outside")
    write_code(folder, "my_front_ends.py", "my_corpora.py")
    splits = write_sounds(folder / "music", 22_050)
    rows = ["file,split,rock,pop,jazz"]
    for number, split in enumerate(splits):
        rows.append(f"{number}.wav,{split},{number % 3},{number // 4 % 2 * 2},1")
    (folder / "music" / "votes.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def run(place):
    """A run of both, started as a user does, in a folder of its own."""
    command = [
        *(sys.executable, "main.py", *RUN),
        f"--config.corpus.audio_dir={place / 'music'}",
        f"--data_dir={place / 'data'}",
        f"--workdir={place / 'run'}",
    ]
    with warm.starts(draws=False):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return place / "run"


@pytest.fixture
def at_home(place, monkeypatch):
    """Lets this process import what the page has; forgets it again."""
    monkeypatch.syspath_prepend(str(place))
    yield
    sys.modules.pop("my_front_ends", None)


def test_both_go_from_files_to_a_network(place, run, at_home):
    (shards,) = (place / "data" / "shards").glob("votes-*/*")
    assert shards.name.startswith("ConstantQ-60x71-")
    counts = catalogue.read_counts(shards)
    assert counts["num_clips"] == {"train": 8, "valid": 4, "test": 4}
    assert counts["version"].endswith(", 2 votes")
    bundle = read_bundle(run / "bundle")
    assert bundle.recipe.kind.startswith(KIND) and bundle.recipe.shape == (60, 71)
    assert bundle.tags == ("rock", "pop", "jazz")
    assert (run / "report.html").exists()


def test_a_bundle_whose_front_end_is_away_says_so(run):
    with pytest.raises(ValueError, match=r"recipe=my_front_ends.*PYTHONPATH"):
        read_bundle(run / "bundle")


def test_a_file_is_tagged_from_the_bundle_with_what_the_shards_hold(
    place, run, at_home, caplog
):
    tagger = Tagger(read_bundle(run / "bundle"), batch_size=2)
    test = np.load(run / "predictions_test.npz")
    paths = [place / "music" / name for name in test["track_id"]]
    found = list(songs.tag_files(tagger, paths))
    scores = [one.scores[0, 0] for one in found]
    np.testing.assert_allclose(scores, test["scores"][0], atol=2e-5)
    assert not caplog.records


def test_programs_for_others_take_spectrograms_alone(run, at_home, tmp_path, capsys):
    for kind in ("onnx", "stablehlo"):
        out = tmp_path / kind
        export.export(Options(bundle=str(run / "bundle"), out=str(out), format=kind))
        assert "there is no program that takes a waveform" in capsys.readouterr().out
        assert (out / f"from_spectrogram.{kind}").exists()
        assert not list(out.glob("from_waveform*"))
