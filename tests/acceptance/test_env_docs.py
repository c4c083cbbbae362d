"""The snippets of docs/environments.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_swegym.env import EnvConfig


PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("snippet", "printed"), [(0, "1.0 resolved\n"), (1, "[0.0, 1.0]\n"), (2, "")])
def test_a_snippet_runs(snippet: int, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(SNIPPETS[snippet], f"environments.md:{snippet}", "exec"), {})
    assert capsys.readouterr().out == printed


def test_every_option_is_on_the_page() -> None:
    table = PAGE[PAGE.index("## Options") : PAGE.index("## What comes back")]
    assert [name for name in EnvConfig.__slots__ if f"`{name}`" not in table] == []
