"""What sound files have in them, judged by a row for every kind."""

import io
import os
import threading

import numpy as np
import pytest
import soundfile

from msd_tagger.common.messages import quiet_decoders
from msd_tagger.frontend import audio, foreign, sources
from msd_tagger.frontend.audio_error import AudioError
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.sources import open_source
from tests import awkward_audio as awkward
from tests.awkward_audio import KINDS, LENGTH_S, mp3, ogg, wav

# Longer than any of the files: all of it is read, and what is missing is noticed.
WHOLE = Recipe("mel", duration_s=10.0)
# Encoders of MP3 and of blocks round lengths up.
TOLERANCE_S = 0.06


def written(path, content):
    path.write_bytes(content)
    return path


def check_sound(path, expected_s):
    """The length that is told is decoded, and is sound to the end."""
    with open_source(path) as source:
        # A header that says too little is found out when its end is reached.
        samples = source.read(0, 10 * source.rate_hz)
        assert source.length_s == pytest.approx(expected_s, abs=TOLERANCE_S)
        decoded_s = len(samples) / source.rate_hz
        assert decoded_s == pytest.approx(expected_s, abs=TOLERANCE_S)
        if len(samples) > source.rate_hz / 4:
            assert np.abs(samples[-source.rate_hz // 8 :]).max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_what_is_in_it(tmp_path, name):
    make, expected = KINDS[name]
    path = written(tmp_path / name, make())
    if isinstance(expected, float):
        check_sound(path, expected)
        assert audio.read_clip(path, WHOLE).any()
    else:
        with pytest.raises(AudioError) as caught:
            audio.read_clip(path, WHOLE)
        assert caught.value.reason == expected


@pytest.mark.parametrize("make", [awkward.flac, ogg], ids=["flac", "ogg"])
def test_streams_in_a_row_sound_as_each_does(tmp_path, make):
    """Whichever part is read, from one of them or from several, back and forth."""
    single = written(tmp_path / "a", make())
    sound = soundfile.read(single, dtype="float32", always_2d=True)[0]
    sound = np.concatenate([sound, sound, sound])
    third = len(sound) // 3
    with open_source(written(tmp_path / "b", 3 * make())) as source:
        assert source.num_samples == 3 * third
        for first in (2 * third - 40_000, third - 40_000, 0, 2 * third):
            count = len(sound) if first == 0 else 50_000
            found = source.read(first, count)
            np.testing.assert_allclose(found, sound[first:][:count], atol=1e-6)


def test_what_follows_in_a_row_and_cannot_be_read_is_named(tmp_path):
    path = written(tmp_path / "a", KINDS["flac_then_other_rate.flac"][0]())
    with open_source(path) as source:
        assert source.length_s == LENGTH_S
        assert source.cut == (
            "stream 2 of 2, at 3.00 s: another sample rate or number of channels"
        )
    path = written(tmp_path / "b", awkward.flac() + awkward.flac(5.0)[:-90_000])
    with open_source(path) as source:
        assert source.length_s == LENGTH_S + 5
        assert source.cut.startswith("stream 2 of 2, at 3.00 s: the frames end at ")


def test_a_damaged_page_matters_where_it_is_decoded_or_searched(tmp_path):
    """Nothing behind a clip at the start is looked at; a seek looks anywhere."""
    path = written(tmp_path / "a.ogg", awkward.flipped(ogg(), 0.98))
    with open_source(path) as source, open_source(written(tmp_path / "b", ogg())) as b:
        count = source.rate_hz // 2
        np.testing.assert_array_equal(source.read(0, count), b.read(0, count))
        with pytest.raises(AudioError, match="checksum of the Ogg page at byte"):
            source.read(count, count)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate_hz", [8000, 22_050, 44_100])
def test_mended_mp3s_sound_as_they_did(tmp_path, mode, rate_hz):
    """Frames are decoded as from a file in which nothing stands before them."""
    data = mp3(mode, 0.2, rate_hz)
    plain = soundfile.read(written(tmp_path / "plain.mp3", data), dtype="float32")[0]
    with open_source(written(tmp_path / "junk.mp3", b"\r\njunk" + data)) as source:
        found = source.read(0, len(plain))[:, 0]
    np.testing.assert_array_equal(found, plain)
    # Without the header nothing says what the encoder has added in front.
    bare = awkward.bare(mode, 0.2, rate_hz)
    with open_source(written(tmp_path / "bare.mp3", b"\r\n" + bare)) as source:
        found = source.read(0, 10 * rate_hz)[:, 0]
    delay = next(
        at
        for at in range(2400)
        if np.abs(found[at : at + 9000] - plain[:9000]).max() < 1e-5
    )
    rest = found[delay : delay + len(plain)]
    np.testing.assert_allclose(rest, plain[: len(rest)], atol=1e-6)


def test_the_centre_of_an_mp3_without_a_header_is_its_centre(tmp_path):
    """The length is not guessed: song of rising level, so places can be told apart."""
    centre = Recipe("mel", duration_s=1.0, offset="centre")
    with_header = written(tmp_path / "a.mp3", mp3("VARIABLE", 0.3))
    without = written(tmp_path / "b.mp3", awkward.bare("VARIABLE", 0.3))
    levels = [np.std(audio.read_clip(path, centre)) for path in (with_header, without)]
    assert levels[0] == pytest.approx(levels[1], rel=0.1)
    assert audio.start_s(without, centre) == pytest.approx(1.0, abs=TOLERANCE_S)


def test_a_header_that_says_too_little_is_noted(tmp_path):
    path = written(tmp_path / "a.flac", KINDS["flac_length_half.flac"][0]())
    with open_source(path) as source:
        assert source.note == "its header says 1.50 s; 3.00 s are there"


def test_what_is_cut_says_how_much_is_there(tmp_path):
    path = written(tmp_path / "a.wav", wav()[:-60_000])
    with pytest.raises(
        AudioError, match=r"2.32 s of 3.00 s .*204,600 of 264,600 bytes"
    ):
        audio.read_clip(path, WHOLE)
    assert audio.read_clip(path, Recipe("mel", duration_s=2.0)).any()


@pytest.mark.parametrize("make", [mp3, awkward.bare, wav])
@pytest.mark.parametrize("name", ["._", ".AppleDouble"])
def test_the_current_folder_does_not_matter(tmp_path, monkeypatch, make, name):
    path = written(tmp_path / "a.mp3", make())
    clip = audio.read_clip(path, WHOLE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if name == "._":
        written(tmp_path / "here" / name, b"\0\5\x16\7" + bytes(100))
    else:
        (tmp_path / "here" / name).mkdir()
    np.testing.assert_array_equal(audio.read_clip(path, WHOLE), clip)


@pytest.mark.parametrize("make", [mp3, wav, ogg, awkward.flac, awkward.bare])
def test_a_pipe_is_read_from_the_start(tmp_path, make):
    path, content = tmp_path / "pipe", make()
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    found = audio.read_clip(path, WHOLE)
    writer.join()
    same = audio.read_clip(written(tmp_path / "file", content), WHOLE)
    np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"\r\n" + mp3(),
        KINDS["fmt_AIFF_DWVW_16.aif"][0],
        KINDS["ogg_chained.ogg"][0],
    ],
    ids=["mended", "unrolled", "chained"],
)
def test_a_small_disk_is_named(tmp_path, monkeypatch, make):
    monkeypatch.setattr("msd_tagger.frontend.handles.scratch", NearlyFull)
    path = written(tmp_path / "a", make())
    with pytest.raises(AudioError, match=r"unreadable.*no room in .*No space left"):
        audio.read_clip(path, WHOLE)


class NearlyFull(io.FileIO):
    """A file on a disk with room for 20,000 bytes."""

    def __init__(self, size_bytes):
        super().__init__(os.memfd_create("nearly full"), "r+")

    def write(self, piece):
        if not (room := 20_000 - self.tell()):
            raise OSError(28, "No space left on device")
        return super().write(piece[:room])


@pytest.mark.parametrize("name", ["flac_last_frame_cut.flac", "ogg_ok.ogg"])
def test_a_disk_that_fails_half_way_is_named(tmp_path, monkeypatch, name):
    """Behind the start, what is no error of a decoder is met in several places."""
    path, read = written(tmp_path / name, KINDS[name][0]()), os.pread

    def fail(number, count, start):
        if start > 20_000:
            raise OSError(5, "Input/output error")
        return read(number, count, start)

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(AudioError, match=r"unreadable .*Input/output error"):
        audio.read_clip(path, WHOLE)


def test_decoders_print_nothing(tmp_path, capfd):
    """A damaged SDS file makes libsndfile describe every block on standard output."""
    sds = bytearray(KINDS["fmt_SDS_PCM_16.sds"][0]())
    sds[3000:4000] = awkward.NOISE[:1000]
    paths = [
        written(tmp_path / "a.sds", sds),
        written(tmp_path / "a.mp3", mp3()[:20_000] + awkward.NOISE[:900] + mp3()),
    ]
    with quiet_decoders():
        for path in paths:
            with open_source(path) as source:
                source.read(0, source.num_samples)
                source.read(1000, 1000)
        print("ours", flush=True)
    assert capfd.readouterr() == ("ours\n", "")


def test_what_decodes_is_part_of_what_is_remembered():
    assert soundfile.__libsndfile_version__ in sources.DECODERS
    assert "PyAV" in sources.DECODERS


class Pipe(io.BytesIO):
    """What is written to it cannot be changed later, a length in a header, say."""

    def seekable(self):
        return False


def by_pyav(path, form, codec="aac", file=None, moved=lambda time_s: time_s):
    """Encodes a sound; `moved` may change when its packets begin."""
    av, file = pytest.importorskip("av"), file or io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=44_100, layout="mono")
        stream.bit_rate = 96_000  # Windows Media has to be told.
        sound = awkward.samples()[None]
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        kind, size = stream.codec_context.format.name, 4096
        resampler = av.AudioResampler(kind, "mono", 44_100, frame_size=size)
        frames = [*resampler.resample(frame), *resampler.resample(None), None]
        for packet in (one for frame in frames for one in stream.encode(frame)):
            begin = moved(float(packet.pts * packet.time_base)) / packet.time_base
            packet.pts = packet.dts = round(begin)
            container.mux(packet)
    return written(path, file.getvalue())


