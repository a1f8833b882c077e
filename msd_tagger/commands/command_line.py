"""The program `msd-tagger`, and what `main.py` shares with it: flags, errors, start-up.

    msd-tagger tag song.mp3 --bundle DIR

is `python main.py --mode=tag song.mp3 --bundle DIR`. Flags are read before NumPy and
JAX are imported: both decide then how they work.
"""

import contextlib
import importlib
import itertools
import os
import re
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from absl import flags

from msd_tagger import platform
from msd_tagger.common import interruption, messages
from msd_tagger.common.errors import (
    Interrupted,
    LostProcessError,
    MiscompilationError,
    reason_of,
)
from msd_tagger.common.text import printable
from msd_tagger.training import distributed

HELP = {"--help", "-help", "-h"}
# What a wrong flag, key or configuration raises.
WRONG = (
    *(flags.Error, ValueError, OSError, AttributeError, KeyError, TypeError),
    *(SyntaxError, ImportError, NameError),
)
# Of texts in which ml_collections wraps what a config file raises.
_WRAPPED = re.compile("Error whilst parsing config file|an earlier failure to load")
# What ml_collections adds to the name of a key that there is not: the whole section.
_FIELDS = re.compile(r" Other fields present: .*\n(?=Did you mean)", re.DOTALL)
# What libraries say where the system gives them no more memory.
_NO_MEMORY = re.compile("failed to map segment|[Cc]annot allocate|bad_alloc")
Status = int | None  # Of a process; None where all went well.


class Mode(NamedTuple):
    """What can be asked for."""

    help: str
    # "module:name"; it takes the options, after the configuration where the mode needs
    # one, and may give the process's exit status.
    function: str
    needs: tuple[str, ...] = ()  # Flags that have to be given.
    takes: tuple[str, ...] = ()  # Further flags that only some modes know.
    words: str = ""  # What words without a flag name; "" where there are none.
    # What JAX computes on unless --platform says so, "" for its own choice; None where
    # JAX is not needed.
    device: str | None = ""
    decodes_in_threads: bool = False  # NumPy then has to keep to one.
    needs_config: bool = False
    examples: tuple[str, ...] = ()  # What may follow the program and the mode.

    @property
    def takes_platform(self) -> bool:
        """Whether --platform may be given, as in the command line of the same run."""
        return self.needs_config or self.device is not None


class Options(NamedTuple):
    """What the flags of the same names say."""

    platform: str = ""
    workdir: str = ""
    bundle: str = ""
    out: str = ""
    top: int = 5
    json: str = ""
    csv: str = ""
    jams: str = ""
    taggram: str = ""
    window_s: float = 0.0
    hop_s: float = 0.0
    batch_size: int = 8
    max_duration_s: float = 3600.0
    max_samples: int = 1_500_000_000
    max_decode_s: float = 30.0
    layers: str = "last"
    neighbours: str = ""
    format: str = "bundle"
    published: bool = False
    keras: str = ""
    calibrate: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    names: str = ""
    files: tuple[str, ...] = ()


# Flags that name a folder or a file.
PLACES = (
    *("workdir", "bundle", "out", "json", "csv", "jams", "taggram", "neighbours"),
    *("keras", "calibrate"),
)
# Others that take any text; the last two are of main.py alone.
MORE_TEXTS = ("host", "names", "point", "data_dir")
_CUTTING = ("window_s", "hop_s", "batch_size", "max_duration_s")
MODES = {
    "tag": Mode(
        "print the tags of audio files or folders, by the model in --bundle",
        "msd_tagger.commands.tag:tag",
        needs=("bundle",),
        takes=("top", "json", "csv", "jams", "taggram", *_CUTTING),
        words="FILE…",
        decodes_in_threads=True,
        examples=(
            "--bundle=runs/first/bundle song.mp3 /path/to/music",
            "--bundle=runs/first/bundle --json=tags.json /path/to/music",
            "--bundle=runs/first/bundle --hop_s=5 --taggram=pictures song.mp3",
        ),
    ),
    "embed": Mode(
        "write the features of audio files or folders to --out",
        "msd_tagger.commands.embed:embed",
        needs=("bundle", "out"),
        takes=("layers", "neighbours", *_CUTTING),
        words="FILE…",
        decodes_in_threads=True,
        examples=(
            "--bundle=runs/first/bundle --out=embeddings.npz /path/to/music",
            "--bundle=runs/first/bundle --out=embeddings.npz --layers=all "
            "--neighbours=neighbours.html /path/to/music",
        ),
    ),
    "serve": Mode(
        "serve a web page on which to try the model in --bundle",
        "msd_tagger.commands.serve:serve",
        needs=("bundle",),
        takes=(
            "host",
            "port",
            "names",
            "max_duration_s",
            "max_samples",
            "max_decode_s",
        ),
        examples=(
            "--bundle=runs/first/bundle",
            "--bundle=runs/first/bundle --port=0 --max_duration_s=600",
        ),
    ),
    "export": Mode(
        "copy a run's model bundle to --out, or write it as ONNX or StableHLO",
        "msd_tagger.commands.export:export",
        needs=("out",),
        takes=("workdir", "bundle", "format"),
        device="cpu",
        examples=(
            "--workdir=runs/first --out=my-bundle",
            "--bundle=runs/first/bundle --format=onnx --out=my-onnx",
        ),
    ),
    "import": Mode(
        "turn the published weights (--published or --keras) into a bundle, --out",
        "msd_tagger.commands.import_weights:start",
        needs=("out",),
        takes=("published", "keras", "calibrate"),
        device="cpu",
        examples=(
            "--published --out=runs/published --calibrate=/path/to/music",
            "--keras=/path/to/weights_layer4_theano.hdf5 --out=as-published",
        ),
    ),
}

