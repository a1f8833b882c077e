"""Writes the tags.csv of a folder of music, from its folders or from its files' genres.

    python -m scripts.write_tags /path/to/music --by=folders

takes the first folder that a file is in as its tag: `jazz/blue/01.mp3` is jazz.
`--by=genres` takes the genres and the artist that the file itself names (ID3 in MP3,
Vorbis comments in Ogg and FLAC). One text may have several genres, separated by `;`. A
number of ID3, such as `(17)`, gets its name. The column `artist` keeps all songs of an
artist in one split. Files without a tag are left out and counted. No audio is decoded,
and an existing tags.csv is never overwritten.
"""

import argparse
import csv
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import soundfile

from input_pipeline.corpora.tables import ELSEWHERE, is_line
from msd_tagger.common import files
from msd_tagger.common.errors import reason_of
from msd_tagger.common.text import printable, text_path
from msd_tagger.tagging.songs import audio_files
from scripts.file_genres import genres_of

# Number to name of ID3's genres: those of ID3v1, and from 80 on what Winamp added.
_NAMES = Path(__file__).with_name("id3_genres.txt").read_text("utf-8").splitlines()
GENRES = {str(number): name for number, name in enumerate(_NAMES)}
COLUMNS = ("track_id", "path", "tags", "artist")


def of_folders(path: Path, music: Path) -> tuple[str, str]:
    """Returns the tag of a file by its folder, and no artist."""
    folders = path.relative_to(music).parts[:-1]
    return (_one_line(folders[0]) if folders else ""), ""


def of_genres(path: Path, music: Path) -> tuple[str, str]:
    """Reads the genres that a file names, separated by `|`, and its artist."""
    del music
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            found = file.copy_metadata()
        named = genres_of(path) or [found.get("genre", "")]
    except (soundfile.LibsndfileError, OSError):
        return "", ""  # What is no audio is left out too.
    texts = map(_one_line, re.split("[;|]", ";".join(named)))
    genres = (genre for text in texts for genre in _named(text))
    artist = _one_line(found.get("artist", ""))
    return "|".join(dict.fromkeys(genres)), artist


def _named(genre: str) -> list[str]:
    """Replaces numbers by the names of `GENRES`, unless a name follows them.

    >>> _named("(17)"), _named("17"), _named("(4)(8)"), _named("(17)Soft Rock")
    (['Rock'], ['Rock'], ['Disco', 'Jazz'], ['Soft Rock'])
    >>> _named("(255)"), _named("1999"), _named("")
    ([], ['1999'], [])
    """
    name = re.sub(r"^(\([0-9]+\))+", "", genre).strip()
    if name:
        return [GENRES.get(name, name)]
    return [GENRES[one] for one in re.findall("[0-9]+", genre) if one in GENRES]


SOURCES: dict[str, Callable[[Path, Path], tuple[str, str]]] = {
    "folders": of_folders,
    "genres": of_genres,
}


def write(music: Path, source: str) -> str:
    """Writes tags.csv and says in a sentence what is in it.

    Raises:
        ValueError: There is a table already, or nothing to put into one.
        OSError: It cannot be written.
    """
    table, named = music / "tags.csv", printable(music)
    if not music.is_dir():
        raise ValueError(f"{named} is not a folder; give the one that holds the music")
    if os.path.lexists(table):
        raise ValueError(
            f"{named}/tags.csv exists already; move it away to get a new one"
        )
    files.check_writable(table)
    found = [path for path in audio_files([music]) if Path(path) != music]
    # What cannot be listed stands for itself.
    num_folders = sum(map(os.path.isdir, found))
    num_songs = len(found) - num_folders
    rows = list(_rows(found, music, source))
    if not rows:
        raise ValueError(
            f"none of {num_songs} audio files below {named} has a tag by its "
            f"{source}; --help says what counts; or write tags.csv by hand"
        )
    has_artists = any(row[3] for row in rows)
    text = io.StringIO(newline="")
    lines = (row[: 3 + has_artists] for row in (COLUMNS, *rows))
    csv.writer(text, lineterminator="\n").writerows(lines)
    content = text.getvalue().encode()
    table = files.write_new(table, lambda new: new.write_bytes(content))
    kinds = {tag for row in rows for tag in row[2].split("|")}
    left_out = num_songs - len(rows)
    whole = f"{len(rows)} files, {len(kinds)} tags; {left_out} files left out"
    if num_folders:
        whole += f", and {num_folders} folders that cannot be listed"
    return f"{named}/{table.name}: {whole}"


def _rows(
    found: Iterable[str], music: Path, source: str
) -> Iterator[tuple[str, str, str, str]]:
    # A pipe would be waited for.
    for path in (Path(one) for one in found if os.path.isfile(one)):  # noqa: PTH113
        name = path.relative_to(music).as_posix()
        # A name that is no text, or of several lines, cannot be written in a table.
        tags, artist = SOURCES[source](path, music) if _fits_table(name) else ("", "")
        if tags:
            # Readers strip cells, and take backslashes alone for those of Windows.
            is_plain = name == name.strip() and ("/" in name or "\\" not in name)
            is_plain = is_plain and not ELSEWHERE.match(name)  # As a folder `C:`.
            name = name if is_plain else f"./{name}"
            yield name, name, tags, artist


def _one_line(text: str) -> str:
    """Makes a tag one line, without the bar that separates tags in a cell.

    Control characters, which some programs leave in files, are left out.
    """
    line = " ".join(text.replace("|", " ").split())
    return "".join(c for c in line if unicodedata.category(c) != "Cc").strip()


def _fits_table(name: str) -> bool:
    """Tells whether a name is UTF-8, and one line as the table's reader wants it."""
    return text_path(name) == name and is_line(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("music", type=Path, help="the folder of music")
    parser.add_argument(
        "--by", choices=SOURCES, required=True, help="where the tags come from"
    )
    options = parser.parse_args(arguments)
    try:
        print(write(options.music, options.by))
    except (ValueError, OSError) as error:
        print(f"write_tags: {reason_of(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
