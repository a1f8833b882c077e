"""What names a run's folder."""

import importlib
import json

import pytest

from configs import default
from configs.identity import OF_BUNDLE, digest, identity
from configs.keys import KEYS
from tests import fakes

# Of today's defaults; another value of any would part users from their runs.
DIGESTS = {
    "db_mel": "61687783",
    "linear_mel": "2509c8c9",
    "db_stft": "b74abeab",
    "linear_stft": "e2fc583e",
    "paper": "562b10a0",
    "variance": "7df6fd34",
    "data_size": "edc87ba6",
    "preprocessing": "7c7315a1",
    "tags": "923dd421",
    "groundtruth": "ac393938",
    "reliability": "ff1c0a65",
    "network": "8af86fc4",
    "label_vectors": "1342df1d",
    "label_noise": "d3c711f8",
}


def config(**changes):
    return fakes.override(default.get_config(), changes)


@pytest.mark.parametrize("name", DIGESTS)
def test_folders_keep_their_names(name):
    made = importlib.import_module(f"configs.{name}").get_config()
    assert digest(identity(made)) == DIGESTS[name]


def test_a_key_matters_unless_the_table_says_otherwise(monkeypatch):
    """Names are matched whole: a key `input_gain` is none of the section `input`."""
    longer = KEYS["seed"]._replace(name="input_gain")
    monkeypatch.setitem(KEYS, "input_gain", longer)
    aside = longer._replace(name="input_note", matters=False)
    monkeypatch.setitem(KEYS, "input_note", aside)
    made = default.get_config()
    assert identity(made)["input_gain"] == 0
    assert "input_note" in made and "input_note" not in identity(made)
    own = {name for name in identity(made) if name.startswith("input.")}
    assert own == {"input.window_shards"}


def test_only_keys_that_matter_name_a_run():
    base = digest(identity(config()))
    same = config(
        train__log_every_steps=7,
        prepare__num_processes=3,
        prepare__beam="--runner=FlinkRunner",
        input__threads=5,
        compilation_cache_dir="cache",
        distributed="node17:12355",
        process_count=2,
        process_index=1,
        resume=False,
    )
    assert digest(identity(same)) == base
    for changes in ({"seed": 1}, {"train__learning_rate": 0.1}, {"num_seeds": 2}):
        assert digest(identity(config(**changes))) != base


def test_of_a_bundle_its_content_matters(tmp_path):
    def identity_from(place, scores=0, names=("config", "model"), **changes):
        content = dict.fromkeys(OF_BUNDLE, "x") | {"scores": scores} | changes
        content["sha256"] = {f"{names[1]}.safetensors": "0a"}
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / f"{names[0]}.json").write_text(json.dumps(content))
        return identity(config(train__init_bundle=str(tmp_path / place)))

    base = identity_from("here")
    assert identity_from("there", scores=1) == base
    assert identity_from("old", names=("bundle", "weights")) == base
    assert identity_from("here", tags="y") != base
    assert base["train.freeze"] == "nothing"
    assert not {"train.freeze", "train.init_bundle"} & identity(config()).keys()
    (tmp_path / "here" / "config.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"here holds no bundle \(KeyError\('tags'\)\)"
    ):
        identity(config(train__init_bundle=str(tmp_path / "here")))


def test_a_number_of_tags_that_is_left_out_names_folders_as_it_always_did():
    def of(number, corpus):
        made = config(corpus__num_tags=number, corpus__name=corpus)
        return identity(made)["corpus.num_tags"]

    assert [of(0, "folder"), of(0, "msd"), of(50, "msd"), of(20, "msd")] == [
        *(50, 50, 50, 20)
    ]
    assert of(50, "folder") != of(0, "folder")
