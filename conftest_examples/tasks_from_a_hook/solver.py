"""A solver that knows both bugs."""

from __future__ import annotations


def solve(task, workspace):
    source = workspace.read("shop.py")
    source = source.replace("100 + discount", "100 - discount").replace('split(" ")', "split()")
    workspace.write("shop.py", source)
