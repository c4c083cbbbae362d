"""The import contract of docs/architecture.md: downward only, no cycles, one door per third-party library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parents[2] / "pytest_swegym"
#: Layers from the bottom up. A name covers the module, or the folder and all in it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("_support", "task", "settings", "hookspecs"),
    ("sources", "sandbox", "rows", "trajectory"),
    ("environments", "admission"),
    ("workspace",),
    ("solvers", "grading", "tools"),
    ("session",),
    ("prepared", "lab", "episode", "agents", "results"),
    ("env", "authoring", "runs"),
    ("training",),
    ("plugin", "server", "cli", "__main__"),
)
#: Where each third-party library may be imported.
DOORS = {
    "docker": ("sandbox/docker",),
    "git": ("sources/",),
    "junitparser": ("grading/junit.py",),
    "filelock": ("_support/locks.py",),
    "pypi_simple": ("sources/",),
    "requests": ("sources/",),
    "scipy": ("results/statistics.py",),
    "numpy": ("results/statistics.py", "env/", "agents/observers/"),
    "pytest": ("plugin/", "hookspecs.py", "grading/payload/", "cli/"),
    "_pytest": ("plugin/", "grading/payload/"),
    "tomli_w": ("authoring/",),
    "datasets": ("rows/",),
    "huggingface_hub": ("rows/",),
    "openai": ("agents/",),
    "gymnasium": ("env/",),
    "yaml": ("tools/",),
    "pyarrow": ("rows/",),
    "prompt_toolkit": ("agents/",),
    # What is drawn on a terminal while a run goes on.
    "rich": ("plugin/drawing.py", "plugin/screen.py"),
    "wandb": ("results/loggers/wandb.py",),
    "trackio": ("results/loggers/trackio.py",),
    "tensorboardX": ("results/loggers/tensorboard.py",),
    "ray": ("runs/ray",),
    "rapidfuzz": ("session/matching.py",),
    "bm25s": ("agents/observers/ranking.py",),
    "tree_sitter": ("agents/observers/",),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if not {"payload", "shipped"} & {*path.parts})


def imports(path: Path) -> Iterator[str]:
    """Every module that ``path`` imports at run time: what stands under ``TYPE_CHECKING`` is not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(child for body in node.body for child in ast.walk(body))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def layer(module: str) -> int:
    top = module.split(".")[1] if "." in module else "__init__"
    found = [number for number, names in enumerate(LAYERS) if top in names]
    assert found, f"{module} is in no layer: add it to LAYERS and to docs/architecture.md"
    return found[0]


def name(path: Path) -> str:
    relative = path.relative_to(PACKAGE.parent).with_suffix("")
    return ".".join(part for part in relative.parts if part != "__init__")


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_point_downward(path: Path) -> None:
    module = name(path)
    if module == "pytest_swegym":
        return
    own = layer(module)
    wrong = [found for found in imports(path) if found.startswith("pytest_swegym.") and layer(found) > own]
    assert not wrong, f"{module} (layer {own}) imports {wrong}"


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_each_library_has_one_door(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    wrong = [
        found
        for found in imports(path)
        if found.split(".")[0] in DOORS and not any(place.startswith(door) for door in DOORS[found.split(".")[0]])
    ]
    assert not wrong, f"{place} imports {wrong}, whose doors are {DOORS}"


def test_no_cycles_at_module_level() -> None:
    graph = {name(path): {found for found in imports(path) if found.startswith("pytest_swegym")} for path in FILES}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"import cycle: {' -> '.join((*trail, module))}"
        if module in done:
            return
        for found in sorted(graph.get(module, ())):
            # ``from package import name`` of a package's own submodule is no cycle: the submodule does not need it.
            if not module.startswith(found + "."):
                visit(found, (*trail, module))
        done.add(module)

    done: set[str] = set()
    for module in graph:
        visit(module, ())


def test_every_module_imports_alone() -> None:
    modules = [name(path) for path in FILES if path.name != "__main__.py"]
    script = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    result = subprocess.run([sys.executable, "-W", "error", "-c", script, *modules], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_importing_the_package_and_plugin_is_light() -> None:
    heavy = (
        "docker",
        "datasets",
        "openai",
        "git",
        "gymnasium",
        "requests",
        "rich",
        "uv",
        "junitparser",
        "filelock",
        "scipy",
        "numpy",
        "yaml",
        "pyarrow",
        "prompt_toolkit",
        "rapidfuzz",
        "bm25s",
        "tree_sitter",
    )
    script = (
        f"import sys, pytest_swegym, pytest_swegym.plugin\nprint([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_no_file_is_too_long() -> None:
    long = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in FILES}
    assert not {place: lines for place, lines in long.items() if lines > 350}


def test_no_function_is_too_long() -> None:
    long = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno + 1 > 50
    ]
    assert not long
