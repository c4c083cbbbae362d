"""The files that run inside tasks' environments have to be understood by Python 3.6."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pytest_swegym.grading


PAYLOAD = sorted((Path(pytest_swegym.grading.__file__).parent / "payload").glob("*.py"))


@pytest.mark.parametrize("path", PAYLOAD, ids=[path.name for path in PAYLOAD])
def test_syntax_of_python_3_6(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
    futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert futures == []
    assert not any(isinstance(node, ast.NamedExpr) for node in ast.walk(tree))
