"""Awkward audio files as people have them: what each is, and what it must give.

`KINDS` has a row for each: its name, what makes its bytes, and what is expected: how
many seconds are in it, or a reason of `REASONS`. Every sound lasts `LENGTH_S`.
"""

import functools
import io
import struct

import numpy as np
import soundfile

LENGTH_S, RATE_HZ = 3.0, 44_100
NUM_SAMPLES = round(LENGTH_S * RATE_HZ)
NOISE = np.random.default_rng(1).integers(0, 256, 2**20, dtype=np.uint8).tobytes()
ID3V1 = b"TAG" + b"Title".ljust(125, b"\0")


@functools.cache
def samples(rate_hz=RATE_HZ, length_s=LENGTH_S):
    """A tone that swells, in noise."""
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * 220 * time_s) * (1 + np.sin(4 * np.pi * time_s)) / 2
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    return (0.3 * tone + 0.05 * noise).astype(np.float32)


def encoded(form, subtype, sound=None, rate_hz=RATE_HZ, **options):
    file, sound = io.BytesIO(), samples(rate_hz) if sound is None else sound
    soundfile.write(file, sound, rate_hz, format=form, subtype=subtype, **options)
    return file.getvalue()


# ---- MP3


@functools.cache
def mp3(mode="CONSTANT", level=0.5, rate_hz=RATE_HZ, channels=1):
    """With a Xing or Info header, and frames that get larger."""
    sound = samples(rate_hz) * np.linspace(0, 1, round(LENGTH_S * rate_hz)) ** 3
    sound = np.repeat(sound[:, None], channels, 1).astype(np.float32)
    options = {"bitrate_mode": mode, "compression_level": level}
    return encoded("MP3", "MPEG_LAYER_III", sound, rate_hz, **options)


