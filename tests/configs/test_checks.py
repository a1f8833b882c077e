import importlib
import json

import pytest

from configs import checks, default
from input_pipeline import streams
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.pools import POOLS
from msd_tagger.training import parallel, steps
from studies import sections as studies
from tests import fakes

EXPERIMENTS = ("default", "db_mel", "linear_mel", "db_stft", "linear_stft")


def config(**changes):
    return fakes.override(default.get_config(), changes)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_passes(name):
    made = importlib.import_module(f"configs.{name}").get_config()
    checks.check(made)
    assert made.name == name
    assert set(checks.flatten(made.to_dict())) == set(
        checks.flatten(default.get_config().to_dict())
    )


def test_every_key_is_checked_or_free():
    free = {
        "name",
        "corpus.audio_dir",
        "corpus.label_dir",
        "corpus.merge_synonyms",
        "sweep",
        "analysis.annotated_labels",
        "analysis.annotations",
        "analysis.label_studio",
        "preprocessing.standardise_clip",
        "train.init_bundle",
        "model.pools",
        "prepare.kinds",
        "prepare.beam",
        "analysis.linear_baseline",
        "compilation_cache_dir",
        "distributed",
        "profile_steps",
        "resume",
    }
    known = set(checks.CHOICES) | set(checks.RANGES) | free
    assert set(checks.flatten(default.get_config().to_dict())) == known


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spectrogram__kind": "mfcc"}, r"kind='mfcc': must be one of 'mel', 'stft'"),
        ({"train__learning_rate": 0.0}, r"learning_rate=0.0: must be more than 0"),
        ({"train__fraction": 1.5}, r"fraction=1.5: .* at most 1"),
        ({"profile_steps": (9, 3)}, r"steps=\(9, 3\): must be the first and the last"),
        ({"profile_steps": (0, 3)}, r"steps=\(0, 3\): must be the first and the last"),
        ({"num_seeds": 0}, r"num_seeds=0: must be at least 1"),
        ({"model__batch_norm_momentum": 1.5}, r"momentum=1.5"),
        ({"corpus__num_clips": 9}, r"num_clips=9: must be at least 18"),
        ({"preprocessing__scale": float("inf")}, r"scale=inf"),
        ({"input__reader": "tfdata"}, r"'tfdata': must be one of 'tf.data', 'plain'"),
        ({"name": "../x"}, r"name='../x': it names a folder"),
        ({"spectrogram__dft_size_samples": 511}, r"size_samples=511: must be even"),
        ({"prepare__kinds": ("mel", "cqt")}, r"'cqt' must be one of"),
        ({"spectrogram__hop_samples": 600}, r"hop_samples=600 skips samples"),
        ({"corpus__name": "folder"}, r"needs --config.corpus.audio_dir"),
        (
            {"corpus__name": "folder", "corpus__audio_dir": "/no/such/place"},
            r"audio_dir=/no/such/place: no such directory",
        ),
        ({"corpus__audio_dir": "x"}, r"goes with --config.corpus.name=folder"),
        ({"model__pools": ((2, 4), (3,))}, r"each entry must be two"),
        ({"model__pools": (2, 4)}, r"each entry must be two"),
        ({"train__max_epochs": float("nan")}, r"max_epochs=nan"),
        ({"train__init_bundle": "/no/such"}, r"init_bundle=/no/such: no such direct"),
        ({"train__freeze": "features"}, r"freeze=features needs --config.train.init"),
        ({"prepare__worker": -1}, r"prepare.worker=-1: must be at least 0"),
        ({"prepare__num_workers": 0}, r"num_workers=0: must be at least 1"),
        (
            {"prepare__worker": 3, "prepare__num_workers": 3},
            r"worker=3: must be less than --config.prepare.num_workers=3",
        ),
        ({"prepare__num_workers": 2}, r"num_workers=2 with the synthetic corpus"),
        ({"distributed": "node17"}, r"distributed=node17: must be auto, or host:port"),
        ({"distributed": "n:1", "process_count": 2, "process_index": 2}, r"here 2\)$"),
        ({"process_count": 2}, r"process_count=2 .* go with --config.distributed=host"),
        (
            {"prepare__num_workers": 2, "prepare__beam": "--runner=FlinkRunner"},
            r"num_workers=2 with --config.prepare.beam: .* one of the two",
        ),
    ],
)
def test_a_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        checks.check(config(**changes))


def test_only_keys_that_matter_name_a_run():
    base = checks.digest(checks.matter(config()))
    same = config(
        train__log_every_steps=7,
        prepare__num_processes=3,
        prepare__beam="--runner=FlinkRunner",
        input__reader="plain",
        compilation_cache_dir="cache",
        distributed="node17:12355",
        process_count=2,
        process_index=1,
        resume=False,
    )
    assert checks.digest(checks.matter(same)) == base
    for changes in ({"seed": 1}, {"train__learning_rate": 0.1}, {"num_seeds": 2}):
        assert checks.digest(checks.matter(config(**changes))) != base


def test_of_a_bundle_its_content_matters(tmp_path):
    def matter(place, scores=0, **changes):
        content = dict.fromkeys(checks.OF_BUNDLE, "x") | {"scores": scores} | changes
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "bundle.json").write_text(json.dumps(content))
        return checks.matter(config(train__init_bundle=str(tmp_path / place)))

    base = matter("here")
    assert matter("there", scores=1) == base
    assert matter("here", tags="y") != base
    assert base["train.freeze"] == "nothing"
    assert not {"train.freeze", "train.init_bundle"} & checks.matter(config()).keys()
    (tmp_path / "here" / "bundle.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"here holds no bundle \(KeyError\('tags'\)\)"
    ):
        checks.matter(config(train__init_bundle=str(tmp_path / "here")))


def test_the_choices_are_those_of_the_code_that_takes_them():
    taken = {
        "preprocessing.magnitude": pre.MAGNITUDES,
        "preprocessing.frequency_weighting": pre.WEIGHTINGS,
        "spectrogram.kind": tuple(POOLS),
        "train.optimiser": tuple(steps.OPTIMISERS),
        "train.parallel": parallel.MODES,
        "input.reader": tuple(streams.READERS),
    }
    assert {key: checks.CHOICES[key] for key in taken} == taken
    assert set(checks.STUDIES) == {*studies.STUDIES, studies.PAPER}
