"""The network and the augmentation of docs/extending.md, from a folder of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.bundle.format import read_bundle
from msd_tagger.common import calls
from msd_tagger.tagging import songs
from msd_tagger.tagging.tagger import Tagger
from tests import warm
from tests.extending import write_code, write_sounds

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
RUN = (
    "--config=configs/db_mel.py",
    "--config.corpus.name=folder",
    "--config.model.network=my_network:MyNet(width=4)",
    "--config.train.augmentations=('my_augmentations:shift_bands(most=3)','mixup')",
    "--config.train.optimiser=adamw(weight_decay=0.01)",
    "--config.train.class_weights=inverse_frequency",
    "--config.clip.duration_s=3",
    "--config.train.batch_size=4",
    "--config.train.max_steps=3",
    "--config.train.statistics_clips=4",
    "--config.num_seeds=2",
    "--config.prepare.num_processes=2",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder outside of the repository: the page's files, and a small corpus."""
    folder = tmp_path_factory.mktemp("outside")
    write_code(folder, "my_network.py", "my_augmentations.py")
    splits = write_sounds(folder / "music", 12_000)
    rows = ["track_id,path,split,tags"]
    for number, split in enumerate(splits):
        tags = "|".join(["loud", "new"][: 1 + number // 4 % 2])
        rows.append(f"n{number},{number}.wav,{split},{tags if number % 3 else 'soft'}")
    (folder / "music" / "tags.csv").write_text("\n".join(rows))
    return folder


def start(place, *arguments, data_dir=None, **environment):
    command = [
        *(sys.executable, "main.py", *arguments),
        f"--config.corpus.audio_dir={place / 'music'}",
        f"--data_dir={data_dir or place / 'data'}",
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def run(place):
    """A run started as a user does, in a folder of its own."""
    workdir = f"--workdir={place / 'run'}"
    with warm.starts(draws=False):
        done = start(place, *RUN, workdir, PYTHONPATH=str(place))
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"my_network:MyNet\(width=4\): \d+ parameters", done.stderr)
    return place / "run"


def test_a_file_is_tagged_from_the_bundle_as_the_run_scored_it(
    place, run, monkeypatch, caplog
):
    monkeypatch.syspath_prepend(str(place))
    bundle = read_bundle(run / "bundle")
    assert bundle.network["name"] == "my_network:MyNet(width=4)"
    tagger = Tagger(bundle, batch_size=2)
    test = np.load(run / "predictions_test.npz")
    numbers = [track_id[1:] for track_id in test["track_id"]]
    paths = [place / "music" / f"{number}.wav" for number in numbers]
    found = [one.scores[:, 0] for one in songs.tag_files(tagger, paths)]
    np.testing.assert_allclose(np.stack(found, 1), test["scores"], atol=1e-4)
    [embedded] = songs.embed_files(tagger, paths[:1])
    assert embedded.features.shape[-2:] == (1, 4)
    assert not caplog.records
    assert "Networks of `my_network:MyNet" in (run / "bundle/README.md").read_text()
    assert "parameters" in (run / "report.html").read_text()


def test_the_content_of_the_files_names_the_run(place, run, monkeypatch):
    monkeypatch.syspath_prepend(str(place))
    matter = json.loads((run / "matter.json").read_text())
    for name in ("my_network:MyNet", "my_augmentations:shift_bands"):
        assert matter[f"code of {name}"] == calls.digest_of(name, name)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("model.network=my_net:MyNet", "my_net cannot be imported"),
        ("model.network=resnet", "must be convnet, or a Flax module of your own"),
        ("train.optimiser=adman", "choose one of adabelief, "),
        ("train.augmentations=('mixdown',)", "choose from spec_augment, mixup, "),
        ("train.class_weights=even", "there is no such file; give none or inverse_fr"),
    ],
)
def test_what_does_not_exist_is_said_before_data_are_read(
    place, tmp_path, warm_starts, wish, message
):
    wishes = ("--config=configs/db_mel.py", "--config.corpus.name=folder")
    done = start(place, *wishes, f"--config.{wish}", data_dir=tmp_path / "data")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
