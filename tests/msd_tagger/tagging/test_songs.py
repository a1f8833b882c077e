import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msd_tagger.frontend import audio
from msd_tagger.frontend.sources import open_source
from msd_tagger.frontend.spectrogram import spectrogram
from msd_tagger.tagging import songs as tag_files
from msd_tagger.tagging.songs import (
    Cut,
    Failure,
    Song,
    audio_files,
    cut_of,
    embed_files,
    embed_samples,
    excerpts,
    rank,
    tag_samples,
)
from msd_tagger.tagging.tagger import Tagger
from tests.awkward_audio import KINDS
from tests.bundles import make_bundle
from tests.fakes import RECIPE
from tests.small_corpus import DAMAGED, sound, write_sound


@pytest.fixture(scope="module")
def tagger():
    return Tagger(make_bundle(), batch_size=4)


@pytest.mark.parametrize("name", ["long.mp3", "long.flac"])
def test_excerpts_are_consecutive_clips(tmp_path, name):
    path = write_sound(tmp_path / name, duration_s=4 * RECIPE.duration_s + 0.5)
    found = excerpts(path, RECIPE)
    # The rest is longer than half an excerpt, which is what a short recipe asks for.
    np.testing.assert_allclose(found.starts_s, RECIPE.duration_s * np.arange(5))
    assert found.duration_s == pytest.approx(4 * RECIPE.duration_s + 0.5, abs=0.2)
    for start_s, stored in zip(found.starts_s, found.spectrograms, strict=True):
        clip = audio.read_clip(path, RECIPE, start_s)
        # The state of an MP3's decoder moves samples by 1e-7.
        expected = spectrogram(clip, RECIPE)
        np.testing.assert_allclose(stored, expected, atol=0.1)


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_tagged_as_a_file_of_them(tmp_path, tagger, channels):
    rate_hz, duration_s = 44_100, 2.5 * RECIPE.duration_s
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (round(rate_hz * duration_s), channels))
    path = tmp_path / "noise.wav"
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    given = samples[:, 0] if channels == 1 else samples
    hop_s = RECIPE.duration_s / 2
    [expected] = tag_files.tag_files(tagger, [path], hop_s=hop_s)
    found = tag_samples(tagger, given, rate_hz, hop_s=hop_s, name="noise")
    assert found.path == "noise" and found.duration_s == expected.duration_s
    np.testing.assert_array_equal(found.starts_s, expected.starts_s)
    np.testing.assert_array_equal(found.scores, expected.scores)
    [embedded] = embed_files(tagger, [path], hop_s=hop_s)
    features = embed_samples(tagger, given, rate_hz, hop_s=hop_s).features
    np.testing.assert_array_equal(features, embedded.features)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [
        (np.ones(9000, np.int16), 12_000, r"int16; floating-point .* by 32768"),
        (np.ones((2, 9000)), 12_000, r"\[2, 9000\]; \[T\] or .*; transpose them"),
        (np.ones((1, 9000)), 12_000, r"\[1, 9000\]; .*; transpose them"),
        (np.ones((2, 2, 9000)), 12_000, r"\[2, 2, 9000\]; .* is needed$"),
        (np.ones(9000), 0, "a sample rate of 0 Hz; a positive integer"),
        (np.ones(9000), "12000", "a sample rate of '12000' Hz; a positive integer"),
        (np.ones(9000), None, "a sample rate of None Hz; a positive integer"),
        (np.ones(9000), np.inf, "a sample rate of inf Hz; a positive integer"),
        (np.ones(9000), 12_000.5, r"a sample rate of 12000\.5 Hz; a positive integer"),
        (np.zeros(9000), 12_000, "^tone: silent"),
        (np.full(9000, np.nan), 12_000, "^tone: not finite"),
        (np.ones(0), 12_000, "^tone: empty"),
    ],
)
def test_samples_that_are_none_are_refused(tagger, samples, rate_hz, message):
    with pytest.raises(ValueError, match=message):
        tag_samples(tagger, samples, rate_hz, name="tone")


def test_a_single_path_is_no_sequence_of_characters(tmp_path, tagger, monkeypatch):
    """Of "/music" the first is the folder of everything."""
    write_sound(tmp_path / "a.flac")
    monkeypatch.chdir(tmp_path)
    for given in ("a.flac", tmp_path / "a.flac", ".", str(tmp_path)):
        for one in (*tag_files.tag_files(tagger, given), *embed_files(tagger, given)):
            assert one.duration_s and Path(one.path).samefile("a.flac")
        assert len(audio_files(given)) == 1


@pytest.mark.parametrize("size", [0, -8])
def test_a_batch_has_an_excerpt(size):
    with pytest.raises(ValueError, match=rf"batch_size={size}: .* at least 1"):
        Tagger(make_bundle(), batch_size=size)


