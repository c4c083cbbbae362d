"""The solver of this folder guesses."""

from __future__ import annotations


def pytest_swegym_solve(task, workspace):
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 * discount"))
    return ""
