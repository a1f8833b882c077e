"""Folders are layers: who imports whom, from the source and in a fresh process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TENSORFLOW = {"tensorflow", "tensorflow_datasets"}
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}

# The only part of the input pipeline that tagging needs: audio to spectrogram.
SHARED_MODULES = {"input_pipeline.audio", "input_pipeline.recipe"}

# What the modes decorate their functions with; JAX is set up and imported later.
WITHOUT_JAX = {"msd_tagger", "msd_tagger.distributed"}
TAGGING = {"bundle.py", "tagger.py", "tag_files.py"}


def modules(*parts: str) -> list[Path]:
    """Returns the source files of a package, or the one file of that name."""
    place = ROOT.joinpath(*parts)
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def imports(tree: ast.AST, *, inside_functions: bool = True) -> set[str]:
    """Returns the dotted names that a syntax tree imports.

    `from a import b` gives both `a` and `a.b`, as b may be a module.
    """
    found, stack = set(), [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not inside_functions:
                continue
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            if not inside_functions:
                continue  # Nothing of it is imported when the program runs.
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        stack += ast.iter_child_nodes(node)
    return found


def imports_of(path: Path, **options: bool) -> set[str]:
    """Returns the dotted names that a file imports."""
    return imports(ast.parse(path.read_text(encoding="utf-8")), **options)


def packages(names: set[str]) -> set[str]:
    """Returns the first parts of dotted names."""
    return {name.split(".")[0] for name in names}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_walk_finds_what_it_should():
    tree = ast.parse(
        "import a.b\nfrom c import d\n"
        "def f():\n    import e\n"
        "class G:\n    def h(self):\n        from i.j import k\n"
        "if True:\n    import l\n"
        "if TYPE_CHECKING:\n    import m\n"
    )
    assert imports(tree) == {"a.b", "c", "c.d", "e", "i.j", "i.j.k", "l", "m"}
    assert imports(tree, inside_functions=False) == {"a.b", "c", "c.d", "l"}


@pytest.mark.parametrize("path", modules("msd_tagger"), ids=name_of)
def test_the_network_never_imports_the_input(path):
    found = imports_of(path)
    assert not packages(found) & (TENSORFLOW | {"main", "configs"})
    of_input = {name for name in found if packages({name}) == {"input_pipeline"}}
    allowed = SHARED_MODULES | {"input_pipeline"}
    for name in of_input:
        parents = {name, name.rpartition(".")[0]}
        assert parents & allowed, f"{name_of(path)} imports {name}"
    if of_input:
        assert path.name in TAGGING, f"{name_of(path)} is not tagging"


@pytest.mark.parametrize("path", modules("input_pipeline"), ids=name_of)
def test_the_input_never_imports_the_network(path):
    assert not packages(imports_of(path)) & (JAX | {"msd_tagger", "main", "configs"})
    at_import = packages(imports_of(path, inside_functions=False))
    assert not at_import & TENSORFLOW, "TensorFlow is imported inside functions only"


@pytest.mark.parametrize(
    "path",
    [
        *modules("msd_tagger", "analysis"),
        *modules("msd_tagger", "files.py"),
        *modules("msd_tagger", "metrics.py"),
    ],
    ids=name_of,
)
def test_analysis_starts_from_files_alone(path):
    found = imports_of(path)
    assert not packages(found) & (JAX | TENSORFLOW | {"input_pipeline", "seaborn"})
    ours = {name for name in found if name.startswith("msd_tagger.")}
    allowed = ("msd_tagger.analysis", "msd_tagger.files", "msd_tagger.metrics")
    assert all(name.startswith(allowed) for name in ours)


@pytest.mark.parametrize("path", modules("configs"), ids=name_of)
def test_configs_are_cheap(path):
    assert not packages(imports_of(path)) & (JAX | TENSORFLOW | {"numpy"})


@pytest.mark.parametrize("path", [ROOT / "main.py", *modules("modes")], ids=name_of)
def test_modes_import_what_they_need_when_they_run(path):
    at_import = imports_of(path, inside_functions=False) - WITHOUT_JAX
    forbidden = JAX | TENSORFLOW | {"msd_tagger", "input_pipeline"}
    assert not packages(at_import) & forbidden


def test_a_command_line_is_read_before_numpy_is_imported():
    """When it is imported it decides how many threads it takes; see `modes/tag.py`."""
    assert not in_a_process(["main"]) & (JAX | TENSORFLOW | {"numpy"})


def test_only_one_module_maps_over_devices_and_seeds():
    for path in modules("msd_tagger"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        mapped = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr in ("pmap", "vmap")
            and isinstance(node.value, ast.Name)
            and node.value.id == "jax"
        }
        # The canary repeats, in a few lines, what a compiler once got wrong.
        assert not mapped or path.name in ("parallel.py", "canary.py"), name_of(path)


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


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_importing_the_network_brings_in_no_tensorflow():
    loaded = in_a_process([dotted(path) for path in modules("msd_tagger")])
    assert "jax" in loaded
    assert not loaded & TENSORFLOW


def test_importing_the_input_brings_in_neither_framework():
    loaded = in_a_process([dotted(path) for path in modules("input_pipeline")])
    assert not loaded & (TENSORFLOW | JAX)


def test_importing_the_analysis_brings_in_neither_framework():
    loaded = in_a_process([dotted(path) for path in modules("msd_tagger", "analysis")])
    assert not loaded & (TENSORFLOW | JAX)
