"""What the page is told, and the sample that it offers."""

import numpy as np
import pytest
import soundfile
import soxr
from scipy.signal import correlate

from input_pipeline.corpora.synthetic import TAGS, label_only
from input_pipeline.corpora.synthetic.clip import synthesize
from msd_tagger.bundle.heard import SYNTHETIC
from msd_tagger.tagging.server import answers
from tests.serving import LIMITS, make_bundle


def page_of(corpus):
    bundle = make_bundle()
    bundle.provenance = {"corpus": corpus}
    return answers.page_files(bundle, LIMITS)["/"][1]


def test_the_page_says_what_was_heard():
    page = page_of({"name": "synthetic", "version": "1.3"})
    assert '<div class="notice"' in page and SYNTHETIC in page
    page = page_of({"name": "<my music>"})
    assert '<div class="notice"' not in page
    assert "This network has heard: &lt;my music&gt;." in page


@pytest.mark.parametrize(("half", "clip"), [(0, 18), (1, 10)])
def test_the_sample_is_what_the_embedded_corpus_composes(half, clip):
    samples, rate_hz = soundfile.read(answers.PAGE / "sample.mp3", dtype="float32")
    assert len(samples) == pytest.approx(58 * rate_hz, rel=0.01)
    composed = soxr.resample(synthesize(1, clip, 29.0), 22050, rate_hz)
    heard = samples[half * 29 * rate_hz :][: 29 * rate_hz]
    likeness = correlate(heard, composed).max()
    assert likeness > 0.95 * np.linalg.norm(heard) * np.linalg.norm(composed)
    true = np.array(TAGS)[label_only(clip + 1, 1)[0][clip] == 1]
    assert answers.SAMPLE_TAGS[half] == ", ".join(sorted(true))
