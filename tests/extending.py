"""A folder outside of the repository, with the code of docs/extending.md."""

import re
from pathlib import Path

import soundfile

from tests.small_corpus import sound

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def write_code(folder: Path, *names: str) -> None:
    """Writes what the page has of files of these names."""
    text = PAGE.read_text(encoding="utf-8")
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        name = code.partition("\n")[0].removeprefix("# ")
        if name in names:
            (folder / name).write_text(code)
    assert all((folder / name).exists() for name in names)


def write_sounds(music: Path, rate_hz: int) -> list[str]:
    """Writes 16 sounds, `0.wav` and so on, into a new folder; returns their splits."""
    music.mkdir()
    for number in range(16):
        soundfile.write(music / f"{number}.wav", sound(number, 3.2), rate_hz)
    return ["train", "train", "valid", "test"] * 4
