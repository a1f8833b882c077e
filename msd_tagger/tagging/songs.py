"""Tags and features of audio files: decoding in parallel, the network in batches.

A file longer than one excerpt is cut into several, by default one after the other; its
score is their mean.
"""

import dataclasses
import itertools
import logging
import math
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from msd_tagger.common.processes import available_cores
from msd_tagger.common.text import clock, printable
from msd_tagger.frontend import audio, foreign
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.sources import SUFFIXES, Source, of_samples, open_source
from msd_tagger.frontend.spectrogram import spectrogram

if TYPE_CHECKING:  # They bring JAX, which who only decodes can do without.
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.tagging.tagger import Tagger

MAX_DURATION_S = 3600.0
# A shorter rest of a long file tells little beside whole excerpts, and is left out.
MIN_REST_S = 5.0
# Spectrograms of one file are held at once: 260 MB of the paper's.
MOST_EXCERPTS = 1000
# Folders in which systems and network disks keep what was deleted, or notes of theirs.
_TRASH = re.compile(
    r"(?i)(\.Trash(es|-\d+)?|\$RECYCLE\.BIN|#recycle|@eaDir|\.AppleDouble)$"
)
_MAX_THREADS = 16
_BATCHES_AT_ONCE = 4  # Files of several excerpts then leave few places empty.

logger = logging.getLogger(__name__)
AnyPath = os.PathLike[str] | str
Paths = Iterable[AnyPath] | AnyPath
Found = TypeVar("Found")  # A song or an embedding.


class Song(NamedTuple):
    """Scores of a file."""

    path: str  # As given, or below a folder that was given.
    duration_s: float  # Of the file.
    starts_s: np.ndarray  # `[E]`, the start of each excerpt.
    scores: np.ndarray  # `[S, E, K]`.


class Embedding(NamedTuple):
    """Features of a file."""

    path: str
    duration_s: float
    starts_s: np.ndarray  # `[E]`.
    features: np.ndarray  # `[S, E, L, C]`, see `Tagger.features`.


class Failure(NamedTuple):
    """A file that could not be used."""

    path: str
    reason: str  # For a person to read.


class TagScore(NamedTuple):
    """What one tag has on a song."""

    tag: str
    score: float  # Mean over excerpts and seeds.
    deviation: float | None  # Over S seeds, divided by S - 1; None for a single seed.
    threshold: float | None  # Of the bundle; None where this tag has none.
    passes: bool | None  # Whether the score reaches it.


class Cut(NamedTuple):
    """How a file is cut into excerpts; see `cut_of`."""

    window_s: float  # Length of an excerpt.
    hop_s: float  # From the start of one to that of the next.


class Excerpts(NamedTuple):
    """What is decoded of a file."""

    spectrograms: np.ndarray  # float16 `[E, M, F]`.
    starts_s: np.ndarray  # `[E]`.
    duration_s: float  # Of the file.


def tag_files(
    tagger: "Tagger",
    paths: Paths,
    max_duration_s: float = MAX_DURATION_S,
    num_threads: int = 0,
    window_s: float = 0.0,
    hop_s: float = 0.0,
) -> Iterator[Song | Failure]:
    """Scores audio files, one after another in their order.

    Args:
        tagger: Computes the scores.
        paths: A file, a folder that is searched for `SUFFIXES`, or several of them.
        max_duration_s: Longer files fail.
        num_threads: That decode, 16 at most; 0 for one per available core.
        window_s: Length of an excerpt; 0 for that of the network's clips.
        hop_s: From the start of one excerpt to that of the next; 0 for `window_s`.

    Yields:
        A song or the reason why there is none, for every file.
    """
    cut = cut_of(tagger.bundle.recipe, window_s, hop_s)
    compute = tagger.scores
    return _compute(Song, compute, tagger, paths, max_duration_s, num_threads, cut)


def embed_files(
    tagger: "Tagger",
    paths: Paths,
    max_duration_s: float = MAX_DURATION_S,
    num_threads: int = 0,
    window_s: float = 0.0,
    hop_s: float = 0.0,
) -> Iterator[Embedding | Failure]:
    """Features of audio files, as `tag_files` gives scores."""
    cut = cut_of(tagger.bundle.recipe, window_s, hop_s)
    compute = tagger.features
    return _compute(Embedding, compute, tagger, paths, max_duration_s, num_threads, cut)


