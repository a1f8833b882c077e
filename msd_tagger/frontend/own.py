"""A front end of one's own: a class that makes powers of bands out of samples.

docs/extending.md has an example.
"""

import abc
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from msd_tagger.common import calls
from msd_tagger.common.facts import KINDS

if TYPE_CHECKING:
    from msd_tagger.frontend.recipe import Recipe

# Short names of those that lie in this repository -> "package.module:Class".
FRONT_ENDS: dict[str, str] = {}

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FrontEnd(abc.ABC):
    """What a front end has to offer; its fields are its parameters.

    A subclass is a frozen dataclass too. Only subclasses are ever called, so a bundle
    cannot name anything else to be run.
    """

    sample_rate_hz: int  # Of the samples that it gets, `spectrogram.sample_rate_hz`.

    @abc.abstractmethod
    def power(self, samples: np.ndarray) -> np.ndarray:
        """Makes powers of bands: float32 `[T]` -> `[M, F]`, finite and not negative.

        M and F follow from T and the fields alone.
        """

    def band_centres_hz(self) -> np.ndarray | None:
        """Returns the rising centres of all bands, `[M]`, or None if they have none."""
        return None


@functools.lru_cache(maxsize=16)
def describe(text: str, sample_rate_hz: int, num_samples: int) -> dict[str, Any]:
    """Tries a front end on a clip of noise, and gives the fields of its recipe.

    The text is as `spectrogram.kind` spells it, perhaps with parameters.

    Raises:
        ValueError: There is no such front end, or it does not do what it has to.
    """
    name, front_end = _make(text, sample_rate_hz)
    noise = np.random.default_rng(0).standard_normal(num_samples)
    num_bands, num_frames = _power(front_end, 0.1 * noise.astype(np.float32)).shape
    _centres_hz(front_end, num_bands)
    return {
        "kind": _spelled(name, front_end),
        "own_shape": (num_bands, num_frames),
        "own_source": calls.digest_of(_full(name), text),
    }


def _spelled(name: str, front_end: FrontEnd) -> str:
    """Spells a front end with all its parameters, as bundles and shards name it."""
    fields = [one.name for one in dataclasses.fields(front_end) if one.init]
    given = {one: getattr(front_end, one) for one in fields if one != "sample_rate_hz"}
    for key, value in given.items():
        given[key] = value.item() if isinstance(value, np.generic) else value
        calls.parse(str(calls.Call(name, {key: given[key]})), f"the front end {name}")
    return str(calls.Call(name, given))


def power_of(samples: np.ndarray, recipe: "Recipe") -> np.ndarray:
    """Makes the powers that a recipe is of: float32 `[T]` -> `[M, F]`.

    Raises:
        ValueError: The front end does not do what it has to.
    """
    found = _power(_of(recipe), samples)
    if found.shape != recipe.shape:
        raise ValueError(
            f"{recipe.kind} makes {list(found.shape)} of {len(samples)} samples, and "
            f"made {list(recipe.shape)} before; its shape may depend on nothing but "
            "the number of samples and its parameters"
        )
    return found


def centres_hz_of(recipe: "Recipe") -> np.ndarray:
    """Returns the centres of a recipe's bands, `[M]`; NaN where they have none."""
    return _centres_hz(_of(recipe), recipe.shape[0])


@functools.lru_cache(maxsize=16)
def _of(recipe: "Recipe") -> FrontEnd:
    name, front_end = _make(recipe.kind, recipe.sample_rate_hz)
    if calls.digest_of(_full(name), recipe.kind) != recipe.own_source:
        logger.warning(
            "the file of the front end %s was changed since a network learnt from it; "
            "if it computes other numbers now, scores mean nothing",
            recipe.kind,
        )
    return front_end


def _full(name: str) -> str:
    return FRONT_ENDS.get(name, name)


def _make(text: str, sample_rate_hz: int) -> tuple[str, FrontEnd]:
    where = f"spectrogram.kind={text}"
    call = calls.parse(text, "spectrogram.kind")
    if not calls.is_own(_full(call.name)):
        raise ValueError(
            f"--config.{where}: must be one of "
            f"{', '.join(map(repr, (*KINDS, *FRONT_ENDS)))}, or a front end of your "
            'own, such as "package.module:Class" (docs/extending.md)'
        )
    kind = calls.load(_full(call.name), where)
    if not (isinstance(kind, type) and issubclass(kind, FrontEnd)):
        raise ValueError(
            f"{where}: it must be a class derived from {FrontEnd.__module__}.FrontEnd "
            "(docs/extending.md)"
        )
    known = [field.name for field in dataclasses.fields(kind)]
    known.remove("sample_rate_hz")
    calls.check_arguments(call, known, where)
    with _naming(where):
        return call.name, kind(sample_rate_hz, **call.arguments)


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    """Says what failed: it is somebody's own code, which may raise anything."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise ValueError(f"{what}: {calls.told(error)}") from error


def _power(front_end: FrontEnd, samples: np.ndarray) -> np.ndarray:
    name = f"the front end {type(front_end).__name__}"
    with _naming(f"{name} failed"):
        found = np.asarray(front_end.power(samples))
    if found.ndim != 2 or not found.size or found.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} gives {found.dtype} {list(found.shape)} of {len(samples)} "
            "samples; it must give real numbers [bands, frames]"
        )
    found = found.astype(np.float32)
    if not (np.isfinite(found).all() and found.min() >= 0):
        raise ValueError(
            f"{name} gives values from {found.min():.4g} to {found.max():.4g}; powers "
            "must be finite and not negative"
        )
    return found


def _centres_hz(front_end: FrontEnd, num_bands: int) -> np.ndarray:
    what = f"band_centres_hz() of the front end {type(front_end).__name__}"
    with _naming(f"{what} failed"):
        given = front_end.band_centres_hz()
        if given is None:
            return np.full(num_bands, np.nan)
        found = np.asarray(given, float)
    if found.shape != (num_bands,) or not (np.diff(found, prepend=-1.0) > 0).all():
        raise ValueError(
            f"{what} gives {list(found.shape)}; it must give a frequency for each of "
            f"{num_bands} bands, and they must rise; or None"
        )
    return found
