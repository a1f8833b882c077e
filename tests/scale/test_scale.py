"""The rehearsal at a small size, and that its verification can fail."""

import sys

import pytest

from input_pipeline.corpora import folder
from input_pipeline.prepare import prepare
from msd_tagger.frontend.recipe import Recipe
from tests.scale import __main__ as scale
from tests.scale import clips as tiny
from tests.scale import reader

RECIPE = Recipe("mel", 4000, 0.1, "start", 128, 64, 16)


@pytest.mark.slow
def test_killed_jobs_lose_and_double_nothing(
    tmp_path, monkeypatch, capsys, warm_starts
):
    words = ["--num_clips=600", "--clips_per_shard=8", "--num_workers=2"]
    words += ["--num_kills=1", f"--scratch={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["scale", *words])
    scale.main()
    said = capsys.readouterr().out
    table = dict(line.split("  ", 1) for line in said.splitlines() if "  " in line)
    found = {name: value.strip() for name, value in table.items()}
    assert found["clips in the set, each once in index and shards"] == "594"
    assert found["clips in the ledger, each once"] == "6"
    assert "after" in found["kill 1"]
    assert found["clips of an epoch, each read once"] == "474"
    assert found["batches before and after it, all equal"] == "30 and 500"
    assert found["files equal to those of the undisturbed job"].startswith("all ")
    assert list(tmp_path.iterdir()) == []


def test_verification_notices_what_is_wrong(tmp_path, monkeypatch, warm_starts):
    corpus = tmp_path / "corpus"
    assert list(tiny.write(corpus, 120, 1)) == [120]
    found = prepare(folder.load(corpus), [RECIPE], tmp_path, 1, 8)["mel"]
    assert tiny.verify(tmp_path, corpus, 120)["clips in the ledger, each once"]
    with pytest.raises(SystemExit, match=r"ids of \w+: "):
        tiny.verify(tmp_path, corpus, 121)
    ledger = found / "ledger.csv"
    good = ledger.read_text()
    ledger.write_text(good + good.splitlines()[-1] + "\n")
    with pytest.raises(SystemExit, match=r"ledger: .* is not "):
        tiny.verify(tmp_path, corpus, 120)
    ledger.write_text(good)
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="a reader re"):
        patch.setattr(reader, "WINDOW_SHARDS", 1)  # Not in the reader's process.
        reader.verify(found)
    shard = sorted(found.glob("clips-train*"))[2]
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{shard}, record \d"):
        tiny.verify(tmp_path, corpus, 120)


def test_every_clip_sounds_different(tmp_path):
    from msd_tagger.frontend import audio

    list(tiny.write(tmp_path / "corpus", 120, 1))
    clips = folder.load(tmp_path / "corpus").clips
    heard = set()
    for number, clip in enumerate(clips):
        if not tiny.clip(number).fault:
            heard.add(audio.read_clip(clip.path, RECIPE, clip.start_s).tobytes())
    assert len(heard) == 117
    assert {clip.path.suffix for clip in clips} == {".wav", ".flac"}
