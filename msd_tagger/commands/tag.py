"""`tag`: the tags of audio files, from a model bundle; and what `embed` needs too."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

from tqdm import tqdm

from msd_tagger import platform
from msd_tagger.bundle.format import Bundle
from msd_tagger.commands.command_line import Options
from msd_tagger.common.csv_files import csv_line
from msd_tagger.common.errors import Interrupted
from msd_tagger.common.files import (
    check_unused,
    check_writable,
    naming,
    write_json,
)
from msd_tagger.common.messages import quiet_decoders
from msd_tagger.common.processes import available_cores, progress_bar
from msd_tagger.common.text import printable
from msd_tagger.tagging import output
from msd_tagger.tagging.songs import Failure, Song, audio_files, cut_of, tag_files
from msd_tagger.tagging.tagger import Tagger, load_bundle

Found = TypeVar("Found")  # A song or an embedding.


def tag(options: Options) -> int:
    """Prints and writes the tags of all files; exit status 1 if one was of no use.

    Raises:
        ValueError: The command line or the bundle is wrong.
    """
    check(options)
    tagger = load_tagger(options)
    bundle, files = tagger.bundle, audio_files(options.files)
    cut = cut_of(bundle.recipe, options.window_s, options.hop_s)
    prints_text = "-" not in (options.json, options.csv)
    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet_decoders())  # Before a stream is taken.
        writers: list[Callable[[Song | Failure], None]] = []
        if prints_text:

            def show(song: Song) -> None:
                _say(output.to_text(song, bundle, options.top), sys.stdout)

            writers.append(_songs_only(show))
        if options.json:
            add_line = _writer(options.json, stack)
            writers.append(
                lambda one: add_line(output.to_json(one, bundle, cut.window_s))
            )
        if options.csv:
            add_rows = _writer(options.csv, stack)
            add_rows(csv_line(output.CSV_COLUMNS))

            def add(song: Song) -> None:
                add_rows("\n".join(map(csv_line, output.to_rows(song, bundle))))

            writers.append(_songs_only(add))
        if options.jams:
            writers.append(_songs_only(_jams_writer(options, bundle, cut.window_s)))
        if options.taggram:
            writers.append(_songs_only(_taggram_writer(options, bundle, cut.window_s)))
        cores = available_cores()
        songs = tag_files(tagger, files, options.max_duration_s, cores, *cut)
        failures = consume(songs, len(files), "tag", writers)
    if failures < len(files) and prints_text:
        print(output.legend(bundle))
    return 1 if failures else 0


def check(options: Options) -> None:
    """Raises a ValueError that names the flag that is wrong, before much is done."""
    if options.top < 1:
        raise ValueError(f"--top={options.top}: it must be at least 1")
    _check_different(options, "json", "csv")
    check_inputs(options)
    for name, path in (("json", options.json), ("csv", options.csv)):
        if path != "-":
            check_new_file(name, path)
    for folder in filter(None, (options.jams, options.taggram)):
        check_unused(Path(folder))
    _check_different(options, "jams", "taggram")


def _check_different(options: Options, *names: str) -> None:
    places = [getattr(options, name) for name in names]
    if all(places) and len(set(map(os.path.abspath, places))) == 1:
        one, other = (f"--{name}" for name in names)
        raise ValueError(f"{one} and {other} both go to {places[0]}; give each its own")


def check_inputs(options: Options) -> None:
    """Raises a ValueError where files are missing or their limit is out of range."""
    if not options.files:
        raise ValueError(
            "no files given; name audio files or folders, such as song.mp3"
        )
    for name in options.files:
        _check_name(name)
    if not options.max_duration_s > 0:
        raise ValueError(
            f"--max_duration_s={options.max_duration_s:g}: it must be positive"
        )
    if options.batch_size < 1:
        raise ValueError(f"--batch_size={options.batch_size}: it must be at least 1")


def _check_name(name: str) -> None:
    """Raises a ValueError for what is often given and names no file."""
    if os.path.lexists(name):
        return
    if name == "-":
        raise ValueError("-: to tag the standard input, give /dev/stdin")
    if "://" in name:
        raise ValueError(
            f"{printable(name)}: give a file or a folder of this machine; addresses "
            "are not loaded"
        )
    if not name:
        raise ValueError('one of the files is ""; give its name, or leave it out')


def check_new_file(name: str, path: str) -> None:
    """Raises an error where a file to write exists, or cannot be made in its folder."""
    if not path:
        return
    if os.path.lexists(path):
        raise ValueError(f"--{name}={path} exists; give another name")
    if not Path(path).parent.is_dir():
        raise ValueError(f"--{name}={path}: there is no folder {Path(path).parent}")
    check_writable(Path(path))


def load_tagger(options: Options) -> Tagger:
    """Reads the bundle, and warns where songs would depend on each other."""
    platform.devices()
    tagger = load_bundle(options.bundle, options.batch_size)
    if tagger.bundle.batch_statistics:
        print(
            "this bundle normalises by the statistics of each batch: a song's tags "
            "depend on the songs that are tagged with it",
            file=sys.stderr,
        )
    return tagger


def consume(
    found: Iterator[Found | Failure],
    total: int,
    what: str,
    writers: Sequence[Callable[[Found | Failure], None]],
) -> int:
    """Gives everything to all writers; reports and counts failures."""
    failures = done = 0
    # A bar over a single song would only be in the way.
    shown = progress_bar(total, what, "file") if total > 1 else None
    with shown or contextlib.nullcontext():
        try:
            for one in found:
                if isinstance(one, Failure):
                    failures += 1
                    _say(f"{printable(one.path)}: {one.reason}", sys.stderr)
                for write in writers:
                    write(one)
                done += 1
                if shown:
                    shown.update()
        except Interrupted as error:
            ended = f"ended after {done} of {total} files"
            raise Interrupted(error.number, ended, goes_on=False) from error
    if failures:
        print(f"{failures} of {total} files could not be used", file=sys.stderr)
    return failures


def _say(text: str, file: TextIO) -> None:
    """Prints beside a progress bar, which it would run into on a terminal."""
    if sys.stderr.isatty():
        tqdm.write(text, file=file)
    else:
        print(text, file=file, flush=True)


def _songs_only(write: Callable[[Song], None]) -> Callable[[Song | Failure], None]:
    return lambda one: None if isinstance(one, Failure) else write(one)


def _writer(path: str, stack: contextlib.ExitStack) -> Callable[[str], None]:
    """Opens a new file, or takes the output for `-`; the result adds lines to it."""
    if path == "-":
        return partial(print, flush=True)
    file = Path(path).open("x", encoding="utf-8", newline="")  # noqa: SIM115

    def add(lines: str) -> None:
        with naming(Path(path)):
            print(lines, file=file, flush=True)

    def close() -> None:  # Which writes what a full disk did not take, and fails again.
        with naming(Path(path)):
            file.close()

    stack.callback(close)
    return add


def _namer(folder: Path, ending: str) -> Callable[[Song], Path]:
    """Gives every song a file of its own in a new folder."""
    from msd_tagger.pages import page  # It imports Jinja.

    names: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)

    def path_of(song: Song) -> Path:
        (name,) = page.unique([Path(printable(song.path)).stem], names)
        names.append(name)
        return folder / f"{name}{ending}"

    return path_of


def _jams_writer(
    options: Options, bundle: Bundle, window_s: float
) -> Callable[[Song], None]:
    path_of = _namer(Path(options.jams), ".jams")
    return lambda song: write_json(
        path_of(song), output.to_jams(song, bundle, window_s)
    )


def _taggram_writer(
    options: Options, bundle: Bundle, window_s: float
) -> Callable[[Song], None]:
    # It brings matplotlib, which takes longer to import than a song to tag.
    from msd_tagger.tagging import taggram

    path_of = _namer(Path(options.taggram), ".png")

    return lambda song: taggram.write_song(
        path_of(song), song, bundle, options.top, window_s
    )
