"""A solver is a hook: it works in the workspace and returns a diff, or "" for what it left there."""

from __future__ import annotations


def pytest_swegym_solve(task, workspace):
    print("solving", task.instance_id, "-", task.title)
    print(workspace.run("grep -n discount shop.py").output)
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
    return ""