@pytest.fixture
def m4a(tmp_path):
    return by_pyav(tmp_path / "a.m4a", "mp4")


def test_what_libsndfile_does_not_read_is_read_by_pyav(m4a):
    check_sound(m4a, LENGTH_S)
    found = audio.read_clip(m4a, WHOLE)[:36_000]
    wanted = audio.read_clip(written(m4a.with_name("a.wav"), wav()), WHOLE)[:36_000]
    # AAC changes the noise of -26 dB, but the tone is in its place.
    assert np.corrcoef(found, wanted)[0, 1] > 0.95


@pytest.mark.parametrize(
    ("form", "codec", "reason"),
    [
        ("adts", "aac", "truncated"),
        ("flv", "aac", "truncated"),
        ("matroska", "aac", "truncated"),
        ("tta", "tta", "truncated"),
        ("wav", "ac3", "truncated"),
        ("aiff", "adpcm_ima_qt", "truncated"),
        ("mp4", "aac", "damaged"),  # Its table is behind what is cut.
    ],
)
def test_a_cut_file_of_others_is_read_as_far_as_it_goes(tmp_path, form, codec, reason):
    path = by_pyav(tmp_path / "a", form, codec)
    check_sound(path, LENGTH_S)
    content = path.read_bytes()
    written(path, content[: len(content) * 6 // 10])
    with pytest.raises(AudioError, match=reason):
        audio.read_clip(path, WHOLE)
    if reason == "truncated":
        assert audio.read_clip(path, Recipe("mel", duration_s=0.5)).any()


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "flac", "alac", "wavpack"])
def test_a_length_that_no_header_has_is_found(tmp_path, codec):
    """Matroska rounds the times of packets, and leaves out the length of some."""
    path = by_pyav(tmp_path / "a", "matroska", codec, Pipe())
    check_sound(path, LENGTH_S)


