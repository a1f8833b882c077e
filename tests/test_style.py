"""What a linter does not see: machine paths, leftovers, missing files."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tracked(*patterns: str) -> list[Path]:
    """Returns the files under version control, or all where git does not know them."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *patterns], capture_output=True, text=True
    )
    names = listed.stdout.splitlines()
    paths = [ROOT / name for name in names] or [
        path
        for pattern in patterns
        for path in ROOT.rglob(pattern)
        if not {".venv", "data", "runs"} & set(path.relative_to(ROOT).parts)
    ]
    return sorted(path for path in paths if path.is_file())


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "path", tracked("*.py", "*.md", "*.txt", "*.toml"), ids=name_of
)
def test_nothing_is_tied_to_one_machine_or_left_over(path):
    text = path.read_text(encoding="utf-8")
    places = "home|work|root|Users|mnt"
    machine = rf"(?<![\w./<~-])/(?:{places})/\w"
    assert not re.search(machine, text)
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "PLACE" + "HOLDER", "{" + "{")
    assert [mark for mark in marks if mark in text] == []


@pytest.mark.parametrize("path", tracked("*.md"), ids=name_of)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    links += re.findall(r"^\[[^]]+\]: (\S+)", text, re.MULTILINE)
    missing = []
    for link in (one for one in links if "://" not in one):
        name, _, anchor = link.partition("#")
        page = path.parent / name if name else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            missing.append(link)
    assert missing == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", one.strip().lower()) for one in headings)
    return {one.replace(" ", "-") for one in kept}
