"""The table of keys is that of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pytest_swegym.agents.config import AgentConfig


PAGE = Path(__file__).parents[4] / "docs" / "agents.md"
ROW = re.compile(r"^\| `([\w.]+)` \| (?:`?([^`|]*?)`?)? ?\| ", re.MULTILINE)


def defaults(owner: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in fields(owner):
        value = getattr(owner, each.name)
        if is_dataclass(value):
            yield from defaults(value, f"{each.name}.")
        else:
            yield prefix + each.name, value


def test_every_key_is_in_the_table_with_its_default() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Keys")[2].partition("\n## ")[0]
    written = dict(ROW.findall(section))
    wanted = {key: str(value) if isinstance(value, str) else f"{value:g}" for key, value in defaults(AgentConfig())}
    assert written == wanted
