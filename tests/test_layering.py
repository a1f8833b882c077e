"""Folders are floors: who imports whom, from the source and in a fresh process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TENSORFLOW = {"tensorflow", "tensorflow_datasets"}
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}

# Each place, and the others that it may import. The longest name that fits counts.
FLOORS = {
    "configs": set(),
    "msd_tagger.common": set(),
    "msd_tagger.frontend": {"msd_tagger.common"},
    "msd_tagger.pages": {"msd_tagger.common"},
    "msd_tagger.network": {"msd_tagger.common", "msd_tagger.frontend"},
    "msd_tagger.bundle": {
        "msd_tagger.common",
        "msd_tagger.frontend",
        "msd_tagger.pages.markdown",
        "msd_tagger.network",
    },
    "msd_tagger.training": {
        "msd_tagger.common",
        "msd_tagger.frontend",
        "msd_tagger.network",
        "msd_tagger.bundle",
    },
    "msd_tagger.tagging": {
        "msd_tagger.common",
        "msd_tagger.frontend",
        "msd_tagger.pages",
        "msd_tagger.network",
        "msd_tagger.bundle",
    },
    "msd_tagger": {"msd_tagger"},
    "input_pipeline": {"msd_tagger.common", "msd_tagger.frontend"},
    "studies": {
        "msd_tagger.common",
        "msd_tagger.frontend",
        "msd_tagger.pages",
        "msd_tagger.bundle.thresholds",
    },
    "modes": {"configs", "msd_tagger", "input_pipeline", "studies"},
    "main": {"configs", "msd_tagger", "input_pipeline", "studies", "modes"},
}
OURS = {name.split(".")[0] for name in FLOORS}
WITHOUT_JAX = ("configs", "msd_tagger.common", "msd_tagger.frontend")
WITHOUT_JAX += ("msd_tagger.pages", "input_pipeline", "studies")

# Where a module is named by a variable: a mode, once JAX is set up, a section, and what
# is a user's own.
LOADERS = {
    "msd_tagger/commands/command_line.py",
    "msd_tagger/common/calls.py",
    "studies/sections/__init__.py",
}
# The canary repeats, in a few lines, what a compiler once got wrong.
MAPPERS = {"msd_tagger/training/parallel.py", "msd_tagger/training/canary.py"}


def sources(*places: str) -> list[Path]:
    """The source files of packages, or the one file of that name."""
    found = []
    for place in places:
        path = ROOT.joinpath(*place.split("."))
        found += path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    return sorted(found)


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_loader(node: ast.AST) -> bool:
    """Whether a call imports what its argument names."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else None
    name = called.id if isinstance(called, ast.Name) else name
    return name in ("import_module", "__import__")