_HELP = {
    "workdir": "The folder of the run, study, audit or annotation. Unless it is "
    "required, the default is a folder in runs/, named by the config and its keys.",
    "bundle": "The folder of the model bundle to use.",
    "out": "Where to write: a new or empty folder; for embed, a new file.",
    "top": "How many tags to print and to draw for each song.",
    "json": "A new file with a line of JSON for each song; - prints it instead.",
    "csv": "A new file with a line for each song and tag; - prints it instead.",
    "jams": "A new or empty folder for a JAMS file of each song.",
    "taggram": "A new or empty folder for a picture of each song's tags over time.",
    "window_s": "Length of the excerpts that a song is cut into, in seconds; 0 for the "
    "network's own, which is the longest.",
    "hop_s": "Seconds from the start of one excerpt to that of the next; 0 for the "
    "length of an excerpt. Less makes excerpts overlap, and pictures over time finer.",
    "batch_size": "How many excerpts are computed at once.",
    "max_duration_s": "Longer files are refused.",
    "max_samples": "Files of more samples, all channels together, are refused.",
    "max_decode_s": "Files that take longer to decode are refused.",
    "neighbours": "A new .html file for the songs and tags that are nearest to each "
    "other; - prints them instead.",
    "published": "Fetch the published weights from their author's repository.",
    "keras": "The published weights: an HDF5 file that you downloaded.",
    "calibrate": "A folder of varied music from which to estimate fixed batch "
    "statistics; main.py also takes a folder of prepared shards.",
    "host": "Address to serve on; only this machine reaches the default.",
    "names": "Names under which visitors reach a proxy in front of this server, "
    "separated by commas, such as music.example.org.",
}
for _name, _text in _HELP.items():
    if isinstance(_default := Options._field_defaults[_name], str):
        flags.DEFINE_string(_name, _default, _text)
    elif isinstance(_default, bool):  # Which is a kind of int.
        flags.DEFINE_boolean(_name, _default, _text)
    elif isinstance(_default, int):
        flags.DEFINE_integer(_name, _default, _text)
    else:
        flags.DEFINE_float(_name, _default, _text)
flags.DEFINE_enum(
    "platform",
    "",
    ["", "cpu", "gpu", "tpu"],
    "The kind of device to compute on; by default JAX chooses.",
)
flags.DEFINE_enum(
    "layers", "last", ["last", "all"], "Features of the last layer, or of all layers."
)
flags.DEFINE_enum(
    "format",
    "bundle",
    ["bundle", "onnx", "stablehlo"],
    "What to write: a copy of the bundle, or programs that run without this code.",
)
flags.DEFINE_integer("port", 8000, "Port to serve on; 0 takes a free one.", 0, 65535)


def main() -> Status:
    """Runs the program `msd-tagger`."""
    platform.begin()
    name, *words = sys.argv[1:] or ["--help"]
    if name in HELP | {"help"}:
        text = overview("Tags music with a trained ConvNet.", MODES, _called)
        closing = "msd-tagger COMMAND --help lists a command's flags."
        return run(lambda: print(f"{text}\n\n{closing}"))
    if name not in MODES:
        give_up(f"{name} is not a command; choose from {', '.join(MODES)}")
    if HELP & set(words):
        return run(lambda: print(help_of(MODES[name], _called(name))))
    with reporting_mistakes():
        words = parse(with_home([sys.argv[0], *words]))[1:]

    def work() -> Status:
        check_flags(MODES[name], f"msd-tagger {name}", words, MODES)
        return perform(MODES[name], words)

    return run(work)


