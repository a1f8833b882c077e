"""One small prepared corpus for all tests that only read it."""

import pytest

from input_pipeline.corpora import folder
from input_pipeline.prepare import prepare
from tests.small_corpus import RECIPE, STFT, write_folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpus") / "tones"
    return folder.load(write_folder(directory, 23, true_tags=True))


@pytest.fixture(scope="session")
def prepared(corpus, tmp_path_factory):
    """Directory of each kind: 15 train clips in 4 shards, 4 valid, 4 test."""
    data_dir = tmp_path_factory.mktemp("data")
    return prepare(corpus, [RECIPE, STFT], data_dir, 2, clips_per_shard=4)
