"""`--mode=tag`: the tags of audio files, from a model bundle."""

from __future__ import annotations

import contextlib
import csv
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from modes import Options

if TYPE_CHECKING:
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.tagging.songs import Failure, Song
    from msd_tagger.tagging.tagger import Tagger

Write = Callable[["Song | Failure"], None]


def tag(options: Options) -> int:
    """Prints and writes the tags of all files.

    Returns:
        The exit status: 1 if there was a file that could not be used, else 0.

    Raises:
        ValueError: The command line or the bundle is wrong.
    """
    import_numpy()
    check(options)
    tagger = load_tagger(options)
    from msd_tagger.common.processes import available_cores
    from msd_tagger.tagging.songs import audio_files, tag_files

    files = audio_files(options.arguments)
    with contextlib.ExitStack() as stack:
        writers = [
            *_text_writer(options, tagger.bundle),
            *_json_writer(options, tagger.bundle, stack),
            *_csv_writer(options, tagger.bundle, stack),
            *_taggram_writer(options, tagger.bundle),
        ]
        songs = tag_files(tagger, files, options.max_duration_s, available_cores())
        stack.enter_context(quiet_decoders())
        failures = consume(songs, len(files), "tag", writers)
    if failures < len(files) and "-" not in (options.json, options.csv):
        from msd_tagger.tagging.output import legend

        print(legend(tagger.bundle))
    return 1 if failures else 0


def check(options: Options) -> None:
    """Checks the command line before anything takes long.

    Raises:
        ValueError: Names the flag.
    """
    if options.top < 1:
        raise ValueError(f"--top={options.top}: it must be at least 1")
    if options.json and options.json == options.csv:
        raise ValueError(f"--json and --csv both go to {options.json!r}; choose two")
    check_inputs(options)
    for name in ("json", "csv"):
        if getattr(options, name) != "-":
            check_new_file(name, getattr(options, name))
    if options.taggram:
        from msd_tagger.common.files import check_unused

        check_unused(Path(options.taggram))


def check_inputs(options: Options) -> None:
    """Checks what every mode that reads audio files is given.

    Raises:
        ValueError: Says what is missing or out of range.
    """
    if not options.arguments:
        raise ValueError(
            f"no files given; as in --mode={options.mode} --bundle={options.bundle} "
            "song.mp3 folder"
        )
    if not options.max_duration_s > 0:
        raise ValueError(
            f"--max_duration_s={options.max_duration_s:g}: it must be positive"
        )


def check_new_file(name: str, path: str) -> None:
    """Makes sure that a file can be written and nothing is overwritten.

    Raises:
        ValueError: It exists, or its folder does not.
    """
    if path and Path(path).exists():
        raise ValueError(f"--{name}={path} exists; give another name")
    if path and not Path(path).parent.is_dir():
        raise ValueError(f"--{name}={path}: there is no folder {Path(path).parent}")


def import_numpy() -> None:
    """Imports NumPy such that its products take one thread.

    It decides when it is first imported. Files are decoded in threads already, and more
    for each of their small products made decoding take 1.6 times the CPU time.
    """
    from msd_tagger.common.processes import one_thread_each

    with one_thread_each():
        import numpy  # noqa: F401


def load_tagger(options: Options) -> Tagger:
    """Sets JAX up and reads the bundle."""
    from msd_tagger import platform

    platform.set_up(options.platform)
    platform.devices()
    from msd_tagger.bundle.format import read_bundle
    from msd_tagger.tagging.tagger import Tagger

    bundle = read_bundle(Path(options.bundle))
    if bundle.batch_statistics:
        print(
            "this bundle normalises by the statistics of each batch: a song's result "
            "depends on the songs beside it",
            file=sys.stderr,
        )
    return Tagger(bundle)