def _called(name: str) -> str:
    return f"msd-tagger {name}"


def overview(
    about: str, modes: Mapping[str, Mode], called: Callable[[str], str]
) -> str:
    """Writes the help text of a program: what each mode does, and an example of it."""
    lines = [about]
    for name, mode in modes.items():
        lines += ["", *wrapped(f"{name}: {mode.help}")]
        lines.append(f"  {called(name)} {mode.examples[0]}")
    return "\n".join(lines)


def help_of(mode: Mode, called: str, more: Sequence[str] = ()) -> str:
    """Writes the help text of one mode, with examples; `more` are further flags."""
    needs = ("config", *mode.needs) if mode.needs_config else mode.needs
    needed = "".join(f" --{flag}=…" for flag in needs)
    lines = [f"{called}{needed} {mode.words}".rstrip(), "", *wrapped(f"  {mode.help}")]
    lines.append("")
    platform_too = ("platform",) if mode.takes_platform else ()
    for flag in (*more, *mode.needs, *mode.takes, *platform_too):
        known = flags.FLAGS[flag]
        default = f" (default: {known.default})" if known.default else ""
        # An enum lists its choices first, of which "" is none.
        choices = known.help.replace("<|", "<")
        lines += wrapped(f"  --{flag}: {choices}{default}")
    return "\n".join([*lines, "", *(f"  {called} {one}" for one in mode.examples)])


def wrapped(text: str) -> list[str]:
    """Makes the lines of an entry of a help text."""
    return textwrap.wrap(text, 88, subsequent_indent=6 * " ", break_on_hyphens=False)


def perform(mode: Mode, words: Sequence[str]) -> Status:
    """Does what a mode of this package is for, with the files that were named."""
    options = Options(**values_of(Options._fields[:-1]), files=tuple(words))
    set_up(mode, options.platform)
    return load(mode.function)(options)


def with_home(argv: Sequence[str]) -> list[str]:
    """Puts the home folder for a `~` that begins a flag's value, as in `--out=~/x`.

    Shells do so for a word of its own, and most of them not behind a flag's `=`.
    """
    parts = (re.fullmatch(r"(--?[\w.]+=)(~.*)", word, re.DOTALL) for word in argv)
    return [
        found[1] + os.path.expanduser(found[2]) if found else word  # noqa: PTH111
        for word, found in zip(argv, parts, strict=True)
    ]


def parse(argv: list[str]) -> list[str]:
    """Parses flags, which may follow names of files, and returns the other words.

    Raises:
        ValueError: The shell put a file that is there, by its name, among the flags; or
            a flag is given twice, where only the last would count.
    """
    given: set[str] = set()
    for word in itertools.takewhile(lambda word: word != "--", argv[1:]):
        if word.startswith("-") and word != "-" and os.path.lexists(word):
            raise ValueError(
                f"{printable(word)} is a file here, and would be taken for a flag; "
                f"give it as ./{printable(word)}"
            )
        name = word.lstrip("-").partition("=")[0]
        is_flag = name in flags.FLAGS or name.startswith("config.")
        if word.startswith("-") and is_flag:
            if name in given:
                raise ValueError(
                    f"--{name} is given twice; give it once"
                    + (", with commas between points" if name == "point" else "")
                )
            given.add(name)
    flags.FLAGS.set_gnu_getopt(True)
    return flags.FLAGS(argv)


def values_of(names: Sequence[str]) -> dict[str, Any]:
    """Values of flags by name."""
    return {name: flags.FLAGS[name].value for name in names}


def check_flags(
    mode: Mode, shown: str, words: Sequence[str], modes: Mapping[str, Mode]
) -> None:
    """Raises a ValueError for a flag that a mode needs and lacks, or would ignore."""
    if words and not mode.words:
        raise ValueError(f"arguments without a flag: {' '.join(words)}")
    for name in mode.needs:
        if not flags.FLAGS[name].value:
            raise ValueError(f"--{name} is missing; {shown}: {mode.help}")
    for name in {*PLACES, *MORE_TEXTS} & {*flags.FLAGS}:
        if flags.FLAGS[name].present and not flags.FLAGS[name].value:
            raise ValueError(
                f"--{name}= is empty, as of a variable that is not set; give it a "
                "value, or leave it out"
            )
    for name in PLACES:
        if "://" in (value := flags.FLAGS[name].value or ""):
            raise ValueError(
                f"--{name}={value}: must be a place on this machine; only --data_dir "
                "of main.py may be an address"
            )
    if not mode.takes_platform and flags.FLAGS["platform"].present:
        raise ValueError(f"--platform has no meaning for {shown}, which needs no JAX")
    known = {name for one in modes.values() for name in one.needs + one.takes}
    for name in sorted(known - {*mode.needs, *mode.takes}):
        if flags.FLAGS[name].present:
            users = [one for one, m in modes.items() if name in m.needs + m.takes]
            raise ValueError(
                f"--{name} has no meaning for {shown}; it goes with {', '.join(users)}"
            )