@pytest.mark.parametrize(
    ("form", "codec"),
    [("matroska", "aac"), ("mp4", "aac"), ("ogg", "flac"), ("flv", "aac")],
)
@pytest.mark.parametrize(
    "moved",
    [lambda time_s: time_s + 0.7, lambda time_s: time_s + 2 * (time_s > 1)],
    ids=["late", "gap"],
)
def test_times_without_sound_are_no_sound_that_is_missing(tmp_path, form, codec, moved):
    path = by_pyav(tmp_path / "a", form, codec, moved=moved)
    check_sound(path, LENGTH_S)
    assert audio.read_clip(path, WHOLE).any()
    # Where the centre is, is known before anything of it is heard.
    centre = Recipe("mel", duration_s=1.0, offset="centre")
    assert audio.start_s(path, centre) == pytest.approx(1.0, abs=TOLERANCE_S)


AROUND = {
    "nothing": lambda data: data,
    "id3": lambda data: awkward.id3(awkward.art(5000)) + data,
    "ape": lambda data: data + awkward.ape(),
    "ape_id3v1": lambda data: data + awkward.ape() + awkward.ID3V1,
    "id3v1": lambda data: data + awkward.ID3V1,
    "picture": lambda data: data + awkward.ape(awkward.NOISE[:300_000]),
}


