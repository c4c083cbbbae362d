from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


GREET = """\
tools:
  greet:
    signature: "greet <name> [<times>]"
    docstring: Greet somebody.
    arguments:
      - name: name
        type: string
        description: who
        required: true
      - name: times
        type: integer
        description: how often
        required: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a tool folder; ``bin`` maps names to scripts, further keywords other files."""

    def make(
        config: str = GREET,
        *,
        name: str = "mine",
        bin: dict[str, str] | None = None,  # as the folder is called
        files: dict[str, str] | None = None,
    ) -> Path:
        root = tmp_path / name
        (root / "bin").mkdir(parents=True)
        (root / "config.yaml").write_text(config)
        greet = {"greet": '#!/bin/sh\necho "hello $1"\n'} if config == GREET else {}
        scripts = greet if bin is None else bin
        texts = {**{f"bin/{script}": text for script, text in scripts.items()}, **(files or {})}
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    return make