def set_up(mode: Mode, device: str, is_deterministic: bool = False) -> None:
    """Prepares the process for what a mode imports."""
    if mode.decodes_in_threads:
        platform.import_numpy()
    if mode.device is not None:
        platform.settle()
        platform.set_up(device or mode.device, is_deterministic)


def load(function: str) -> Callable[..., Status]:
    """Imports a function that is given as "module:name"."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def reporting_mistakes() -> Iterator[None]:
    """Ends the process with a sentence, not a traceback, where a flag is wrong."""
    try:
        yield
    except Exception as error:
        original = _unwrapped(error)
        place = _place_in_config(original)
        if not place and not isinstance(error, WRONG):
            raise
        kind = "" if isinstance(original, WRONG) else f"{type(original).__name__}: "
        give_up(place + kind + _said(original))


def _said(error: BaseException) -> str:
    """Says what went wrong; of a key that a config lacks, without all that it has."""
    is_key = isinstance(error, KeyError) and error.args
    said = str(error.args[0]) if is_key else reason_of(error)
    return _FIELDS.sub(" ", said)


def _unwrapped(error: BaseException) -> BaseException:
    """Finds what a config file raised."""
    inner = error.__cause__ or error.__context__
    return _unwrapped(inner) if inner and _WRAPPED.search(str(error)) else error


def _place_in_config(error: BaseException) -> str:
    """Says where in the file of --config an error arose, if it did."""
    frames = traceback.extract_tb(error.__traceback__)
    # The others are of configs that it starts from.
    inside = [one for one in frames if one.name == "get_config"][:1]
    inside = inside or [one for one in frames if one.name == "<module>"][:1]
    return "".join(f"{one.filename}, line {one.lineno}: " for one in inside)


def give_up(message: str, exit_status: int = 2) -> NoReturn:
    """Ends the process with a sentence."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    distributed.leave(exit_status)
    others = [one for one in threading.enumerate() if not one.daemon]
    if others != [threading.main_thread()] or exit_status > 128:
        # Python would wait for them: for minutes, after a save that failed. After a
        # signal it would take seconds to clear up what JAX has loaded. All files are
        # written whole or not at all, so nothing is lost.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_status)
    sys.exit(exit_status)


def run(work: Callable[[], Status]) -> Status:
    """Does the work of a process; what goes wrong becomes a sentence and a status."""
    messages.set_up()
    try:
        with interruption.answered(), distributed.naming_losses():
            status = work()
            _flush()
            return status
    except BrokenPipeError:  # As of `| head`: nobody reads what would follow.
        _print_no_more()
        return 1
    except LostProcessError as error:
        give_up(str(error), distributed.LOST_STATUS)
    except (ValueError, OSError, MiscompilationError) as error:
        if os.environ.get("MSD_TAGGER_TRACEBACK"):
            raise
        give_up(reason_of(error))
    except Interrupted as interrupted:
        give_up(str(interrupted), interrupted.exit_status)
    except Exception as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            give_up(
                f"this process may not have as much memory as it needs ({error}); "
                "see what `ulimit -v` and the job allow"
            )
        if "RESOURCE_EXHAUSTED" in str(error):
            give_up(
                f"the device has too little memory ({str(error).splitlines()[0]}). "
                "Let fewer seeds train at once (train.seeds_per_chunk), lower "
                "train.batch_size or train.evaluation_batch_size, or use "
                "--config.model.dtype=bfloat16 or --config.input.cache=none"
            )
        if distributed.rank().count > 1:  # The others would wait for this one.
            traceback.print_exc()
            distributed.leave(1)
        raise


def _flush() -> None:
    """Writes what was printed, while it can be said that this fails.

    Python would do so at its very end, and say it by a traceback and status 120.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _print_no_more()
        raise OSError(error.errno, error.strerror, "standard output") from error


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