def test_overlapping_excerpts_are_clips_from_their_starts(tmp_path):
    path = write_sound(tmp_path / "long.flac", duration_s=3 * RECIPE.duration_s)
    hop_s = RECIPE.duration_s / 4
    found = excerpts(path, RECIPE, cut=cut_of(RECIPE, hop_s=hop_s))
    np.testing.assert_allclose(found.starts_s, hop_s * np.arange(9))
    whole = excerpts(path, RECIPE)
    np.testing.assert_array_equal(found.spectrograms[::4], whole.spectrograms)
    expected = spectrogram(audio.read_clip(path, RECIPE, hop_s), RECIPE)
    np.testing.assert_array_equal(found.spectrograms[1], expected)


def test_a_shorter_window_is_padded_like_a_short_clip(tmp_path):
    path = write_sound(tmp_path / "long.wav", duration_s=2 * RECIPE.duration_s)
    window_s = RECIPE.duration_s / 2
    found = excerpts(path, RECIPE, cut=cut_of(RECIPE, window_s))
    np.testing.assert_allclose(found.starts_s, window_s * np.arange(4))
    samples = audio.read_clip(path, RECIPE, window_s)
    samples[round(window_s * RECIPE.sample_rate_hz) :] = 0
    expected = spectrogram(samples, RECIPE)
    np.testing.assert_allclose(found.spectrograms[1], expected, atol=0.1)
    # A rest shorter than half a window is not heard again: it is left out.
    short = write_sound(tmp_path / "short.wav", duration_s=1.2 * window_s)
    assert len(excerpts(short, RECIPE, cut=cut_of(RECIPE, window_s)).starts_s) == 1


@pytest.mark.parametrize(
    ("window_s", "hop_s", "message"),
    [
        (
            RECIPE.duration_s + 1,
            0,
            r"--window_s=1\.832: this network takes .* to 0\.832 s",
        ),
        (1e-4, 0, r"--window_s=0\.0001: this network takes excerpts of"),
        (-1.0, 0, "--window_s=-1"),
        (0, -1.0, r"--hop_s=-1: it must be positive and at most .* 0\.832 s"),
        (0.5, 0.6, "--hop_s=0.6: .* at most an excerpt's length, 0.5 s"),
        (float("nan"), 0, "--window_s=nan"),
        (0, float("nan"), "--hop_s=nan"),
    ],
)
def test_windows_that_cannot_be(window_s, hop_s, message, tagger):
    with pytest.raises(ValueError, match=message):
        tag_files.tag_files(tagger, ["a.mp3"], window_s=window_s, hop_s=hop_s)


def test_too_many_excerpts_fail_before_anything_is_decoded(tmp_path, tagger):
    path = write_sound(tmp_path / "a.wav", duration_s=3.0)
    (one,) = tag_files.tag_files(tagger, [path], hop_s=0.001)
    assert "2,169 excerpts, one every 0.001 s; at most 1,000" in one.reason
    # Where they do not overlap, --max_duration_s alone decides.
    assert len(tag_files.starts_s_of(2000.0, Cut(1.0, 1.0))) == 2000


def test_a_short_rest_is_left_out_and_a_short_file_is_not(tmp_path):
    long = write_sound(tmp_path / "long.wav", duration_s=RECIPE.duration_s + 0.3)
    short = write_sound(tmp_path / "short.wav", duration_s=0.3)
    assert [len(excerpts(path, RECIPE).starts_s) for path in (long, short)] == [1, 1]


def test_silent_excerpts_are_left_out(tmp_path):
    samples = np.tile(sound(0, RECIPE.duration_s), (3, 1))
    size = len(samples) // 3
    samples[round(0.9 * size) : round(2.1 * size)] = 0
    soundfile.write(tmp_path / "gap.flac", samples, 22_050)
    found = excerpts(tmp_path / "gap.flac", RECIPE)
    np.testing.assert_allclose(found.starts_s, [0, 2 * RECIPE.duration_s])


def test_a_file_that_ends_too_early_is_used_as_far_as_it_goes(tmp_path, caplog):
    path = write_sound(tmp_path / "cut.mp3", duration_s=4 * RECIPE.duration_s)
    content = path.read_bytes()
    path.write_bytes(content[: round(0.6 * len(content))])
    found = excerpts(path, RECIPE)
    assert len(found.starts_s) == 2
    assert found.duration_s > 3.9 * RECIPE.duration_s  # Of the file, by its header.
    assert "cut.mp3: truncated" in caplog.text and "used up to 0:02" in caplog.text