def tag_samples(
    tagger: "Tagger",
    samples: np.ndarray,
    rate_hz: int,
    window_s: float = 0.0,
    hop_s: float = 0.0,
    name: str = "samples",
) -> Song:
    """Scores sound that is in memory, as `tag_files` scores a file of it.

    Args:
        tagger: Computes the scores.
        samples: Floating-point numbers `[T]` or `[T, channels]`, full scale 1.
        rate_hz: Their sample rate; they are resampled as files are.
        window_s: Length of an excerpt; 0 for that of the network's clips.
        hop_s: From the start of one excerpt to that of the next; 0 for `window_s`.
        name: Takes the place of a path.

    Raises:
        ValueError: The samples are no such array, silent, or not finite.
    """
    cut = cut_of(tagger.bundle.recipe, window_s, hop_s)
    return _of_samples(Song, tagger.scores, tagger, samples, rate_hz, cut, name)


def embed_samples(
    tagger: "Tagger",
    samples: np.ndarray,
    rate_hz: int,
    window_s: float = 0.0,
    hop_s: float = 0.0,
    name: str = "samples",
) -> Embedding:
    """Features of sound that is in memory, as `tag_samples` gives scores."""
    cut = cut_of(tagger.bundle.recipe, window_s, hop_s)
    return _of_samples(Embedding, tagger.features, tagger, samples, rate_hz, cut, name)


def _of_samples(
    kind: Callable[[str, float, np.ndarray, np.ndarray], Found],
    compute: Callable[[np.ndarray], np.ndarray],
    tagger: "Tagger",
    samples: np.ndarray,
    rate_hz: int,
    cut: Cut,
    name: str,
) -> Found:
    source = of_samples(samples, rate_hz, name)
    found = _read_all(source, tagger.bundle.recipe, cut)
    return kind(name, found.duration_s, found.starts_s, compute(found.spectrograms))


def cut_of(recipe: Recipe, window_s: float = 0.0, hop_s: float = 0.0) -> Cut:
    """Reads how files are cut; 0 stands for the recipe's clips, one after the other.

    >>> cut_of(Recipe("mel")), cut_of(Recipe("mel"), hop_s=1.0)
    (Cut(window_s=29.0, hop_s=29.0), Cut(window_s=29.0, hop_s=1.0))

    Raises:
        ValueError: A length that the network cannot take, or a hop that leaves gaps.
    """
    longest_s = recipe.duration_s
    shortest_s = recipe.dft_size_samples / recipe.sample_rate_hz
    shortest_s = shortest_s or 1 / recipe.frames_per_s
    window_s = window_s or longest_s
    if not shortest_s <= window_s <= longest_s:
        raise ValueError(
            f"--window_s={window_s:g}: this network takes excerpts of {shortest_s:.3g} "
            f"to {longest_s:g} s"
        )
    hop_s = hop_s or window_s
    if not 0 < hop_s <= window_s:
        raise ValueError(
            f"--hop_s={hop_s:g}: it must be positive and at most an excerpt's length, "
            f"{window_s:g} s, so that no part of a song is left out"
        )
    return Cut(window_s, hop_s)


def rank(song: Song, bundle: "Bundle") -> list[TagScore]:
    """Lists all tags of a song, the highest score first."""
    of_seeds = song.scores.astype(np.float64).mean(1)
    scores, deviations = of_seeds.mean(0), [None] * len(bundle.tags)
    if len(of_seeds) > 1:
        deviations = of_seeds.std(0, ddof=1).tolist()
    chosen = bundle.thresholds
    thresholds = np.full(len(scores), np.nan) if chosen is None else chosen.threshold
    found = []
    for k in np.argsort(-scores, kind="stable"):
        threshold = None if np.isnan(thresholds[k]) else float(thresholds[k])
        passes = None if threshold is None else bool(scores[k] >= threshold)
        found.append(
            TagScore(bundle.tags[k], float(scores[k]), deviations[k], threshold, passes)
        )
    return found


def audio_files(paths: Paths) -> list[str]:
    """Files to read: those given, and in folders those with one of `SUFFIXES`.

    A folder with none, or one that cannot be listed, stands for itself: reading it
    then gives the reason. Links are followed. A file that has several names among
    them, as through a link, is there once, under the first. What sounds like audio and
    cannot be read is counted, in one line.
    """
    found: dict[str, str] = {}
    passed_over: Counter[str] = Counter()
    number = 0
    # Text is a name, and not a sequence of characters, of which "/" names everything.
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    for path in (os.fspath(one) for one in given):
        inside = list(_walk(path, passed_over)) if _is_folder(path) else []
        for name in inside or [path]:
            found.setdefault(_identity(name), name)
            number += 1
    if passed_over and any(not _is_folder(path) for path in found.values()):
        logger.warning("%s", _about_passed_over(passed_over))
    if number > len(found):
        again = number - len(found)
        logger.info("%d of %d names repeat a file named before", again, number)
    return list(found.values())


def _identity(name: str) -> str:
    """Returns the path that names of one file have in common; of no path, the name."""
    try:
        return os.path.realpath(name)
    except ValueError:  # It has a NUL or half a character; reading it says so.
        return name