def imports(
    tree: ast.AST, package: str = "", inside_functions: bool = True
) -> list[str]:
    """The dotted names that a syntax tree imports, in whatever way.

    `from a import b` gives `a.b`, as b may be a module. A module that a variable names
    is "?".
    """
    found, stack = [], [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not inside_functions:
                continue
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            if not inside_functions:
                continue  # Nothing of it is imported when the program runs.
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            near = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            start = ".".join(filter(None, (near, node.module)))
            found += [f"{start}.{alias.name}" for alias in node.names]
        elif is_loader(node):
            named = node.args[0] if node.args else None
            is_text = isinstance(named, ast.Constant)
            found.append(str(named.value).split(":")[0] if is_text else "?")
        stack += ast.iter_child_nodes(node)
    return found


def imports_of(path: Path, **options: bool) -> list[str]:
    package = dotted(path if path.name == "__init__.py" else path.parent / "__init__")
    return imports(parsed(path), package.removesuffix(".__init__"), **options)


def packages(names: list[str]) -> set[str]:
    """The first parts of dotted names."""
    return {name.split(".")[0] for name in names}


def is_in(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def place_of(module: str) -> str:
    """The longest of `FLOORS` that a module is in."""
    return max((p for p in FLOORS if is_in(module, p)), key=len)


def wrong_imports(module: str, names: list[str]) -> list[str]:
    """Those of our own modules that a module may not import."""
    place = place_of(module)
    allowed = {place, *FLOORS[place]}
    return [
        name
        for name in names
        if name.split(".")[0] in OURS and not any(is_in(name, one) for one in allowed)
    ]


def test_the_walk_finds_what_it_should():
    tree = ast.parse(
        "import a.b\nfrom c import d\n"
        "def f():\n    import e\n"
        "class G:\n    def h(self):\n        from i.j import k\n"
        "if True:\n    import l\n"
        "if TYPE_CHECKING:\n    import m\n"
        "from . import n\nfrom ..o import p\n"
        "importlib.import_module('q.r')\n__import__(s)\n"
    )
    outside = {"a.b", "c.d", "l", "x.y.n", "x.o.p", "q.r", "?"}
    assert set(imports(tree, "x.y")) == outside | {"e", "i.j.k", "m"}
    assert set(imports(tree, "x.y", inside_functions=False)) == outside


def test_an_import_upwards_is_seen():
    names = ["msd_tagger.common.files", "msd_tagger.training.loop", "studies.report"]
    assert wrong_imports("msd_tagger.network.block", names) == names[1:]
    assert wrong_imports("msd_tagger.commands.tag", names) == names[2:]
    assert wrong_imports("input_pipeline.batches", names) == names[1:]
    assert wrong_imports("modes.run", [*names, "main"]) == ["main"]


@pytest.mark.parametrize("path", sources(*OURS), ids=name_of)
def test_every_floor_imports_only_what_lies_below(path):
    assert wrong_imports(dotted(path), imports_of(path)) == []


@pytest.mark.parametrize("path", sources(*OURS), ids=name_of)
def test_what_is_imported_can_be_read(path):
    assert "?" not in imports_of(path) or name_of(path) in LOADERS


@pytest.mark.parametrize("path", sources(*WITHOUT_JAX), ids=name_of)
def test_these_floors_know_no_jax(path):
    assert not packages(imports_of(path)) & JAX


@pytest.mark.parametrize("path", sources(*OURS), ids=name_of)
def test_tensorflow_is_imported_late_to_read_batches_and_write_events(path):
    at_import = packages(imports_of(path, inside_functions=False))
    assert not at_import & TENSORFLOW
    late = packages(imports_of(path)) & TENSORFLOW
    places = ("input_pipeline", "modes.tensorboard")
    assert not late or any(is_in(dotted(path), place) for place in places)


@pytest.mark.parametrize("path", sources("configs"), ids=name_of)
def test_configs_are_cheap(path):
    assert "numpy" not in packages(imports_of(path))


def edges(*places: str) -> dict[str, set[str]]:
    """Which modules each module imports when it is imported itself."""
    known = {dotted(path): path for path in sources(*places)}
    found = {}
    for module, path in known.items():
        names = imports_of(path, inside_functions=False)
        found[module] = {
            name if name in known else name.rpartition(".")[0] for name in names
        } & set(known) - {module}
    return found


def circles(graph: dict[str, set[str]]) -> set[str]:
    """Modules that a module imports which imports them, over any number of steps."""
    left = dict(graph)
    while free := [m for m, needs in left.items() if not needs & set(left)]:
        for module in free:
            del left[module]
    return set(left)


def test_a_circle_is_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert circles(graph) == {"a", "b", "c"}


def test_no_module_imports_itself_in_a_circle():
    assert circles(edges(*OURS)) == set()


def mentions(tree: ast.AST, names: set[str]) -> set[str]:
    """Which of some names a syntax tree has, as name, attribute, import or text."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.Constant):
            found.add(node.value)
    return found & names


@pytest.mark.parametrize(
    "line",
    [
        "jax.vmap(f)",
        "import jax as j; j.pmap(f)",
        "from jax import vmap",
        "from jax import vmap as v; v(f)",
        "getattr(jax, 'pmap')(f)",
        "nn.vmap(Layer)",
    ],
)
def test_every_way_to_map_is_seen(line):
    assert mentions(ast.parse(line), {"vmap", "pmap"})


@pytest.mark.parametrize("path", sources("msd_tagger", "modes"), ids=name_of)
def test_only_one_module_maps_over_devices_and_seeds(path):
    found = mentions(parsed(path), {"vmap", "pmap", "xmap", "shard_map"})
    assert not found or name_of(path) in MAPPERS


def in_a_process(names: list[str]) -> set[str]:
    """Imports modules in a fresh process and returns the packages it then holds."""
    lines = [f"import {name}" for name in names]
    lines += ["import sys", "print(*{name.split('.')[0] for name in sys.modules})"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["main", "msd_tagger", "msd_tagger.commands.command_line"]
)
def test_a_command_line_is_read_before_numpy_is_imported(module):
    """When it is imported it decides how many threads it takes (`platform.py`)."""
    assert not in_a_process([module]) & (JAX | TENSORFLOW | {"numpy"})


def test_importing_the_package_brings_in_no_tensorflow():
    loaded = in_a_process([dotted(path) for path in sources("msd_tagger")])
    assert "jax" in loaded
    assert not loaded & TENSORFLOW


@pytest.mark.parametrize("place", WITHOUT_JAX)
def test_importing_these_floors_brings_in_neither_framework(place):
    loaded = in_a_process([dotted(path) for path in sources(place)])
    assert not loaded & (TENSORFLOW | JAX)
