"""Corpora: where clips, their audio and their tags come from.

Every corpus becomes the same `Corpus`; what follows (shards, batches, statistics) does
not know which one it was.
"""

import contextlib
import inspect
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline.corpora import names
from input_pipeline.corpora.corpus import Clip, Corpus, check_scorable
from input_pipeline.corpora.tables import is_line
from msd_tagger.common import calls
from msd_tagger.common.facts import SPLITS

__all__ = ["Clip", "Corpus", "check_scorable", "load_corpus"]

# Name -> "module:function" of its reader. What a reader takes are keys of
# `config.corpus` and what `OTHERS` names; a parameter of another name is its own. A
# folder without a default must be given; one that may be empty is missing only where
# labels alone are asked for. docs/extending.md says more.
READERS = {
    "synthetic": "input_pipeline.corpora.embedded:load",
    "folder": "input_pipeline.corpora.folder:load",
    "msd": "input_pipeline.corpora.msd:load",
    "magnatagatune": "input_pipeline.corpora.magnatagatune:load",
    "mtg_jamendo": "input_pipeline.corpora.mtg_jamendo:load",
}
# Parameter of a reader -> the key that it is, where that is none of `config.corpus`.
OTHERS = {
    "data_dir": "",  # Where corpora that are made here are kept; a flag, no key.
    "num_processes": "prepare.num_processes",
    "clip_duration_s": "clip.duration_s",
}
FOLDERS = ("audio_dir", "label_dir")
# Keys that are left to a reader's own default while they are these.
_UNSET: dict[str, Any] = {**dict.fromkeys(FOLDERS, ""), "num_tags": 0}


def load_corpus(
    config: Mapping[str, Any],
    data_dir: Path | str,
    num_processes: int = 0,
    clip_duration_s: float = 29.0,
) -> Corpus:
    """Loads the corpus that `config.corpus` names; makes it first where it can.

    Args:
        config: The keys of `config.corpus`.
        data_dir: Where corpora that are made here are kept.
        num_processes: For making one; 0 for one per core.
        clip_duration_s: `config.clip.duration_s`, for corpora that spread excerpts.

    Raises:
        ValueError: No such corpus, or its files are not what they should be.
    """
    check(config, needs_audio=False)
    read, parameters, own = _reader(config["name"])
    others = {"data_dir": Path(data_dir), "num_processes": num_processes}
    values = {**config, **others, "clip_duration_s": clip_duration_s}
    del values["name"]  # It is the reader's own.
    given = {
        name: values[name]
        for name in parameters
        if name in values and _UNSET.get(name) != values[name]
    }
    if config["name"] in READERS:
        corpus = read(**given, **own)
    else:
        with _telling_where(config["name"]):
            corpus = read(**given, **own)
        _check_found(corpus, config["name"])
    if config.get("excerpts_per_track", 1) > 1:
        _check_whole_tracks(corpus)
    return names.as_on_disk(corpus) if corpus.has_audio else corpus


def check(config: Mapping[str, Any], needs_audio: bool = True) -> None:
    """Checks the keys of `config.corpus` against what the reader takes.

    Without `needs_audio` a reader that can do so looks at labels alone.

    Raises:
        ValueError: No such reader, or it needs or does not take a key; names it.
    """
    name = config["name"]
    _, parameters, own = _reader(name)
    if twice := own.keys() & ({*config, *OTHERS} - {"name"}):
        raise ValueError(
            f"--config.corpus.name={name}: {', '.join(sorted(twice))} must be given by "
            "keys of the configuration, not as arguments"
        )
    missing = []
    for key in FOLDERS:
        given = config.get(key)
        if key in parameters and not given:
            is_needed = parameters[key].default is parameters[key].empty
            lacks_audio = key == "audio_dir" and not names_audio(config)
            if is_needed or (needs_audio and lacks_audio):
                missing.append(f"--config.corpus.{key}=DIR")
        if given and key in parameters and not Path(given).is_dir():
            raise ValueError(f"--config.corpus.{key}={given}: no such directory")
    if missing:
        page = f"docs/{name}_corpus.md" if name in READERS else _PAGE
        raise ValueError(
            f"--config.corpus.name={name} needs {' and '.join(missing)} ({page} "
            "describes it)"
        )
    for key, unset in _UNSET.items():
        if config.get(key, unset) != unset and key not in parameters:
            users = [other for other in READERS if key in _reader(other)[1]]
            raise ValueError(
                f"--config.corpus.{key}={config[key]} goes with --config.corpus.name="
                f"{' or '.join(users)}, not with {name}"
            )


def names_audio(config: Mapping[str, Any]) -> bool:
    """Tells whether audio can be read: its folder is named, or need not be.

    Where it cannot, labels alone can be looked at.
    """
    _, parameters, _ = _reader(config["name"])
    if "audio_dir" not in parameters:
        return True
    return bool(config.get("audio_dir") or parameters["audio_dir"].default)


def keys_of(name: str, known: Collection[str]) -> set[str]:
    """Lists the keys of a configuration that a corpus's reader takes.

    Of the `known` ones, with dots; arguments in its name are none.
    """
    _, parameters, _ = _reader(name)
    found = {OTHERS.get(one, f"corpus.{one}") for one in parameters}
    return found & set(known)


