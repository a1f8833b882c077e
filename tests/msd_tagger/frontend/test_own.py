"""A front end of one's own: what it has to do, and what names its shards."""

import itertools
import textwrap

import numpy as np
import pytest

from msd_tagger.frontend import own
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram

CODE = """
    import dataclasses
    import numpy as np
    from msd_tagger.frontend.own import FrontEnd

    @dataclasses.dataclass(frozen=True)
    class Blocks(FrontEnd):
        num_bands: int = 4
        wrong: str = ""

        def power(self, samples):
            found = np.square(samples[: 8 * 100].reshape(8, 100)).T[: self.num_bands]
            if self.wrong == "raises":
                return found[1_000]
            return {
                "": found,
                "flat": found[0],
                "text": found.astype(str),
                "negative": found - 1,
                "infinite": np.full((4, 8), np.inf),
                "depends": found[:, : 3 + (samples[0] == 0)],
            }[self.wrong]

    class Named(Blocks):
        def band_centres_hz(self):
            return np.arange(self.num_bands) * 100.0 + 100

    class Few(Blocks):
        def band_centres_hz(self):
            return np.arange(2)

    class Plain:
        pass

    opened = []
    def function(*given):
        opened.append(given)
"""
CLIP = {"duration_s": 0.1, "offset": "start"}
SPECTROGRAM = {
    "sample_rate_hz": 12_000,
    "dft_size_samples": 512,
    "hop_samples": 256,
    "num_mel_bands": 96,
}
NUMBERS = itertools.count()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A file of its own outside of the repository; gives its name."""
    name = f"fronts_{next(NUMBERS)}_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(CODE))
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def recipe(kind):
    return Recipe.from_config(CLIP, SPECTROGRAM, kind)


def test_a_recipe_knows_all_parameters_and_the_shape(module):
    found = recipe(f"{module}:Blocks(num_bands=3)")
    assert found.kind == f"{module}:Blocks(num_bands=3, wrong='')"
    assert found.shape == (3, 8) and found.identifier.startswith("Blocks-3x8-")
    assert Recipe.from_json(found.to_json()) == found
    samples = np.full(found.num_samples, 0.1, np.float32)
    stored = spectrogram(samples, found)
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(stored, np.full((3, 8), -20.0))


def test_a_parameter_that_is_given_or_not_is_the_same_and_another_is_not(module):
    kinds = ("Blocks", "Blocks(num_bands=4)", "Blocks(num_bands=5)", "Named")
    one, same, *others = (recipe(f"{module}:{kind}").identifier for kind in kinds)
    assert one == same and len({one, *others}) == 3


def test_an_edited_file_is_another_front_end(module, tmp_path, caplog):
    before = recipe(f"{module}:Blocks")
    with (tmp_path / f"{module}.py").open("a") as file:
        file.write("\n# Edited.\n")
    own.describe.cache_clear()
    assert recipe(f"{module}:Blocks").identifier != before.identifier
    spectrogram(np.ones(before.num_samples, np.float32), before)
    assert "was changed since a network learnt from it" in caplog.text


def test_a_name_of_this_repository_is_an_entry_of_one_table(module, monkeypatch):
    monkeypatch.setitem(own.FRONT_ENDS, "blocks", f"{module}:Blocks")
    assert recipe("blocks(num_bands=2)").kind == "blocks(num_bands=2, wrong='')"
    with pytest.raises(ValueError, match="must be one of 'mel', 'stft', 'blocks', or"):
        recipe("block")


def test_bands_may_have_no_frequencies(module):
    assert np.isnan(recipe(f"{module}:Blocks").band_centres_hz()).all()
    assert not recipe(f"{module}:Blocks").a_weighting_db().any()
    named = recipe(f"{module}:Named")
    assert named.band_centres_hz().tolist() == [100, 200, 300, 400]
    assert named.a_weighting_db()[0] == pytest.approx(-19.1, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cqt", "spectrogram.kind=cqt: must be one of 'mel', 'stft', or a front end"),
        ("nowhere:Blocks", r"nowhere cannot be imported .*PYTHONPATH"),
        ("{}:Bloks", "has no 'Bloks'; it defines .*Blocks"),
        ("{}:Blocks(bands=3)", "no argument 'bands'; it has num_bands, wrong"),
        ("{}:Blocks(sample_rate_hz=1)", "no argument 'sample_rate_hz'"),
        ("{}:Blocks(3)", "must be a name, perhaps with arguments"),
        ("{}:Plain", "must be a class derived from msd_tagger.frontend.own.FrontEnd"),
        ("{}:function(x=1)", "must be a class derived from"),
        ("{}:Few", r"gives \[2\]; it must give a frequency for each of 4 bands"),
        ("{}:Blocks(wrong='raises')", r"Blocks failed: IndexError.*\.py, line 1\d\)"),
        ("{}:Blocks(wrong='flat')", r"gives float32 \[8\] of 1200 samples; it must"),
        ("{}:Blocks(wrong='text')", r"gives <U\d+ \[4, 8\] of 1200 samples"),
        (
            "{}:Blocks(wrong='negative')",
            r"from -0\.\d+ to .*must be finite and not neg",
        ),
        ("{}:Blocks(wrong='infinite')", "values from inf to inf; powers must be"),
    ],
)
def test_what_is_wrong_is_named_at_once(module, kind, message):
    with pytest.raises(ValueError, match=message):
        recipe(kind.format(module))


def test_a_shape_that_depends_on_the_sound_is_refused(module):
    found = recipe(f"{module}:Blocks(wrong='depends')")
    with pytest.raises(ValueError, match=r"makes \[4, 4\] .* and made \[4, 3\] before"):
        spectrogram(np.zeros(found.num_samples, np.float32), found)


def test_a_bundle_runs_nothing_that_is_no_front_end(module):
    """Its recipe is text of somebody else's; the name alone is imported."""
    stranger = Recipe(f"{module}:function(x=1)", own_shape=(4, 8), own_source="ab")
    with pytest.raises(ValueError, match="must be a class derived from"):
        spectrogram(np.zeros(stranger.num_samples, np.float32), stranger)
    assert __import__(module).opened == []
