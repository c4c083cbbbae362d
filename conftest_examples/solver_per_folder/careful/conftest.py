"""The solver of this folder reads the problem first."""

from __future__ import annotations


def pytest_swegym_solve(task, workspace):
    if "discount" not in task.problem_statement:
        return None  # not mine: the next conftest upwards may try
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
    return ""