def _about_passed_over(passed_over: Counter[str]) -> str:
    text = f"passed over in folders: {foreign.in_words(passed_over)}"
    may_be_read = any(one in foreign.SUFFIXES for one in passed_over)
    return f"{text} ({foreign.INSTALL})" if may_be_read else f"{text} (no decoder)"


def _walk(folder: str, passed_over: Counter[str]) -> Iterator[str]:
    """Yields the audio files in a folder, then the folders that cannot be listed.

    Links to folders are followed last, where that folder was not walked by then: a
    file is named by where it lies rather than by a link, and a loop of links ends.
    """
    unlisted: list[str] = []
    tops, walked = [folder], set[str]()
    for top in tops:  # It grows by the links that are found.
        walk = os.walk(top, onerror=lambda error: unlisted.append(error.filename))
        for place, folders, names in walk:
            real = os.path.realpath(place)
            if real in walked:
                folders.clear()
                continue
            walked.add(real)
            # In place: they are entered in this order.
            folders[:] = sorted(one for one in folders if not _TRASH.match(one))
            tops += filter(os.path.islink, _joined(place, folders))
            yield from _joined(place, _audio_among(sorted(names), passed_over))
    yield from unlisted


def _audio_among(names: Iterable[str], passed_over: Counter[str]) -> Iterator[str]:
    # A Mac keeps notes on `a.mp3` in `._a.mp3` where a disk has no room for them.
    for name in (name for name in names if not name.startswith("._")):
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (twice as fast)
        if suffix in SUFFIXES:
            yield name
        elif suffix in (*foreign.SUFFIXES, *foreign.NEVER_READ):
            passed_over[suffix] += 1