_PAGE = "docs/extending.md"
_Parameters = Mapping[str, inspect.Parameter]


def _reader(text: str) -> tuple[Callable[..., Corpus], _Parameters, dict[str, Any]]:
    """Finds a reader, what it takes, and the arguments that stand in its name."""
    where = f"--config.corpus.name={text}"
    call = calls.parse(text, "--config.corpus.name")
    target = READERS.get(call.name, call.name)
    if not calls.is_own(target):
        raise ValueError(
            f"--config.corpus.name: {text!r}; choose from {', '.join(READERS)}, or "
            f'give a reader of your own, such as "package.module:function" ({_PAGE})'
        )
    read = calls.load(target, where)
    parameters = inspect.signature(read).parameters
    calls.check_arguments(call, list(parameters), where)
    return read, parameters, call.arguments


def _check_whole_tracks(corpus: Corpus) -> None:
    """Refuses clips that start somewhere where several excerpts are asked for."""
    for clip in corpus.clips:
        if clip.start_s is not None:
            raise ValueError(
                f"the clip {clip.track_id} of {corpus.name} starts at {clip.start_s:g} "
                "s of its file, and corpus.excerpts_per_track spreads several over "
                "whole files; leave one of the two out"
            )


@contextlib.contextmanager
def _telling_where(name: str) -> Iterator[None]:
    """Says what went wrong in somebody's own reader, and in which line of it."""
    where = f"--config.corpus.name={name}"
    try:
        yield
    except (Exception, SystemExit) as error:
        file = calls.source_of(calls.parse(name, where).name, where)
        told = calls.told(error, str(file)).removeprefix("ValueError: ")
        raise ValueError(f"{where}: {told}") from error


def _check_found(corpus: object, where: str) -> None:
    """Checks what somebody's own reader gives.

    Raises:
        ValueError: Names the first thing that is wrong.
    """
    if not isinstance(corpus, Corpus):
        raise ValueError(f"{where} gives {type(corpus).__name__}, not a Corpus")
    where = f"the corpus of {where}"
    name = corpus.name if isinstance(corpus.name, str) else ""
    if not re.fullmatch(r"\w[\w.-]*", name) or len(name.encode()) > 200:
        raise ValueError(
            f"{where} is called {corpus.name!r}; its name is that of a folder, so it "
            "must consist of letters, digits, '_', '-' and '.', at most 200 bytes"
        )
    wrong = {
        "version, which must be a line of text": not _is_line(corpus.version),
        "audio_dir, which must be a Path": not isinstance(corpus.audio_dir, Path),
        "list of clips, which must be a list of Clip": (
            not isinstance(corpus.clips, list)
            or not all(isinstance(one, Clip) for one in corpus.clips)
        ),
        "list rejected, which must hold an id, a path and a reason each": not all(
            isinstance(one, tuple) and len(one) == 3 and all(map(_is_text, one))
            for one in corpus.rejected
        ),
    }
    for what in (name for name, is_wrong in wrong.items() if is_wrong):
        raise ValueError(f"{where} has a wrong {what}")
    are_texts = isinstance(corpus.tags, tuple) and all(map(_is_line, corpus.tags))
    if not corpus.tags or not are_texts or len({*corpus.tags}) < len(corpus.tags):
        raise ValueError(
            f"{where} must have a tuple of tags, each of them once and a line of text: "
            f"{corpus.tags}"
        )
    if not corpus.clips:
        raise ValueError(f"{where} has no clips")
    seen: set[str] = set()
    knows_truth = corpus.clips[0].true_tags is not None
    for clip in corpus.clips:
        labels = [clip.tags] if clip.true_tags is None else [clip.tags, clip.true_tags]
        wrong = {
            "track_id, which must be a line of text that no other clip has": (
                not _is_line(clip.track_id) or clip.track_id in seen
            ),
            f"split, which must be one of {', '.join(SPLITS)}": (
                clip.split not in SPLITS
            ),
            "path, which must be a Path": not isinstance(clip.path, Path),
            "start_s, which must be None or a number of at least 0": (
                clip.start_s is not None and not _is_time(clip.start_s)
            ),
            "artist, which must be None or a text": (
                clip.artist is not None and not _is_text(clip.artist)
            ),
            f"tags, which must be 0 or 1 in uint8 [{len(corpus.tags)}]": not all(
                _are_labels(one, len(corpus.tags)) for one in labels
            ),
            "true_tags, which all clips must have or none": (
                knows_truth != (clip.true_tags is not None)
            ),
        }
        for what in (name for name, is_wrong in wrong.items() if is_wrong):
            raise ValueError(f"{where}: the clip {clip} has a wrong {what}")
        seen.add(clip.track_id)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_line(value: object) -> bool:
    return isinstance(value, str) and is_line(value)


def _is_time(start_s: object) -> bool:
    return isinstance(start_s, (int, float)) and 0 <= start_s < math.inf


def _are_labels(labels: object, num_tags: int) -> bool:
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        return False
    return labels.shape == (num_tags,) and int(labels.max(initial=0)) <= 1
