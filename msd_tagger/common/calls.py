"""Names with arguments, as configurations spell them: `adamw(weight_decay=0.01)`.

A name with a colon, "package.module:Name", is a user's own: it is imported.
"""

import ast
import hashlib
import importlib
import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NamedTuple

# What Python raises where an expression is none, or too deep.
WRONG = (
    AttributeError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


class Call(NamedTuple):
    """A name and its arguments, which are numbers, texts, True, False, None, tuples."""

    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        """Spells it, the same for all ways to write it."""
        given = ", ".join(f"{key}={one!r}" for key, one in self.arguments.items())
        return f"{self.name}({given})" if given else self.name


def parse(text: str, where: str) -> Call:
    """Splits a name from its arguments; `where` is how messages name the place.

    Raises:
        ValueError: It is neither a name nor a name with arguments.

    >>> parse("mixup(alpha=0.2)", "train.augmentations")
    Call(name='mixup', arguments={'alpha': 0.2})
    """
    name, bracket, rest = text.strip().partition("(")
    parts = name.strip().replace(":", ".", 1).split(".")
    try:
        call: Any = ast.parse(f"f({rest}" if bracket else "f()", mode="eval").body
        if not all(map(str.isidentifier, parts)) or call.func.id != "f" or call.args:
            raise ValueError
        values = {one.arg: one.value for one in call.keywords}
        if None in values or len(values) < len(call.keywords):
            raise ValueError
    except WRONG:
        raise ValueError(
            f"{where}: {text!r} must be a name, perhaps with arguments, each once and "
            'called by its name, such as "adamw(weight_decay=0.01)"'
        ) from None
    return Call(name.strip(), {k: _value(k, x, where) for k, x in values.items()})


def _value(name: str, expression: ast.expr, where: str) -> Any:
    try:
        return ast.literal_eval(expression)
    except WRONG:
        raise ValueError(
            f"{where}: {name}={ast.unparse(expression)} must be a number, a text in "
            "quotes, True, False, None or a tuple of these"
        ) from None


def is_own(name: str) -> bool:
    """Tells whether a name is that of a user's own code."""
    return ":" in name


def load(name: str, where: str) -> Any:
    """Imports what "package.module:Name" names: a function or a class.

    The module runs only if its file defines that name, with `def` or `class`.

    Raises:
        ValueError: It cannot be imported; the message says why and what to do.
    """
    module, _, attribute = name.partition(":")
    defined = _defined(source_of(name, where), module, where)
    if attribute not in defined:
        names = ", ".join(one for one in defined if not one.startswith("_"))
        raise ValueError(
            f"{where}: {module} has no {attribute!r}; it defines {names or 'nothing'}"
        )
    with _importing(module, where):
        return getattr(importlib.import_module(module), attribute)


@contextmanager
def _importing(module: str, where: str) -> Iterator[None]:
    """Words what goes wrong where a module is looked for or imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{where}: the module {module} cannot be imported ({error}); put the "
            "folder that holds it on PYTHONPATH, or install it"
        ) from error
    # It is somebody's own code, which may raise anything, or end the process.
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"{where}: importing {module} failed: {told(error)}"
        ) from error


def _defined(file: Path, module: str, where: str) -> list[str]:
    """Lists the functions and classes that a file defines, without running it."""
    with _importing(module, where):
        tree = ast.parse(file.read_bytes())
    return [
        one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)
    ]


def told(error: BaseException, file: str = "") -> str:
    """Says what happened in somebody's own code, and in which line of it."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [one for one in frames if one.filename == file] or frames
    place = f" ({inside[-1].filename}, line {inside[-1].lineno})" if inside else ""
    return f"{type(error).__name__}: {str(error).strip()}{place}"


def source_of(name: str, where: str) -> Path:
    """Finds the file of a user's own code; packages that it lies in are imported.

    Raises:
        ValueError: There is none, or it is not a Python file.
    """
    module = name.partition(":")[0]
    *_, spec = _specs(module, where)
    if spec.origin is None:
        raise ValueError(f"{where}: {name} is a folder; name a module in it")
    if not spec.origin.endswith(".py"):
        raise ValueError(f"{where}: {module} is not a Python file: {spec.origin}")
    return Path(spec.origin)


def _specs(module: str, where: str) -> Iterator[ModuleSpec]:
    """Finds a module's packages from the outermost, and it; each imports those before.

    Raises:
        ValueError: There is none of that name.
    """
    parts = module.split(".")
    for count in range(1, 1 + len(parts)):
        part = ".".join(parts[:count])
        with _importing(module, where):
            spec = importlib.util.find_spec(part)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {part!r}")
        yield spec


def places_of(name: str, where: str) -> Iterator[Path]:
    """Yields where a user's own code lies: its packages from the outermost, its module.

    A package is imported only when the next place is asked for, so that who looks at
    the places can refuse it before.

    Raises:
        ValueError: There is none.
    """
    for spec in _specs(name.partition(":")[0], where):
        places = [spec.origin, *(spec.submodule_search_locations or ())]
        yield from map(Path, filter(None, places))


def digest_of(name: str, where: str) -> str:
    """Computes a digest of the file that a user's own code stands in."""
    return hashlib.sha256(source_of(name, where).read_bytes()).hexdigest()[:16]


def check_arguments(call: Call, known: list[str], where: str) -> None:
    """Checks the names of arguments.

    Raises:
        ValueError: Names the first that is not known, and those that are.
    """
    for name in call.arguments:
        if name not in known:
            raise ValueError(
                f"{where}: {call.name} has no argument {name!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