@pytest.mark.parametrize(
    ("form", "codec"),
    [
        ("wv", "wavpack"),
        ("tta", "tta"),
        ("adts", "aac"),
        ("asf", "wmav2"),
        ("matroska", "aac"),
        ("mp4", "aac"),
    ],
)
@pytest.mark.parametrize("around", AROUND)
def test_tags_around_formats_of_others_are_no_damage(tmp_path, form, codec, around):
    path = by_pyav(tmp_path / "a", form, codec)
    written(path, AROUND[around](path.read_bytes()))
    check_sound(path, LENGTH_S)
    assert audio.read_clip(path, WHOLE).any()


@pytest.mark.parametrize(("form", "codec"), [("wv", "wavpack"), ("adts", "aac")])
def test_junk_behind_all_samples_is_no_cut(tmp_path, form, codec):
    path = by_pyav(tmp_path / "a", form, codec)
    junk = awkward.NOISE[:5000] if form == "wv" else bytes(5000)
    written(path, path.read_bytes() + junk)
    check_sound(path, LENGTH_S)
    assert audio.read_clip(path, WHOLE).any()


def test_broadcast_wave_of_more_than_4_gib_is_read(tmp_path):
    """BW64 (ITU-R BS.2088) is RF64 by another name."""
    pytest.importorskip("av")
    content = b"BW64" + KINDS["fmt_RF64_PCM_16.wav"][0]()[4:]
    path = written(tmp_path / "a.wav", content)
    check_sound(path, LENGTH_S)
    written(path, content[: len(content) * 6 // 10])
    with pytest.raises(AudioError, match=r"truncated.*1.80 s of 3.00 s"):
        audio.read_clip(path, WHOLE)


OGG_FLAC = {
    "whole": (lambda data: data, LENGTH_S),
    "cut": (lambda data: data[: len(data) * 6 // 10], "truncated"),
    "flipped_bit": (lambda data: awkward.flipped(data, 0.6), "damaged"),
    "page_missing": (awkward.without_page, "damaged"),
    "junk_between": (awkward.with_junk_between_pages, LENGTH_S),
    "id3": (lambda data: awkward.id3(awkward.art(500)) + data, LENGTH_S),
}


@pytest.mark.parametrize("name", OGG_FLAC)
def test_pages_are_looked_at_whoever_decodes_them(tmp_path, name):
    change, expected = OGG_FLAC[name]
    content = change(by_pyav(tmp_path / "a", "ogg", "flac").read_bytes())
    path = written(tmp_path / "a.oga", content)
    if isinstance(expected, float):
        check_sound(path, expected)
    else:
        with pytest.raises(AudioError, match=expected):
            audio.read_clip(path, WHOLE)
    assert audio.read_clip(path, Recipe("mel", duration_s=0.5)).any()


def test_a_seek_to_nowhere_is_no_failing_disk(tmp_path, capfd):
    """Junk behind a CAF file names a place that no disk has."""
    content = by_pyav(tmp_path / "a", "caf", "alac").read_bytes()
    path = written(tmp_path / "a.caf", content + b"junk" + b"\x40" * 8)
    check_sound(path, LENGTH_S)
    assert capfd.readouterr() == ("", "")


def test_without_pyav_its_formats_are_named(m4a, monkeypatch):
    monkeypatch.setattr(foreign, "IS_INSTALLED", False)
    with pytest.raises(AudioError, match=r"no decoder.*MPEG-4.*PyAV reads it: pip"):
        audio.read_clip(m4a, WHOLE)


@pytest.mark.parametrize("name", awkward.VOC)
def test_old_files_of_creative_are_read_or_refused(tmp_path, monkeypatch, name):
    pytest.importorskip("av")
    make, expected_s = awkward.VOC[name]
    path = written(tmp_path / "a.voc", make())
    check_sound(path, expected_s)
    monkeypatch.setattr(foreign, "IS_INSTALLED", False)
    with pytest.raises(AudioError, match=r"no decoder.*Creative Voice.*PyAV reads it"):
        audio.read_clip(path, WHOLE)


def test_text_is_no_list_of_addresses(tmp_path):
    """FFmpeg would load what a playlist names."""
    text = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n"
    with pytest.raises(AudioError, match="not audio"):
        audio.read_clip(written(tmp_path / "a.m3u8", text), WHOLE)