def consume(found: Iterator, total: int, what: str, writers: list[Write]) -> int:
    """Gives everything to all writers and reports failures.

    Returns:
        How many failures there were.
    """
    from msd_tagger.common.errors import Interrupted
    from msd_tagger.common.processes import progress_bar
    from msd_tagger.common.text import printable
    from msd_tagger.tagging.songs import Failure

    failures = done = 0
    # A bar over a single song would only be in the way.
    shown = progress_bar(total, what, "file") if total > 1 else None
    with shown or contextlib.nullcontext():
        try:
            for one in found:
                if isinstance(one, Failure):
                    failures += 1
                    tell(f"{printable(one.path)}: {one.reason}", sys.stderr)
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


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keeps what libraries of C print away from the terminal; Python's lines stay.

    libmpg123 complains after every seek, which is in its nature, and libsndfile has no
    way to stop it. MSD_TAGGER_TRACEBACK, for those who look for an error, does.
    """
    if os.environ.get("MSD_TAGGER_TRACEBACK"):
        yield
        return
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(kept, "w", buffering=1, errors="backslashreplace") as lines:
        handlers = [
            handler
            for handler in logging.getLogger().handlers
            if getattr(handler, "stream", None) is sys.stderr
        ]
        for handler in handlers:
            handler.setStream(lines)
        try:
            with contextlib.redirect_stderr(lines):
                os.dup2(nowhere, 2)
                yield
        finally:
            os.dup2(kept, 2)
            os.close(nowhere)
            for handler in handlers:
                handler.setStream(sys.stderr)


def tell(text: str, file: TextIO) -> None:
    """Prints beside a progress bar, which it would run into on a terminal."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=file)
    else:
        print(text, file=file, flush=True)


def of_songs(write: Callable[[Song], None]) -> Write:
    """A writer that leaves failures out."""
    from msd_tagger.tagging.songs import Failure

    return lambda one: None if isinstance(one, Failure) else write(one)


def _text_writer(options: Options, bundle: Bundle) -> Iterator[Write]:
    from msd_tagger.tagging.output import to_text

    if "-" not in (options.json, options.csv):
        yield of_songs(
            lambda song: tell(to_text(song, bundle, options.top), sys.stdout)
        )


def _json_writer(
    options: Options, bundle: Bundle, stack: contextlib.ExitStack
) -> Iterator[Write]:
    from msd_tagger.tagging.output import to_json

    if options.json:
        file = _open(options.json, stack)

        def write(one: Song | Failure) -> None:
            print(to_json(one, bundle), file=file, flush=True)

        yield write


def _csv_writer(
    options: Options, bundle: Bundle, stack: contextlib.ExitStack
) -> Iterator[Write]:
    from msd_tagger.tagging.output import CSV_COLUMNS, to_rows

    if options.csv:
        table = csv.writer(_open(options.csv, stack), lineterminator="\n")
        table.writerow(CSV_COLUMNS)
        yield of_songs(lambda song: table.writerows(to_rows(song, bundle)))


def _open(path: str, stack: contextlib.ExitStack) -> TextIO:
    if path == "-":
        return sys.stdout
    return stack.enter_context(Path(path).open("x", encoding="utf-8", newline=""))


def _taggram_writer(options: Options, bundle: Bundle) -> Iterator[Write]:
    if not options.taggram:
        return
    from msd_tagger.common.text import printable
    from msd_tagger.pages import page
    from msd_tagger.tagging import taggram
    from msd_tagger.tagging.songs import rank

    folder, names = Path(options.taggram), []
    folder.mkdir(parents=True, exist_ok=True)

    def write(song: Song) -> None:
        (name,) = page.unique([Path(printable(song.path)).stem], names)
        names.append(name)
        tags = [one.tag for one in rank(song, bundle)[: options.top]]
        rows = [bundle.tags.index(tag) for tag in tags]
        edges_s, scores = taggram.parts(
            song.starts_s,
            bundle.recipe.duration_s,
            song.duration_s,
            song.scores.mean(0)[:, rows],
        )
        title = Path(printable(song.path)).name
        taggram.write_taggram(folder / f"{name}.png", title, tags, scores, edges_s)

    yield of_songs(write)
