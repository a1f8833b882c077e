"""The notebook of the documentation: its cells run, and what it shows was made by them.

They run in this process and without Jupyter, whose kernel would be another process that
imports everything anew. Only what shows a picture is a stand-in.
"""

import base64
import json
from pathlib import Path

import pytest

from msd_tagger.bundle.format import write_bundle
from tests import bundles, fakes

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
SMALL = f"""
        clip__duration_s={fakes.RECIPE.duration_s},
        spectrogram__num_mel_bands={fakes.RECIPE.num_mel_bands},
        model__pools={fakes.POOLS},
        model__channels=6,
        prepare__num_processes=1,
        analysis__linear_baseline=False,
"""
# What makes it quick: each stands in the notebook once.
SMALLER = {
    "from IPython.display import Image\n": "",
    "duration_s=29.0": "duration_s=3.0",
    "hop_s=2.9": "hop_s=0.5",
    "(40, 20, 200)": "(8, 4, 12)",
    "seed=2)": "seed=2, num_processes=1, clip_duration_s=1.0)",
    '        name="quickstart",\n': f'{SMALL}        name="quickstart",\n',
    "max_epochs=15.0": "max_epochs=2.0",
    "evaluate_every_epochs=5.0": "evaluate_every_epochs=1.0",
}


def cells():
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def picture(filename, width):
    """Stands in for IPython's, which reads the file as well."""
    assert Path(filename).read_bytes().startswith(b"\x89PNG") and width <= 1000


@pytest.mark.slow
@pytest.mark.usefixtures("warm_starts", "programs_shared")
def test_the_notebook_runs(tmp_path, monkeypatch):
    bundle, folder = tmp_path / "bundle", tmp_path / "made"
    write_bundle(bundle, bundles.make_bundle(num_seeds=1))
    changes = SMALLER | {
        '"runs/first/bundle"': f'"{bundle}"',
        '"runs/quickstart"': f'"{folder}"',
        '"main.py", *study': f'"main.py", "--data_dir={tmp_path}/data", *study',
    }
    text = "\n".join("".join(cell["source"]) for cell in cells())
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    monkeypatch.chdir(ROOT / "docs")
    exec(compile(text, NOTEBOOK.name, "exec"), {"Image": picture})
    assert Path.cwd() == ROOT


def test_what_the_notebook_shows_was_made_by_it():
    assert [cell["execution_count"] for cell in cells()] == [
        *range(1, 1 + len(cells()))
    ]
    outputs = [output for cell in cells() for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    pictures = [
        base64.b64decode(output["data"]["image/png"])
        for output in outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2 and all(one.startswith(b"\x89PNG") for one in pictures)
    assert NOTEBOOK.stat().st_size < 300_000
    shown = json.dumps(outputs)
    assert str(ROOT) not in shown and "/tmp/" not in shown