def test_songs_and_failures_come_in_order(tmp_path, tagger):
    paths, expected = [], []
    for number, (name, (make, reason)) in enumerate(DAMAGED.items()):
        paths += [
            make(tmp_path / name),
            write_sound(tmp_path / f"{number}.wav", number),
        ]
        # A folder is searched before anything else is tried.
        expected += ["without audio" if name == "folder.mp3" else reason, None]
    found = list(tag_files.tag_files(tagger, paths))
    assert [one.path for one in found] == [str(path) for path in paths]
    for one, reason in zip(found, expected, strict=True):
        assert isinstance(one, Song if reason is None else Failure)
        if reason:
            assert reason in one.reason and one.path not in one.reason
    for song in (one for one in found if isinstance(one, Song)):
        alone = tagger.scores(excerpts(song.path, RECIPE).spectrograms)
        np.testing.assert_allclose(song.scores, alone, atol=1e-6)


def test_more_excerpts_than_are_computed_at_once(tmp_path, tagger):
    durations_s = RECIPE.duration_s * np.array([7, 1, 12, 3])
    paths = [
        write_sound(tmp_path / f"{i}.flac", i, duration_s=duration_s)
        for i, duration_s in enumerate(durations_s)
    ]
    found = list(tag_files.tag_files(tagger, paths, num_threads=2))
    assert [one.scores.shape for one in found] == [(2, n, 3) for n in (7, 1, 12, 3)]
    alone = tagger.scores(excerpts(paths[3], RECIPE).spectrograms)
    np.testing.assert_allclose(found[3].scores, alone, atol=1e-6)


def test_features_of_files(tmp_path, tagger):
    path = write_sound(tmp_path / "a.wav", duration_s=2 * RECIPE.duration_s)
    (one,) = embed_files(tagger, [path])
    expected = tagger.features(excerpts(path, RECIPE).spectrograms)
    np.testing.assert_array_equal(one.features, expected)
    assert one.features.shape == (2, 2, 4, 6)


def test_a_file_that_is_too_long_is_not_decoded(tmp_path, tagger, monkeypatch):
    path = write_sound(tmp_path / "long.wav", duration_s=62)
    monkeypatch.setattr(audio, "clip_of", None)
    (one,) = tag_files.tag_files(tagger, [path], max_duration_s=61)
    assert one == Failure(
        str(path), "1:02 long; at most 1:01 is allowed (--max_duration_s)"
    )


def test_a_huge_file_is_not_read(tmp_path, tagger):
    for name, content in (("zeros.mp3", b""), ("page.wav", b"<html>")):
        (tmp_path / name).write_bytes(content)
        os.truncate(tmp_path / name, 10 * 2**30)  # Sparse: it takes no space.
    found = list(tag_files.tag_files(tagger, [tmp_path]))
    assert ["not audio" in one.reason for one in found] == [True, True]


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 7)])
def test_any_rate_and_number_of_channels(tmp_path, tagger, rate_hz, channels):
    path = tmp_path / "odd.wav"
    soundfile.write(path, sound(0, 1.0, rate_hz, channels), rate_hz)
    (song,) = tag_files.tag_files(tagger, [path])
    assert song.scores.shape == (2, 1, 3)


def test_folders_are_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = "Recycler", ".Trashcan"  # As albums and bands are called.
    more = [f"b/{name}/0.mp3" for name in own]
    for name in ("b/2.MP3", "b/1.flac", "b/notes.txt", "a.txt", "none/x.txt", *more):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    trash = (".Trash-1000/files", "$RECYCLE.BIN", "#recycle/old", "@eaDir")
    for folder in (*trash, ".AppleDouble"):
        (tmp_path / "b" / folder).mkdir(parents=True)
        (tmp_path / "b" / folder / "deleted.mp3").write_text("")
    assert audio_files(["b/#recycle/old"]) == ["b/#recycle/old/deleted.mp3"]
    given = ["a.txt", "b", tmp_path / "b" / "1.flac", "b/1.flac", "none", "gone"]
    assert audio_files(given) == [
        "a.txt",
        "b/1.flac",
        "b/2.MP3",
        "b/.Trashcan/0.mp3",
        "b/Recycler/0.mp3",
        "none",
        "gone",
    ]


