"""TFRecords and Examples without TensorFlow, judged by TensorFlow."""

import numpy as np

from input_pipeline import records

FEATURES = {
    "track_id": "Björk".encode(),
    "spectrogram": np.arange(50_000, dtype=np.float16).tobytes(),
    "tags": bytes([0, 1, 0]),
}


def test_tensorflow_reads_what_we_write(tmp_path):
    import tensorflow as tf

    path = tmp_path / "a"
    sizes = (0, 1, 127, 128, 70_000)
    with path.open("wb") as file:
        for size in sizes:
            example = records.encode_example(FEATURES | {"tags": bytes(size)})
            records.write_record(file, example)
    found = list(tf.data.TFRecordDataset(str(path)))
    assert len(found) == len(sizes)
    for size, record in zip(sizes, found, strict=True):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        assert set(features) == set(FEATURES)
        for name, value in (FEATURES | {"tags": bytes(size)}).items():
            assert features[name].bytes_list.value[:] == [value]
