import importlib
import re

import pytest
from ml_collections import ConfigDict

from configs import checks, default, label_noise
from configs.keys import KEYS
from configs.tasks import TASKS
from msd_tagger.common import facts, files
from msd_tagger.network import preprocessing as pre
from msd_tagger.training import parallel
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
    assert files.flatten(made.to_dict()).keys() == KEYS.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train__learning_rate": 0.0}, r"learning_rate=0.0: must be more than 0"),
        ({"train__fraction": 1.5}, r"fraction=1.5: .* at most 1"),
        ({"profile_steps": (9, 3)}, r"steps=\(9, 3\): must be the first and the last"),
        ({"profile_steps": (0, 3)}, r"steps=\(0, 3\): must be the first and the last"),
        ({"train__warmup_epochs": 25.0}, r"epochs=25: must be less than .* 25"),
        ({"num_seeds": 0}, r"num_seeds=0: must be at least 1"),
        ({"num_seeds": True}, r"num_seeds=True: must be at least 1"),
        ({"name": 201 * "x"}, r"it names a folder, .* at most 200 bytes"),
        ({"model__batch_norm_momentum": 1.5}, r"momentum=1.5"),
        ({"corpus__train_clips": 9}, r"train_clips=9: must be at least 12"),
        ({"preprocessing__scale": float("inf")}, r"scale=inf"),
        ({"input__cache": "disk"}, r"'disk': must be one of 'auto', 'none', 'memory'"),
        ({"name": "../x"}, r"name='../x': it names a folder"),
        ({"spectrogram__dft_size_samples": 511}, r"size_samples=511: must be even"),
        ({"spectrogram__hop_samples": 600}, r"hop_samples=600 skips samples"),
        ({"model__pools": ((2, 4), (3,))}, r"each entry must be two"),
        ({"model__pools": (2, 4)}, r"each entry must be two"),
        ({"model__pools": ((96, 47),)}, r"96 x 47 positions .* more than 256"),
        ({"train__max_epochs": float("nan")}, r"max_epochs=nan"),
        (
            {
                "train__init_bundle": ".",
                "train__freeze": "features",
                "train__statistics_clips": 64,
            },
            r"statistics_clips=64: with train\.freeze=features the batch statistics",
        ),
        (
            {
                "train__init_bundle": ".",
                "train__freeze": "features",
                "model__batch_norm_momentum": 0.5,
            },
            r"batch_norm_momentum=0\.5: with train\.freeze=features",
        ),
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
        ({"train__augmentations": (("mixup",),)}, r"augmentations=.* must be a text"),
        ({"train__label_noise": None}, "label_noise=None: must have a value"),
        ({"model__pools": None}, "model.pools=None: must have a value"),
        ({"train__label_noise": "true*" + 400 * "9"}, "more than 0, and finite"),
        ({"analysis__annotated_labels": ()}, "must have labels, each once"),
        ({"analysis__annotated_labels": ("a", "a")}, "must have labels, each once"),
        ({"train__augmentations": ("mixup", 0.4)}, r"0.4\): each entry must be a text"),
        ({"prepare__kinds": (1,)}, r"kinds=\(1,\): each entry must be a text"),
        ({"analysis__annotations": (1,)}, r"annotations=\(1,\): each entry must"),
        ({"input__local_dir": "gs://a/b"}, r"gs://a/b: must be a folder of this mach"),
        ({"compilation_cache_dir": "s3://a"}, r"s3://a: must be a folder of this mach"),
        ({"train__label_noise": "*2"}, r"label_noise=\*2: there is no such file; give"),
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


def test_the_choices_are_those_of_the_code_that_takes_them():
    taken = {
        "preprocessing.magnitude": pre.MAGNITUDES,
        "preprocessing.frequency_weighting": pre.WEIGHTINGS,
        "train.parallel": ("auto", *parallel.MODES),
    }
    assert KEYS["model.network"].default == facts.CONVNET
    assert {key: KEYS[key].allowed for key in taken} == taken
    assert {*TASKS} == {"train", *studies.STUDIES, studies.PAPER}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config=configs/db_ml.py"],
            "no such file; did you mean configs/db_mel.py?",
        ),
        (["--config", "configs/papr.py:quick"], "did you mean configs/paper.py?"),
        (["--config=db_mel"], "did you mean configs/db_mel.py?"),
        (["--config=configs/db_mel.py:x"], "configs/db_mel.py has no variants; give"),
        (["--config=zzz.py"], "--config=zzz.py: there is no such file. docs/commands"),
    ],
)
def test_a_mistyped_file_gets_the_nearest(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        checks.check_file(["main.py", *arguments])


@pytest.mark.parametrize(
    ("content", "variant", "message"),
    [
        ("config = 3", "", "the file has no function get_config"),
        ("get_config = 3", "", "the file has no function get_config"),
        ("get_config: dict = {}", "", "the file has no function get_config"),
        (
            "def get_config(word): ...",
            "",
            "its get_config() needs an argument, word; give",
        ),
        ("def get_config(): ...", ":a", ":a: .* has no variants; give"),
    ],
)
def test_a_file_without_a_fitting_function_is_told(content, variant, message, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(content)
    with pytest.raises(ValueError, match=message.replace("()", r"\(\)")):
        checks.check_file(["main.py", f"--config={own}{variant}"])


@pytest.mark.parametrize(
    ("content", "variant"),
    [
        ("def get_config(word='a'): ...", ""),
        ("def get_config(*words): ...", ":a"),
        ("from configs.db_mel import *", ""),
        ("get_config = lambda: 3", ""),
        ("def get_config(:", ""),
    ],
)
def test_a_file_with_a_fitting_function_is_taken(content, variant, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(content)
    checks.check_file(["main.py", f"--config={own}{variant}"])


def test_files_that_exist_are_taken():
    checks.check_file(["main.py", "--config=configs/paper.py:quick", "--mode=audit"])


def test_a_seed_of_noise_needs_noise():
    config = default.get_config(train__noise_seed=5)
    with pytest.raises(ValueError, match=r"noise_seed=5: no labels are changed"):
        checks.check_for_mode(config, "run")
    checks.check_for_mode(default.get_config(train__flip_labels=0.1), "run")
    study = label_noise.get_config()
    study.train.noise_seed = 5
    checks.check_for_mode(study, "run")


def test_of_two_configs_neither_is_taken():
    words = ["main.py", "--config=configs/db_mel.py", "--config", "configs/tags.py"]
    with pytest.raises(ValueError, match=r"twice, as configs/db_mel.py and as configs"):
        checks.check_file(words)


def test_a_configuration_has_the_keys_of_the_table():
    bare = ConfigDict({"name": "x", "train": {"max_epochs": 1.0}})
    with pytest.raises(
        ValueError, match=r"lacks \d+ of \d+ keys \(.*configs/default.py"
    ):
        checks.check_for_mode(bare, "run")
    mistyped = default.get_config()
    with mistyped.unlocked():
        mistyped.train.bach_size = 3
    with pytest.raises(ValueError, match=r"train.bach_size: .*mean train.batch_size"):
        checks.check_for_mode(mistyped, "run")
    with pytest.raises(ValueError, match="is a dict; get_config"):
        checks.check_for_mode({"name": "x"}, "run")
