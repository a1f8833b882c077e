"""What `from msd_tagger import …` gives."""

import subprocess
import sys
from pathlib import Path

from msd_tagger.bundle.format import write_bundle
from tests.bundles import make_bundle
from tests.small_corpus import write_sound

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import os
import sys

import msd_tagger

assert not {"jax", "numpy"} & sys.modules.keys()
assert not hasattr(msd_tagger, "nothing")
from msd_tagger import *
assert all(name in globals() for name in msd_tagger.__all__)

assert "xla_cpu_prefer_vector_width" in os.environ["XLA_FLAGS"]
_, folder, song, lost = sys.argv
tagger = load_bundle(folder)
found, failure = tag_files(tagger, [song, lost])
assert isinstance(found, Song) and isinstance(failure, Failure)
assert found.scores.shape == (2, 1, 3)
assert failure.path == lost and failure.reason.startswith("missing"), failure
best, *_ = rank(found, tagger.bundle)
assert best.score == found.scores.mean((0, 1)).max()
(embedding,) = embed_files(tagger, [song])
assert embedding.features.shape == (2, 1, 4, 6)
foreign = {"tensorflow", "configs", "modes", "input_pipeline", "studies"}
assert not foreign & sys.modules.keys()
"""


def test_a_file_is_tagged_and_embedded(tmp_path):
    write_bundle(tmp_path / "bundle", make_bundle())
    song = write_sound(tmp_path / "song.flac")
    done = subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM),
            *(tmp_path / "bundle", song, tmp_path / "lost.mp3"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
