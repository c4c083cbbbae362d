"""A recipe: how another people's agent is installed into a sandbox, and run there."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.toml import read_toml
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SpecError
from pytest_swegym.task import fields as f
from pytest_swegym.tools import HOME as TOOLS
from pytest_swegym.tools.folder import ToolFolder
from pytest_swegym.tools.folder import read_folder


#: The recipes that come with this package, and what all of them need besides.
SHIPPED = Path(__file__).parent / "shipped"
RUNTIME = SHIPPED / "swegym_relay"
#: What a folder must hold to be a recipe.
DESCRIPTION, RUN = "recipe.toml", "run.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """``folder`` is a tool folder whose ``install.sh`` brings the agent and whose ``run.sh`` runs it at a task.

    With ``grade_anyway`` the changes of an agent that ended with a failure are graded all the same.
    """

    folder: ToolFolder
    summary: str = ""
    grade_anyway: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def home(self) -> str:
        """Where it lies inside a sandbox."""
        return f"{TOOLS}/{self.name}"


def shipped() -> list[str]:
    """The names of the recipes that come with this package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{DESCRIPTION}"))


def find_recipe(text: str, *, root: Path | None = None) -> Recipe | None:
    """The recipe that ``command:``'s text names: one of ours, or a folder that holds a ``recipe.toml``.

    ``None`` if it is a shell command. Raises :class:`ConfigError` for a recipe that is wrong, and for a name that is
    nearly one of ours.
    """
    name = text.strip()
    if name in shipped():
        return read_recipe(SHIPPED / name)
    if "/" in name and "\n" not in name:
        path = (root or Path.cwd()) / Path(name).expanduser()
        return read_recipe(path) if (path / DESCRIPTION).is_file() else None
    near = difflib.get_close_matches(name.lower(), shipped(), 1, 0.8)
    if near and len(name.split()) == 1:
        raise ConfigError(
            f"solver 'command:{name}': did you mean the recipe {near[0]!r}? There are: {', '.join(shipped())}. "
            f"A program of that name is command:exec {name}"
        )
    return None


def read_recipe(path: Path) -> Recipe:
    """The recipe at ``path``. Raises :class:`ConfigError`, naming the file."""
    folder = read_folder(path)
    where = path / DESCRIPTION
    for name in (DESCRIPTION, RUN):
        if name not in folder.files:
            raise ConfigError(f"recipe {str(path)!r}: has no {name}")
    reader = f.Fields(read_toml(where), where=str(where))
    try:
        recipe = Recipe(
            folder=folder,
            summary=reader.take("summary", f.text, ""),
            grade_anyway=reader.take("grade_anyway", f.flag, False),
        )
        reader.end()
    except SpecError as error:
        raise ConfigError(str(error)) from None
    return recipe
