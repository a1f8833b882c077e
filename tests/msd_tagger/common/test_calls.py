import re

import pytest

from msd_tagger.common import calls


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("adam", "adam", {}),
        (" lion ( b1 = 0.5 ) ", "lion", {"b1": 0.5}),
        (
            "a.b:C(x=(1, 2), y='z', on=True)",
            "a.b:C",
            {"x": (1, 2), "y": "z", "on": True},
        ),
        ("a:C(x=-1e-4, y=None)", "a:C", {"x": -1e-4, "y": None}),
    ],
)
def test_a_name_and_its_arguments(text, name, arguments):
    found = calls.parse(text, "key")
    assert found == (name, arguments)
    assert calls.parse(str(found), "key") == found


@pytest.mark.parametrize(
    "text",
    *[
        [
            "",
            "a(",
            "a)",
            "a(1)",
            "a(x=1, x=2)",
            "a(**b)",
            "a-b",
            "a:b:c",
            "a(x=1)(y=2)",
        ]
    ],
)
def test_what_is_no_name_is_shown(text):
    with pytest.raises(ValueError, match=r"--key: .* must be a name, perhaps with arg"):
        calls.parse(text, "--key")


@pytest.mark.parametrize("value", ["b", "f()", "inf", "1 + x"])
def test_a_value_that_is_none_is_named(value):
    message = rf"--key: x={re.escape(value)} must be a number, a text in quotes"
    with pytest.raises(ValueError, match=message):
        calls.parse(f"a(y=1, x={value})", "--key")


def test_code_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_1.py").write_text("def one():\n    return 1\n")
    (tmp_path / "mine_2.py").write_text("\n\ny = [][1]\nclass x:\n    pass\n")
    # Does not run, as it defines nothing of that name; and one that would end all.
    (tmp_path / "mine_4.py").write_text("import os\nos.remove('mine_4.py')\n")
    (tmp_path / "mine_5.py").write_text("def x():\n    pass\nraise SystemExit\n")
    (tmp_path / "folder_1").mkdir()
    assert calls.load("mine_1:one", "key")() == 1
    assert calls.digest_of("mine_1:one", "key") == calls.digest_of("mine_1:one", "key")
    for name, message in {
        "mine_1:two": r"key: mine_1 has no 'two'; it defines one",
        "mine_4:os": r"key: mine_4 has no 'os'; it defines nothing",
        "mine_5:x": r"importing mine_5 failed: SystemExit",
        "shutil:system": r"shutil has no 'system'; it defines .*copyfile",
        "sys:exit": r"sys is not a Python file: built-in",
        "mine_2:x": rf"importing mine_2 failed: IndexError: .*{tmp_path}.*line 3\)",
        "mine_3:x": r"the module mine_3 cannot be imported \(No mod.*PYTHONPATH",
    }.items():
        with pytest.raises(ValueError, match=message):
            calls.load(name, "key")


def test_arguments_are_known_by_name():
    call = calls.Call("mixup", {"beta": 1})
    with pytest.raises(
        ValueError, match=r"key: mixup has no argument 'beta'; .* alpha"
    ):
        calls.check_arguments(call, ["alpha"], "key")