def _joined(place: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield os.path.join(place, name)  # noqa: PTH118 (keeps "./" as given)


def excerpts(
    path: AnyPath,
    recipe: Recipe,
    max_duration_s: float = MAX_DURATION_S,
    max_samples: float = math.inf,
    cut: Cut | None = None,
) -> Excerpts:
    """Decodes a file into excerpts, by default consecutive ones of the recipe's clips.

    A short file, and a rest of at least `MIN_REST_S`, is padded with zeros, and so are
    excerpts shorter than the recipe's clips; a shorter rest is left out, and so are
    silent excerpts. A file that ends before its header says so fails if it ends in the
    first excerpt; else the whole excerpts before that are used and a warning is
    logged.

    Raises:
        ValueError: The file is too long, or has too many samples in all its channels,
            which is known before it is decoded, or cannot be used.
    """
    if _is_folder(path):
        raise ValueError(_about_folder(os.fspath(path)))
    limits = max_duration_s, max_samples
    with open_source(path) as source:
        return _read_all(source, recipe, cut or cut_of(recipe), limits)


def _check_length(source: Source, max_duration_s: float, max_samples: float) -> None:
    if source.length_s > max_duration_s:
        raise ValueError(
            f"{clock(source.length_s)} long; at most {clock(max_duration_s)} is "
            "allowed (--max_duration_s)"
        )
    num_samples = source.num_samples * source.num_channels
    if num_samples > max_samples:
        raise ValueError(
            f"{num_samples:,} samples in {source.num_channels} channels; at most "
            f"{max_samples:,} are allowed (--max_samples)"
        )


def _read_all(
    source: Source,
    recipe: Recipe,
    cut: Cut,
    limits: tuple[float, float] = (math.inf, math.inf),
) -> Excerpts:
    window = dataclasses.replace(recipe, duration_s=cut.window_s)
    spectrograms: list[np.ndarray] = []
    starts_s: list[float] = []
    silence: audio.AudioError | None = None
    odd = source.note
    for number in itertools.count():
        # Asked for each time: a second look may find the file to be longer.
        _check_length(source, *limits)
        ahead_s = starts_s_of(source.length_s, cut)[number:]
        if not ahead_s:
            odd = odd or source.cut
            break
        try:
            samples = audio.clip_of(source, window, ahead_s[0])
        except audio.AudioError as error:
            if error.reason == "silent":
                silence = error
                continue
            if error.reason == "truncated" and starts_s:
                odd = f"{error.explanation}; used up to {clock(ahead_s[0])}"
                break
            raise
        samples = audio.fit(samples, recipe.num_samples)
        spectrograms.append(spectrogram(samples, recipe))
        starts_s.append(ahead_s[0])
    if silence is not None and not starts_s:
        raise silence
    if odd:
        logger.warning("%s: %s", printable(source.path), odd)
    return Excerpts(np.stack(spectrograms), np.array(starts_s), source.length_s)


def starts_s_of(length_s: float, cut: Cut) -> list[float]:
    """Computes where the excerpts of a file begin.

    Whole ones, and a last one that is padded where it brings at least `MIN_REST_S`, or
    half an excerpt, that is in no other.

    >>> starts_s_of(12.0, Cut(29.0, 29.0)), starts_s_of(63.5, Cut(29.0, 29.0))
    ([0.0], [0.0, 29.0, 58.0])
    >>> starts_s_of(63.5, Cut(29.0, 10.0)), starts_s_of(64.0, Cut(29.0, 10.0))
    ([0.0, 10.0, 20.0, 30.0], [0.0, 10.0, 20.0, 30.0, 40.0])

    Raises:
        ValueError: They are more than `MOST_EXCERPTS`.
    """
    spare_s = length_s - cut.window_s + 0.001  # Files are a few samples short.
    whole = max(0, int(spare_s // cut.hop_s) + 1)
    heard_s = cut.window_s + (whole - 1) * cut.hop_s if whole else 0.0
    has_rest = length_s - heard_s >= min(MIN_REST_S, cut.window_s / 2)
    count = max(1, whole + has_rest)
    if count > MOST_EXCERPTS and cut.hop_s < cut.window_s:
        raise ValueError(
            f"{count:,} excerpts, one every {cut.hop_s:g} s; at most {MOST_EXCERPTS:,} "
            "of a file are computed: raise --hop_s"
        )
    return [cut.hop_s * number for number in range(count)]


def _is_folder(path: AnyPath) -> bool:
    # Path.is_dir() raises where a folder above may not be entered.
    return os.path.isdir(path)  # noqa: PTH112


def _about_folder(folder: str) -> str:
    try:
        os.scandir(folder).close()
    except OSError as error:
        return f"a folder that cannot be listed: {error.strerror}"
    passed_over: Counter[str] = Counter()
    list(_walk(folder, passed_over))
    if passed_over:
        return f"a folder without audio; {_about_passed_over(passed_over)}"
    return f"a folder without audio: no file ends in {', '.join(SUFFIXES)}"


def _compute(
    kind: Callable[[str, float, np.ndarray, np.ndarray], Found],
    compute: Callable[[np.ndarray], np.ndarray],
    tagger: "Tagger",
    paths: Paths,
    max_duration_s: float,
    num_threads: int,
    cut: Cut,
) -> Iterator[Found | Failure]:
    """Decodes files and gives each what is computed `[S, E, …]` of its excerpts."""
    recipe = tagger.bundle.recipe
    read = partial(_read, recipe=recipe, max_duration_s=max_duration_s, cut=cut)
    if num_threads < 0:
        raise ValueError(f"num_threads={num_threads}: it must be at least 0")
    num_threads = min(num_threads or available_cores(), _MAX_THREADS)
    # Files whose excerpts overlap take more memory, and the network longer for each.
    ahead = max(2, round(4 * num_threads * cut.hop_s / recipe.duration_s))
    enough = _BATCHES_AT_ONCE * tagger.batch_size
    group, size = [], 0
    files = audio_files(paths)
    decoded = _in_parallel(read, files, num_threads, ahead)
    for path, found in zip(files, decoded, strict=True):
        group.append((path, found))
        size += 1 if isinstance(found, Failure) else len(found.starts_s)
        if size >= enough:
            yield from _compute_group(kind, group, compute)
            group, size = [], 0
    yield from _compute_group(kind, group, compute)


def _compute_group(
    kind: Callable[[str, float, np.ndarray, np.ndarray], Found],
    group: list[tuple[str, Excerpts | Failure]],
    compute: Callable[[np.ndarray], np.ndarray],
) -> Iterator[Found | Failure]:
    """Computes the excerpts of several files at once."""
    read = [found for _, found in group if not isinstance(found, Failure)]
    if read:
        values = compute(np.concatenate([one.spectrograms for one in read]))
        ends = np.cumsum([len(one.starts_s) for one in read])
        parts = iter(np.split(values, ends[:-1], axis=1))
    for path, found in group:
        if isinstance(found, Failure):
            yield found
        else:
            yield kind(path, found.duration_s, found.starts_s, next(parts))


def _read(
    path: str, recipe: Recipe, max_duration_s: float, cut: Cut
) -> Excerpts | Failure:
    """Excerpts of a file, or why there are none: the others go on."""
    try:
        return excerpts(path, recipe, max_duration_s, cut=cut)
    except audio.AudioError as error:
        return Failure(path, error.explanation)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        return Failure(path, str(error) or type(error).__name__)


def _in_parallel(
    read: Callable[[str], Excerpts | Failure],
    paths: list[str],
    num_threads: int,
    ahead: int,
) -> Iterator[Excerpts | Failure]:
    """Maps in threads, in order, `ahead` files ahead of what is asked for.

    Decoder, resampler and transform all release the interpreter's lock.
    """
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="decode")
    waiting: deque[Future[Excerpts | Failure]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(read, path))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