def test_folders_that_are_links_are_searched_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("disk/blues/3.wav", "disk/blues/old/4.wav", "music/rock/1.wav"):
        write_sound(tmp_path / name, seed=len(name))
    links = {
        "music/blues": "disk/blues",  # On another disk.
        "music/old": "disk/blues/old",  # Inside of the one before.
        "music/best": "music/rock",  # Another name of a folder that is there.
        "music/rock/loop": "music",
        "music/lost": "gone",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    found = ["music/rock/1.wav", "music/blues/3.wav", "music/blues/old/4.wav"]
    assert audio_files(["music"]) == found
    assert audio_files(["music/blues"]) == found[1:]


def test_what_is_passed_over_is_counted_in_one_line(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(tag_files, "SUFFIXES", (".mp3", ".au"))
    names = ("a.mp3", "._a.mp3", "b.M4A", "c.m4a", "d.wma", "e.mid", "f.au", "g.txt")
    for name in names:
        (tmp_path / name).write_text("")
    found = audio_files([tmp_path])
    assert found == [str(tmp_path / name) for name in ("a.mp3", "f.au")]
    (said,) = caplog.messages
    assert "2 .m4a, 1 .mid, 1 .wma (PyAV reads it: pip install" in said
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "a.m4a").write_text("")
    assert audio_files([tmp_path / "only"]) == [str(tmp_path / "only")]
    with pytest.raises(ValueError, match=r"without audio; passed over.*: 1 .m4a"):
        excerpts(tmp_path / "only", RECIPE)


def test_what_is_odd_about_a_file_is_a_warning(tmp_path, caplog):
    path = tmp_path / "two\nlines.flac"
    path.write_bytes(KINDS["flac_length_half.flac"][0]())
    assert excerpts(path, RECIPE).duration_s == pytest.approx(3.0)
    said = r"two\nlines.flac: its header says 1.50 s; 3.00 s are there"
    assert said in caplog.text
    caplog.clear()
    path.write_bytes(KINDS["mp3_concat_44k_22k.mp3"][0]())
    excerpts(path, RECIPE)
    assert "the sample rate or channels change" in caplog.text


def test_a_header_that_says_too_little_hides_no_excerpt(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(KINDS["xing_too_few.mp3"][0]())
    found = excerpts(path, RECIPE)
    np.testing.assert_allclose(found.starts_s, RECIPE.duration_s * np.arange(4))
    with open_source(path) as source:
        said_s = source.length_s
        said = source.num_samples * source.num_channels
    assert said_s < found.duration_s / 2
    # What is longer than it says is refused when that is known.
    with pytest.raises(ValueError, match=r"long; at most .*--max_duration_s"):
        excerpts(path, RECIPE, max_duration_s=said_s)
    with pytest.raises(ValueError, match=r"samples in .* \(--max_samples\)"):
        excerpts(path, RECIPE, max_samples=said)


def test_a_name_that_no_file_can_have(tagger):
    (one,) = tag_files.tag_files(tagger, [300 * "x"])
    assert one.reason.startswith("unreadable") and "too long" in one.reason


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_a_name_that_is_no_text_costs_no_other_file(tmp_path, tagger, name):
    path = write_sound(tmp_path / "a.wav", duration_s=2.0)
    first, second = tag_files.tag_files(tagger, [name, path])
    assert isinstance(first, Failure) and first.path == name and first.reason
    assert isinstance(second, Song)
    with pytest.raises(ValueError, match="num_threads=-1: it must be at least 0"):
        next(tag_files.tag_files(tagger, [path], num_threads=-1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path, tagger):
    (tmp_path / "closed").mkdir(mode=0)
    (one,) = tag_files.tag_files(tagger, [tmp_path])
    assert one.path.endswith("closed") and "cannot be listed" in one.reason


def test_rank_has_mean_spread_and_thresholds():
    bundle = make_bundle()  # Thresholds of 0.4, 0.4 and none.
    scores = np.array([[[0.2, 0.5, 0.1], [0.4, 0.7, 0.1]], [[0.2, 0.8, 0.1]] * 2])
    ranked = rank(Song("a", 2.0, np.arange(2), scores), bundle)
    assert [one.tag for one in ranked] == ["pop", "rock", "jazz"]
    assert [one.score for one in ranked] == pytest.approx([0.7, 0.25, 0.1])
    deviation = np.std([0.6, 0.8], ddof=1)
    assert ranked[0].deviation == pytest.approx(deviation)
    assert [one.passes for one in ranked] == [True, False, None]
    assert [one.threshold for one in ranked] == [0.4, 0.4, None]
    single = rank(Song("a", 2.0, np.arange(2), scores[:1]), bundle)
    assert {one.deviation for one in single} == {None}
    without = rank(
        Song("a", 2.0, np.arange(2), scores), bundle._replace(thresholds=None)
    )
    assert {one.passes for one in without} == {None}


def test_a_file_of_several_names_is_there_once(tmp_path, monkeypatch, caplog):
    song = write_sound(tmp_path / "a.wav")
    (tmp_path / "link.wav").symlink_to(song)
    (tmp_path / "b.wav").write_bytes(song.read_bytes())
    monkeypatch.chdir(tmp_path)
    given = ["./a.wav", "a.wav", str(song), "link.wav", "b.wav", ".", "lost", "./lost"]
    with caplog.at_level("INFO"):
        assert audio_files(given) == ["./a.wav", "b.wav", "lost"]
    assert "7 of 10 names repeat a file named before" in caplog.text
