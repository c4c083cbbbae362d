"""The solver that the gate watches; it knows one of the two bugs."""

from __future__ import annotations


def solve(task, workspace):
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
