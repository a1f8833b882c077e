"""TFRecords and Examples without TensorFlow, judged by TensorFlow."""

import io

import numpy as np
import pytest

from input_pipeline import records

FEATURES = {
    "track_id": "Björk".encode(),
    "spectrogram": np.arange(5000, dtype=np.float16).tobytes(),
    "tags": bytes([0, 1, 0]),
}


def _shard(path, num_records=3):
    with path.open("wb") as file:
        for number in range(num_records):
            features = FEATURES | {"tags": bytes([number, 1, 0])}
            records.write_record(file, records.encode_example(features))
    return path


def test_tensorflow_reads_what_we_write(tmp_path):
    import tensorflow as tf

    found = list(tf.data.TFRecordDataset(str(_shard(tmp_path / "a"))))
    assert len(found) == 3
    features = tf.train.Example.FromString(found[2].numpy()).features.feature
    assert set(features) == set(FEATURES)
    for name, value in (FEATURES | {"tags": bytes([2, 1, 0])}).items():
        assert features[name].bytes_list.value[:] == [value]


def test_we_read_what_tensorflow_writes(tmp_path):
    import tensorflow as tf

    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    path = tmp_path / "a"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for length in (0, 1, 127, 128, 70_000):
            values = FEATURES | {"spectrogram": bytes(range(256)) * length}
            message = tf.train.Features(
                feature={name: feature(value) for name, value in values.items()}
            )
            writer.write(tf.train.Example(features=message).SerializeToString())
    data = records.map_file(path)
    for length, spans in zip(
        (0, 1, 127, 128, 70_000),
        records.read_examples(path, data, check=True),
        strict=True,
    ):
        start, stop = spans["spectrogram"]
        assert data[start:stop] == bytes(range(256)) * length
        assert data[slice(*spans["track_id"])].decode() == "Björk"


def test_an_index_has_ids_places_and_labels(tmp_path):
    path = _shard(tmp_path / "a")
    index = records.index_shard(path, check=True)
    assert index.track_id == ["Björk"] * 3
    assert index.tags.tolist() == [[0, 1, 0], [1, 1, 0], [2, 1, 0]]
    assert index.true_tags is None
    content = path.read_bytes()
    assert index.size_bytes == len(content)
    for offset in index.offset:
        found = content[offset : offset + 10_000]
        assert found == FEATURES["spectrogram"]


def test_an_empty_shard_has_no_records(tmp_path):
    index = records.index_shard(_shard(tmp_path / "a", 0), check=True)
    assert index.track_id == []
    assert index.size_bytes == 0


@pytest.mark.parametrize("lost", [1, 4, 5, 100, 10_000])
def test_a_cut_shard_names_file_and_record(tmp_path, lost):
    path = _shard(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(records.RecordError, match=r"/a, record 2.*ends within"):
        records.index_shard(path)


def test_every_flipped_bit_is_found(tmp_path):
    path = _shard(tmp_path / "a", 2)
    whole = path.read_bytes()
    places = [*range(0, 80), *range(80, len(whole), 997), len(whole) - 1]
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(records.RecordError, match=r"record [01]"):
            records.index_shard(path, check=True)


def test_other_content_is_refused(tmp_path):
    path = tmp_path / "a"
    with path.open("wb") as file:
        records.write_record(file, records.encode_example({"image": b"png"}))
    with pytest.raises(records.RecordError, match=r"no feature.*spectrogram"):
        records.index_shard(path)
    file = io.BytesIO()
    records.write_record(file, b"\x08\x01")  # A number where a message belongs.
    path.write_bytes(file.getvalue())
    with pytest.raises(records.RecordError, match="wire type 0"):
        records.index_shard(path, check=True)
