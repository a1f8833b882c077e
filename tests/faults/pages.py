"""`docs/faults.md` has two authors: each replaces its own part and keeps the other."""

from pathlib import Path

MARKS = ("# Faults tried", "# Damaged inputs")  # The headings that begin the parts.


def write_section(path: Path, mark: str, text: str) -> None:
    """Writes a part of the page that begins with one of `MARKS`."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {one: _part(before, one) for one in MARKS} | {mark: text.strip()}
    whole = "\n\n".join(part for part in parts.values() if part)
    path.write_text(f"{whole}\n", encoding="utf-8")


def _part(page: str, mark: str) -> str:
    """Returns a part of the page, "" where it is not there."""
    lines: list[str] = []
    is_inside = False
    for line in page.splitlines():
        is_inside = line == mark if line in MARKS else is_inside
        lines += [line] if is_inside else []
    return "\n".join(lines).strip()