def frame_sizes(data):
    """Sizes of MP3's frames, by an independent reading of their headers."""
    kbps = {3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)}
    kbps[2] = kbps[0] = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    rates = {
        3: (44100, 48000, 32000),
        2: (22050, 24000, 16000),
        0: (11025, 12000, 8000),
    }
    at, sizes = 0, []
    while at + 4 <= len(data):
        head = int.from_bytes(data[at : at + 4], "big")
        assert head >> 21 == 0x7FF, at
        version, index = head >> 19 & 3, head >> 12 & 15
        bits = (144_000 if version == 3 else 72_000) * kbps[version][index - 1]
        sizes.append(bits // rates[version][head >> 10 & 3] + (head >> 9 & 1))
        at += sizes[-1]
    return sizes


def bare(*arguments):
    """An MP3 without its Xing header."""
    data = mp3(*arguments)
    return data[frame_sizes(data)[0] :]


def frames_s(data, rate_hz=RATE_HZ):
    return len(frame_sizes(data)) * (1152 if rate_hz >= 32_000 else 576) / rate_hz


BARE_S = frames_s(bare())


def id3(payload, flags=0, size=None, version=3):
    """A tag, with a footer where flag 16 is set."""
    size = len(payload) if size is None else size
    sizes = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    head = bytes([version, 0, flags]) + sizes
    return b"ID3" + head + payload + (b"3DI" + head if flags & 16 else b"")


def art(num_bytes):
    """A picture in a tag, without what looks like a frame of sound."""
    picture = NOISE[:num_bytes].replace(b"\xff", b"\xfe")
    body = b"\x00image/jpeg\x00\x03\x00" + picture
    return b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body


def ape(payload=NOISE[:5000]):
    """An APEv2 tag with header and footer."""
    about = struct.pack("<II", 2000, len(payload) + 32)
    head, foot = (
        b"APETAGEX" + about + struct.pack("<II", 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    )
    return head + payload + foot


def in_riff(data):
    """MP3 in a WAV file."""
    values = (30, 0x55, 1, RATE_HZ, 16000, 1, 0, 12, 1, 2, 417, 1, 1393)
    head = b"WAVEfmt " + struct.pack("<IHHIIHHHHIHHH", *values)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def xing(**fields):
    """A variable-rate MP3 whose header has other numbers of frames and bytes."""
    data = bytearray(mp3("VARIABLE", 0.3))
    at = data.find(b"Xing") + 8
    for name, place in (("frames", at), ("bytes", at + 4)):
        if name in fields:
            data[place : place + 4] = struct.pack(">I", fields[name])
    return bytes(data)


def free_format():
    """The bit rate taken out of the headers: all frames are of one size."""
    data = bytearray(mp3("CONSTANT", 0.0, 48_000, 2))
    sizes = frame_sizes(data)
    assert len(set(sizes[1:-1])) == 1
    for at in np.cumsum([0, *sizes[:-1]]):
        data[at + 2] &= 0x0F
    return bytes(data[sizes[0] :])


def middle(data, junk):
    return data[: len(data) // 2] + junk + data[len(data) // 2 :]


def quiet():
    """Samples without a header, of which many look like that of a frame."""
    return (5 * np.random.default_rng(0).standard_normal(2**15)).astype(">i2").tobytes()


SYNC = b"\xff\xfb\x90\x64"
MP3 = {
    "mp3_ok_lame.mp3": (mp3, LENGTH_S),
    "mp3_noxing.mp3": (bare, BARE_S),
    "mp3_noxing_art1MB.mp3": (lambda: id3(art(1 << 20)) + bare(), BARE_S),
    "mp3_noxing_art200k.mp3": (lambda: id3(art(200_000)) + bare(), BARE_S),
    "mp3_xing_art1MB.mp3": (lambda: id3(art(1 << 20)) + mp3(), LENGTH_S),
    "mp3_xing_art20MB.mp3": (lambda: id3(20 * art(1 << 20)) + mp3(), LENGTH_S),
    "mp3_xing_id3v1.mp3": (lambda: mp3() + ID3V1, LENGTH_S),
    "mp3_noxing_id3v1.mp3": (lambda: bare() + ID3V1, BARE_S),
    "mp3_lyrics3.mp3": (
        lambda: mp3() + b"LYRICSBEGIN" + b"x" * 20000 + b"020011LYRICS200" + ID3V1,
        LENGTH_S,
    ),
    "mp3_zeros2k_front.mp3": (lambda: bytes(2048) + mp3(), LENGTH_S),
    "mp3_zeros100_front.mp3": (lambda: bytes(100) + mp3(), LENGTH_S),
    "mp3_junk300_front.mp3": (lambda: art(300)[12:] + mp3(), LENGTH_S),
    "mp3_newline_front.mp3": (lambda: b"\r\n" + mp3(), LENGTH_S),
    "mp3_two_id3.mp3": (
        lambda: id3(b"TIT2\0\0\0\x03\0\0\0ab") + id3(art(5000)) + mp3(),
        LENGTH_S,
    ),
    "mp3_id3_then_garbage184.mp3": (
        lambda: id3(art(3000)) + b"\x20" * 184 + mp3(),
        LENGTH_S,
    ),
    "mp3_in_riff.mp3": (lambda: in_riff(mp3()), LENGTH_S),
    "mp3_vbr_xing.mp3": (lambda: mp3("VARIABLE", 0.3), LENGTH_S),
    "mp3_vbr_noxing.mp3": (lambda: bare("VARIABLE", 0.3), BARE_S),
    "song60_vbr_noxing_fadein.mp3": (lambda: bare("VARIABLE", 0.1), BARE_S),
    "song60_vbr_xing_fadein.mp3": (lambda: mp3("VARIABLE", 0.1), LENGTH_S),
    "mp3_concat_44k_22k.mp3": (
        lambda: bare() + bare("CONSTANT", 0.5, 22_050),
        "truncated",
    ),
    "mp3_is_html.mp3": (
        lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "not audio",
    ),
}
# Not in anybody's report, but near to those that are.
MORE_MP3 = {
    # As the four songs beside the published weights.
    "id3_then_tag.mp3": (
        lambda: id3(bytes(2900)) + b"TAG" + NOISE[:2900] + SYNC * 5 + mp3(),
        LENGTH_S,
    ),
    "id3_footer.mp3": (lambda: id3(art(5000), 16, version=4) + mp3(), LENGTH_S),
    "id3_too_small.mp3": (lambda: id3(NOISE[:50_000], size=900) + mp3(), LENGTH_S),
    "id3_too_large.mp3": (lambda: id3(NOISE[:5000], size=9000) + mp3(), LENGTH_S),
    "id3_past_the_end.mp3": (lambda: id3(NOISE[:500], size=1 << 23) + bare(), BARE_S),
    "ape_front.mp3": (lambda: ape() + mp3(), LENGTH_S),
    "ape_end.mp3": (lambda: bare() + ape() + ID3V1, BARE_S),
    "false_syncs.mp3": (
        lambda: SYNC * 50 + NOISE[:500] + (SYNC + bytes(413)) * 2 + NOISE[:99] + mp3(),
        LENGTH_S,
    ),
    "free_format.mp3": (
        free_format,
        frames_s(bare("CONSTANT", 0.0, 48_000, 2), 48_000),
    ),
    "free_format_behind_junk.mp3": (
        lambda: (
            b"".join(b"\xff\xfb\x04" + NOISE[: 9 * n] for n in range(50))
            + free_format()
        ),
        frames_s(bare("CONSTANT", 0.0, 48_000, 2), 48_000),
    ),
    "quiet.wav": (quiet, "not audio"),  # It took hours to find no frame.
    "rate_22050.mp3": (
        lambda: bare("VARIABLE", 0.2, 22_050),
        frames_s(bare("VARIABLE", 0.2, 22_050), 22_050),
    ),
    "rate_8000.mp3": (
        lambda: bare("VARIABLE", 0.2, 8000),
        frames_s(bare("VARIABLE", 0.2, 8000), 8000),
    ),
    "stereo.mp3": (lambda: bare("VARIABLE", 0.3, RATE_HZ, 2), BARE_S),
    "junk_inside.mp3": (lambda: middle(mp3(), NOISE[:50_000]), LENGTH_S),
    "junk_inside_noxing.mp3": (lambda: middle(bare(), NOISE[:50_000]), BARE_S),
    "zeros_inside.mp3": (lambda: middle(mp3(), bytes(50_000)), LENGTH_S),
    "junk_behind.mp3": (lambda: bare() + NOISE[:20_000], BARE_S),
    "zeros_behind.mp3": (lambda: mp3() + bytes(200_000), LENGTH_S),
    "twice.mp3": (lambda: mp3() + ID3V1 + id3(art(99)) + mp3(), 2 * LENGTH_S),
    "cut.mp3": (lambda: mp3()[:30_000], "truncated"),
    "xing_without_counts.mp3": (lambda: xing(frames=0, bytes=0), LENGTH_S),
    "xing_too_few.mp3": (lambda: xing(frames=20), LENGTH_S),
    "xing_too_many.mp3": (lambda: xing(frames=2**31), LENGTH_S),
    "riff_noxing.wav": (lambda: in_riff(bare("VARIABLE", 0.3)), BARE_S),
    "rmp3.wav": (
        lambda: b"RIFF" + struct.pack("<I", 9) + b"RMP3data\xff\xff\xff\xff" + mp3(),
        LENGTH_S,
    ),
}

# ---- WAV and its kin


def wav(bits=16, num_samples=NUM_SAMPLES, before=b"", after=b"", pad=True, **sizes):
    """A WAV file whose sizes may be wrong."""
    sound = samples()[:num_samples]
    if bits == 24:
        wide = (sound * (2**23 - 1)).astype("<i4")
        data = wide.view("u1").reshape(-1, 4)[:, :3].tobytes()
    elif bits == 8:
        data = (sound * 127 + 128).astype("u1").tobytes()
    else:
        data = (sound * 32767).astype("<i2").tobytes()
    width, padding = bits // 8, b"\0" * (len(data) % 2 if pad else 0)
    size = 36 + len(before) + len(data) + len(data) % 2 + len(after)
    values = (16, 1, 1, RATE_HZ, RATE_HZ * width, width, bits)
    head = b"RIFF" + struct.pack("<I", sizes.get("riff", size + sizes.get("off", 0)))
    head += b"WAVEfmt " + struct.pack("<IHHIIHH", *values) + before
    head += b"data" + struct.pack("<I", sizes.get("data", len(data)))
    return head + data + padding + after


def riff(form, chunks):
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + form + chunks


ID3_CHUNK = b"id3 " + struct.pack("<I", 10) + b"0123456789"
LIST_CHUNK = b"LIST" + struct.pack("<I", 26) + b"INFOISFT\x0d\0\0\0Lavf58.29.10\0\0"
ODD_CHUNK = b"LIST" + struct.pack("<I", 25) + b"INFOISFT\x0d\0\0\0Lavf58.29.100"
ODD_S = (NUM_SAMPLES - 1) / RATE_HZ
WAV = {
    "wav_ok16.wav": (wav, LENGTH_S),
    "wav_riff_plus8.wav": (lambda: wav(off=8), LENGTH_S),
    "wav_riff_minus8.wav": (lambda: wav(off=-8), LENGTH_S),
    "wav_riff0_data0.wav": (lambda: wav(riff=0, data=0), LENGTH_S),
    "wav_riffFF_dataFF.wav": (lambda: wav(riff=2**32 - 1, data=2**32 - 1), LENGTH_S),
    "wav_riff36_data0.wav": (lambda: wav(riff=36, data=0), LENGTH_S),
    "wav_riff7FFFFFFF.wav": (
        lambda: wav(riff=0x7FFFFFFF, data=0x7FFFFFDB),
        LENGTH_S,
    ),
    "wav_riff80000000.wav": (
        lambda: wav(riff=0x80000024, data=0x80000000),
        LENGTH_S,
    ),
    "wav_riff_7FFFF000.wav": (
        lambda: wav(riff=0x7FFFF024, data=0x7FFFF000),
        LENGTH_S,
    ),
    "wav_24bit_odd_nopad.wav": (lambda: wav(24, NUM_SAMPLES - 1, pad=False), ODD_S),
    "wav_8bit_odd_nopad.wav": (lambda: wav(8, NUM_SAMPLES - 1, pad=False), ODD_S),
    "wav_8bit_odd_pad.wav": (lambda: wav(8, NUM_SAMPLES - 1), ODD_S),
    "wav_list_before.wav": (lambda: wav(before=LIST_CHUNK), LENGTH_S),
    "wav_bext_id3_after.wav": (lambda: wav(after=ID3_CHUNK), LENGTH_S),
    "wav_trailing_chunk_cut.wav": (lambda: wav(after=ID3_CHUNK)[:-6], LENGTH_S),
    "wav_trailing_garbage.wav": (lambda: wav() + b"\x01\x02garbage" * 100, LENGTH_S),
    "wav_data_interrupted.wav": (lambda: wav()[:-60_000], "truncated"),
    "header_only.wav": (lambda: wav(num_samples=0), "empty"),
    "wav_without_data.wav": (lambda: riff(b"WAVE", wav()[12:36]), "empty"),
    "wav_list_alone.wav": (lambda: riff(b"WAVE", wav()[12:36] + LIST_CHUNK), "empty"),
    "wav_without_all.wav": (lambda: riff(b"WAVE", b""), "empty"),
    "aiff_without_sound.aiff": (
        lambda: b"FORM" + struct.pack(">I", 30) + encoded("AIFF", "PCM_16")[8:38],
        "empty",
    ),
    "wav_named.mp3": (wav, LENGTH_S),
    "mp3_named.wav": (mp3, LENGTH_S),
    "named.raw": (wav, LENGTH_S),
    # A chunk of an odd size without the byte that must follow it.
    "wav_list_odd_nopad.wav": (lambda: wav(before=ODD_CHUNK), LENGTH_S),
    "wav_zeros_front.wav": (lambda: bytes(512) + wav(), LENGTH_S),
    "wav_mark_front.wav": (lambda: b"\xef\xbb\xbf" + wav(), LENGTH_S),
    "wav_http_front.wav": (lambda: b"HTTP/1.1 200 OK\r\n\r\n" + wav(), LENGTH_S),
    "video.wav": (lambda: b"RIFF\x99\0\0\0AVI LIST" + NOISE[:500], "no decoder"),
    "picture.wav": (lambda: b"RIFF\x99\0\0\0WEBPVP8 " + NOISE[:50], "no decoder"),
}


def as_wav(subtype, rate_hz=RATE_HZ):
    return lambda: encoded("WAV", subtype, rate_hz=rate_hz)


SUBTYPES = {
    f"wavsub_{subtype}.wav": (as_wav(subtype), LENGTH_S)
    for subtype in (
        *("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
        *("IMA_ADPCM", "MS_ADPCM"),
    )
}
SUBTYPES["wavsub_GSM610.wav"] = (as_wav("GSM610", 8000), LENGTH_S)
SUBTYPES["wavsub_G721_32.wav"] = (as_wav("G721_32", 8000), LENGTH_S)


VOC_RATE_HZ = 1_000_000 / (256 - 165)  # A byte says it.


def voc(*blocks):
    """A Creative Voice file of blocks: a kind and what is in it."""
    parts = [bytes([kind]) + struct.pack("<I", len(x))[:3] + x for kind, x in blocks]
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x10A, 0x1129)
    return head + b"".join(parts) + b"\0"


def voc_sound(packing=0, length_s=LENGTH_S):
    sound = samples(round(VOC_RATE_HZ), length_s)
    return 1, bytes([165, packing]) + (sound * 127 + 128).astype("u1").tobytes()


VOC_SILENCE = 3, struct.pack("<HB", 9999, 165)
# What libsndfile refuses, or takes for what it is not.
VOC = {
    "several": (lambda: voc(*3 * [voc_sound(length_s=1.0)]), LENGTH_S),
    "continued": (lambda: voc(voc_sound(), (2, voc_sound()[1][2:])), 2 * LENGTH_S),
    "silence_first": (lambda: voc(VOC_SILENCE, voc_sound()), LENGTH_S),
    "packed": (lambda: voc((5, b"text\0"), voc_sound(packing=1)), 2 * LENGTH_S),
    "no_end": (lambda: voc(voc_sound())[:-1], LENGTH_S),
}


def as_file(form, subtype, rate_hz=RATE_HZ):
    return functools.cache(lambda: encoded(form, subtype, rate_hz=rate_hz))


FORMATS = {
    f"fmt_{form}_{subtype}.{ending}": (as_file(form, subtype), LENGTH_S)
    for form, subtype, ending in (
        *(
            ("WAVEX", "PCM_24", "wav"),
            ("RF64", "PCM_16", "wav"),
            ("W64", "PCM_16", "w64"),
        ),
        *(("AU", "PCM_16", "au"), ("CAF", "PCM_16", "caf"), ("CAF", "ALAC_16", "caf")),
        *(("AIFF", "PCM_16", "aiff"), ("AIFF", "DWVW_16", "aif")),
        *(
            ("AIFF", "ULAW", "aifc"),
            ("OGG", "VORBIS", "ogg"),
            ("FLAC", "PCM_24", "flac"),
        ),
        *(
            ("FLAC", "PCM_S8", "flac"),
            ("VOC", "PCM_16", "voc"),
            ("NIST", "PCM_16", "sph"),
        ),
        *(("SVX", "PCM_16", "svx"), ("PAF", "PCM_24", "paf"), ("SDS", "PCM_16", "sds")),
        *(("AVR", "PCM_16", "avr"), ("HTK", "PCM_16", "htk")),
    )
}
FORMATS["voc_8bit.voc"] = (lambda: voc(voc_sound()), LENGTH_S)
FORMATS["voc_text.voc"] = (lambda: voc((5, b"text\0"), voc_sound()), LENGTH_S)
FORMATS["fmt_OGG_OPUS.opus"] = (as_file("OGG", "OPUS", 48_000), LENGTH_S)
CUT = {
    f"cut_{name}": (lambda make=make: make()[: len(make()) * 6 // 10], "truncated")
    for name, (make, _) in (FORMATS | SUBTYPES).items()
    # PAF does not say how long it is, and a cut HTK file is recognised by nobody.
    if not name.endswith((".paf", ".htk"))
}
HEADERS_BYTES = {
    "wavsub_PCM_24.wav": 44,
    "wavsub_IMA_ADPCM.wav": 60,
    "fmt_W64_PCM_16.w64": 104,
    "fmt_RF64_PCM_16.wav": 104,
    "fmt_AU_PCM_16.au": 24,
    "fmt_VOC_PCM_16.voc": 42,
    "fmt_NIST_PCM_16.sph": 1024,
}
CUT |= {
    f"header_alone_{name}": (
        lambda name=name, size=size: (FORMATS | SUBTYPES)[name][0]()[:size],
        "truncated",
    )
    for name, size in HEADERS_BYTES.items()
}


HEADS_BYTES = {
    "wavsub_PCM_24.wav": (4, 12, 40),
    "fmt_W64_PCM_16.w64": (60,),
    "fmt_RF64_PCM_16.wav": (60,),
    "fmt_AIFF_PCM_16.aiff": (12, 40),
    "fmt_CAF_PCM_16.caf": (60, 300),
    "fmt_OGG_VORBIS.ogg": (24, 300),
    "fmt_OGG_OPUS.opus": (300, 5000),
    "fmt_FLAC_PCM_24.flac": (4, 60),
}
CUT |= {
    f"first_{size}_of_{name}": (
        lambda name=name, size=size: (FORMATS | SUBTYPES)[name][0]()[:size],
        "truncated",
    )
    for name, sizes in HEADS_BYTES.items()
    for size in sizes
}


def changed(make, at, new):
    def write():
        data = bytearray(make())
        data[at : at + len(new)] = new
        return bytes(data)

    return write


def sized(form, marker, new, behind=4):
    """A file whose chunk has another size."""
    data = FORMATS[form][0]()
    return changed(FORMATS[form][0], data.rfind(marker) + behind, new)()


def without_size(form, at, size, unknown, name, gap, wrong):
    """Samples of no known size that start with the header of a chunk."""
    chunk = struct.pack(size, unknown) + name + bytes(gap) + struct.pack(size, wrong)
    return changed(FORMATS[form][0], at - 8, chunk)()


def with_name():
    """AIFF with a chunk of an odd size, without the byte that must follow it."""
    data = FORMATS["fmt_AIFF_PCM_16.aiff"][0]()
    return data[:12] + b"NAME\0\0\0\3abc" + data[12:]


UNSIZED = {
    "aiff_name_odd_nopad.aiff": (with_name, LENGTH_S),
    "aiff_0.aiff": (lambda: sized("fmt_AIFF_PCM_16.aiff", b"SSND", bytes(4)), LENGTH_S),
    "aiff_ff.aiff": (
        lambda: sized("fmt_AIFF_PCM_16.aiff", b"SSND", b"\xff" * 4),
        LENGTH_S,
    ),
    "au_0.au": (lambda: sized("fmt_AU_PCM_16.au", b".snd", bytes(4), 8), LENGTH_S),
    "au_ff.au": (lambda: sized("fmt_AU_PCM_16.au", b".snd", b"\xff" * 4, 8), LENGTH_S),
    "rf64_0.wav": (
        lambda: sized("fmt_RF64_PCM_16.wav", b"ds64", bytes(8), 16),
        LENGTH_S,
    ),
    "rf64_ff.wav": (
        lambda: sized("fmt_RF64_PCM_16.wav", b"ds64", b"\xff" * 8, 16),
        LENGTH_S,
    ),
    "w64_0.w64": (
        lambda: sized("fmt_W64_PCM_16.w64", b"data\xf3", struct.pack("<q", 24), 16),
        LENGTH_S,
    ),
    "w64_largest.w64": (
        lambda: sized("fmt_W64_PCM_16.w64", b"data\xf3", b"\xff" * 7 + b"\x7f", 16),
        LENGTH_S,
    ),
    # Samples that look like a chunk which ends where it begins.
    "w64_0_chunk.w64": (
        lambda: without_size("fmt_W64_PCM_16.w64", 104, "<q", 24, b"junk", 12, 0),
        LENGTH_S,
    ),
    "caf_0_chunk.caf": (
        lambda: without_size("fmt_CAF_PCM_16.caf", 4092, ">q", 0, b"free", 0, -12),
        LENGTH_S,
    ),
}

# ---- FLAC and Ogg


@functools.cache
def flac(length_s=LENGTH_S):
    return encoded("FLAC", "PCM_16", samples(length_s=length_s))


def flac_of(num_samples):
    """A FLAC file whose header has another length; 0 stands for unknown."""
    field = int.from_bytes(flac()[21:26], "big") >> 36 << 36 | num_samples
    return changed(flac, 21, field.to_bytes(5, "big"))()


def flac_with_picture(claimed_bytes):
    """A FLAC file whose picture says that it has other bytes than it has."""
    about = struct.pack(">II", 3, 10) + b"image/jpeg"
    about += struct.pack(">6I", 0, 1, 1, 24, 0, claimed_bytes) + NOISE[:5000]
    block = b"\6" + struct.pack(">I", len(about))[1:] + about
    return flac()[:4] + b"\0" + flac()[5:42] + block + flac()[42:]


FLAC = {
    "flac_picture_too_small.flac": (lambda: flac_with_picture(2**25), LENGTH_S),
    "flac_zeros_front.flac": (lambda: bytes(100) + flac(), LENGTH_S),
    "flac_id3_too_small.flac": (
        lambda: id3(NOISE[:5000], size=900) + flac(),
        LENGTH_S,
    ),
    "flac_id3_past_the_end.flac": (
        lambda: id3(NOISE[:500], size=1 << 23) + flac(),
        LENGTH_S,
    ),
    "flac_unknown_length.flac": (lambda: flac_of(0), LENGTH_S),
    "song40_flac_unknown_length.flac": (lambda: ID3V1 + flac_of(0), LENGTH_S),
    "flac_wrong_md5.flac": (changed(flac, 26, b"\xab" * 16), LENGTH_S),
    "flac_length_half.flac": (lambda: flac_of(NUM_SAMPLES // 2), LENGTH_S),
    "flac_length_plus1.flac": (lambda: flac_of(NUM_SAMPLES + 1), LENGTH_S),
    "flac_length_plus64.flac": (lambda: flac_of(NUM_SAMPLES + 64), LENGTH_S),
    "flac_length_plus65.flac": (lambda: flac_of(NUM_SAMPLES + 65), "truncated"),
    "flac_length_double.flac": (lambda: flac_of(2 * NUM_SAMPLES), "truncated"),
    "flac_id3_front.flac": (lambda: id3(art(50_000)) + flac(), LENGTH_S),
    "flac_id3_front_1MB.flac": (lambda: id3(art(1 << 20)) + flac(), LENGTH_S),
    "flac_id3v1_tail.flac": (lambda: flac() + ID3V1, LENGTH_S),
    "flac_named.ogg": (flac, LENGTH_S),
    "flac_two_id3.flac": (
        lambda: id3(art(5000)) + id3(art(99), 16, version=4) + flac(),
        LENGTH_S,
    ),
    "flac_junk_tail.flac": (lambda: flac() + NOISE[:70_000], LENGTH_S),
    "flac_last_frame_cut.flac": (lambda: flac()[:-300], "truncated"),
    # In a row: decoders read the first, and its header knows of no other.
    "flac_then_shorter.flac": (lambda: flac() + flac(1.0), LENGTH_S + 1),
    "flac_then_longer.flac": (lambda: flac() + flac(5.0), LENGTH_S + 5),
    "flac_then_same.flac": (lambda: flac() + flac(), 2 * LENGTH_S),
    "flac_thrice.flac": (lambda: flac() + flac(2.0) + flac(), 2 * LENGTH_S + 2),
    "flac_then_id3_flac.flac": (lambda: flac() + ID3V1 + flac(5.0), LENGTH_S + 5),
    "flac_id3_front_then_longer.flac": (
        lambda: id3(art(500)) + flac() + id3(art(500)) + flac(5.0),
        LENGTH_S + 5,
    ),
    "flac_unknown_then_longer.flac": (lambda: flac_of(0) + flac(5.0), LENGTH_S + 5),
    "flac_cut_then_longer.flac": (lambda: flac()[:-90_000] + flac(5.0), "truncated"),
    "flac_then_cut.flac": (lambda: flac() + flac(5.0)[:-90_000], "truncated"),
    "flac_then_header.flac": (lambda: flac() + flac(5.0)[:60], LENGTH_S),
    "flac_then_other_rate.flac": (
        lambda: flac() + encoded("FLAC", "PCM_16", rate_hz=22_050),
        "truncated",
    ),
    "flac_unknown_cut.flac": (lambda: flac_of(0)[: len(flac()) // 2], "truncated"),
}


@functools.cache
def ogg(seed=0):
    sound = samples() if seed == 0 else 0.9 * samples()[::-1]
    return encoded("OGG", "VORBIS", sound.copy())


def without_last_flag(data):
    """Takes the flag of the last page away, and computes its checksum anew."""
    at = data.rfind(b"OggS")
    page = bytearray(data[at:])
    page[5] &= ~4
    page[22:26] = bytes(4)
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            high = remainder & 0x80000000
            remainder = (remainder << 1 ^ (0x04C11DB7 if high else 0)) & 0xFFFFFFFF
    page[22:26] = struct.pack("<I", remainder)
    return data[:at] + bytes(page)


def without_page(data, put=b""):
    """Leaves out a page in the middle, or has bytes in its place."""
    start = data.find(b"OggS", len(data) // 2)
    return data[:start] + put + data[data.find(b"OggS", start + 4) :]


def with_junk_between_pages(data):
    at = data.find(b"OggS", len(data) // 2)
    return data[:at] + b"junk" * 99 + data[at:]


def flipped(data, share):
    at = int(share * len(data))
    return data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]


def opus():
    return FORMATS["fmt_OGG_OPUS.opus"][0]()


OGG = {
    "ogg_ok.ogg": (ogg, LENGTH_S),
    "ogg_chained.ogg": (lambda: ogg() + ogg(1), 2 * LENGTH_S),
    "ogg_no_eos.ogg": (lambda: without_last_flag(ogg()), LENGTH_S),
    "ogg_trailing_garbage.ogg": (lambda: ogg() + bytes(5000), LENGTH_S),
    "ogg_thrice.ogg": (lambda: 3 * ogg(), 3 * LENGTH_S),
    "opus_chained.opus": (lambda: 2 * opus(), 2 * LENGTH_S),
    "ogg_then_opus.ogg": (lambda: ogg() + opus(), "truncated"),
    # A page that is not sound is left out by decoders, and silence stands for it.
    "ogg_flipped_bit.ogg": (lambda: flipped(ogg(), 0.4), "damaged"),
    "ogg_flipped_bit_at_the_end.ogg": (lambda: flipped(ogg(), 0.98), "damaged"),
    "opus_flipped_bit.opus": (lambda: flipped(opus(), 0.6), "damaged"),
    "ogg_page_missing.ogg": (lambda: without_page(ogg()), "damaged"),
    "ogg_page_of_zeros.ogg": (lambda: without_page(ogg(), bytes(4000)), "damaged"),
    "ogg_junk_between.ogg": (lambda: with_junk_between_pages(ogg()), LENGTH_S),
    "ogg_newline_front.ogg": (lambda: b"\r\n" + ogg(), LENGTH_S),
    "id3_ogg.ogg": (lambda: id3(art(500)) + ogg(), LENGTH_S),
}

# ---- Samples that are odd, and files that are sound


def floats(sound, rate_hz=RATE_HZ, subtype="FLOAT"):
    return lambda: encoded("WAV", subtype, np.asarray(sound, np.float32), rate_hz)


def with_one(value):
    sound = samples().copy()
    sound[500] = value
    return floats(sound)


ODD = {
    "rate_384k.wav": (floats(samples(), 384_000), NUM_SAMPLES / 384_000),
    "rate_8k.wav": (floats(samples()[:24_000], 8000, "PCM_16"), LENGTH_S),
    "rate_100Hz.wav": (floats(samples()[:300], 100, "PCM_16"), LENGTH_S),
    "rate_1MHz.wav": (floats(samples(), 1_000_000, "PCM_16"), NUM_SAMPLES / 1e6),
    # One sample is too short to be resampled.
    "one_sample.wav": (floats([0.5], subtype="PCM_16"), "silent"),
    "ten_samples.wav": (floats([0.5] * 10, subtype="PCM_16"), 10 / RATE_HZ),
    "ch_32.wav": (floats(np.repeat(samples()[:44_100, None], 32, 1)), 1.0),
    "ch_opposite.wav": (floats(np.stack([samples(), -samples()], 1)), "silent"),
    "dc_offset.wav": (floats(np.full(NUM_SAMPLES, 0.5)), LENGTH_S),
    "clipped.wav": (floats(samples() * 1e4), LENGTH_S),
    "denormal.wav": (floats(samples() * 1e-30), "silent"),
    "one_nan.wav": (with_one(np.nan), "not finite"),
    # Finite, but no filter has room for their sums.
    "largest.wav": (floats(np.sign(samples()) * 3e38), "not finite"),
    "largest_at_12k.wav": (floats(np.sign(samples()) * 3e38, 12_000), "not finite"),
    "one_largest.wav": (with_one(3.4e38), "not finite"),
}

KINDS = MP3 | MORE_MP3 | WAV | SUBTYPES | FORMATS | CUT | UNSIZED | FLAC | OGG | ODD
