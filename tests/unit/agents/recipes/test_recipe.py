"""Which text after ``command:`` is a recipe, and what a folder must hold to be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.agents.recipes import RecipeSolver
from pytest_swegym.agents.recipes import find_recipe
from pytest_swegym.agents.recipes import shipped
from pytest_swegym.errors import ConfigError
from pytest_swegym.solvers import load_solver
from pytest_swegym.solvers.builtin import Command
from pytest_swegym.tools import Toolset
from pytest_swegym.tools import with_folders


DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    path.mkdir()
    (path / "config.yaml").write_text("tools: {}\n")
    (path / "recipe.toml").write_text("grade_anyway = true\n")
    (path / "run.sh").write_text("true\n")
    return path


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe is not None
    assert recipe.summary
    assert {"install.sh", "run.sh"} <= set(recipe.folder.files)
    assert "sh ../swegym_relay/" in recipe.folder.files["install.sh"][0].decode()
    assert f"`{name}`" in (DOCS / "recipes.md").read_text()


def test_a_folder_of_the_users_own(folder: Path, tmp_path: Path) -> None:
    for text in ("./mine", f" {folder} "):
        recipe = find_recipe(text, root=tmp_path)
        assert recipe is not None
        assert (recipe.name, recipe.grade_anyway, recipe.home) == ("mine", True, "/.swegym/tools/mine")


@pytest.mark.parametrize(
    "text", ["true", "./run.sh", "exec mini-swe-agent", "mini-swe-agent --help", "python3 solve.py", "a/b\nc"]
)
def test_what_is_a_command_stays_one(text: str, tmp_path: Path) -> None:
    assert find_recipe(text, root=tmp_path) is None
    loaded = load_solver(f"command:{text}", root=tmp_path)
    assert isinstance(loaded.function, Command)
    assert loaded.tools == ()


@pytest.mark.parametrize("text", ["mini-sweagent", "mini_swe_agent", "Mini-SWE-agent"])
def test_nearly_a_recipes_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean the recipe 'mini-swe-agent'.*command:exec"):
        find_recipe(text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("run.sh", None, "has no run.sh"),
        ("config.yaml", None, "has no config.yaml"),
        ("recipe.toml", "sumary = 'x'", "unknown field; did you mean 'summary'"),
        ("recipe.toml", "grade_anyway = 'yes'", "grade_anyway: must be true or false"),
        ("recipe.toml", "=", "not valid TOML"),
    ],
)
def test_a_folder_that_is_wrong(folder: Path, name: str, text: str | None, message: str) -> None:
    (folder / name).unlink() if text is None else (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        find_recipe(str(folder))


def test_as_a_solver(folder: Path) -> None:
    first = load_solver(f"command:{folder}", agent=["model=a"])
    assert isinstance(first.function, RecipeSolver)
    assert [path.name for path in first.tools] == ["swegym_relay", "mine"]
    assert load_solver(f"command:{folder}", agent=["model=a"]).identity == first.identity
    assert load_solver(f"command:{folder}", agent=["model=b"]).identity != first.identity
    (folder / "run.sh").write_text("false\n")
    assert load_solver(f"command:{folder}", agent=["model=a"]).identity != first.identity


def test_the_folders_come_after_the_runs_tools(folder: Path) -> None:
    alone = with_folders(None, [folder])
    assert [each.name for each in alone.folders] == ["mine"]
    both = with_folders(Toolset.load(["submit"]), [folder])
    assert [each.name for each in both.folders][-1] == "mine"
    assert "submit" in both.tools
    assert with_folders(both, [folder]).key == both.key
