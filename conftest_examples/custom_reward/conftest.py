"""A reward of one's own: resolved tasks, and a bonus for every test that the patch was measured by."""

from __future__ import annotations


def pytest_swegym_solve(workspace):
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
    return ""


def pytest_swegym_compute_reward(item, task, grade):
    if not grade.resolved:
        return 0.0
    outcomes = [*grade.fail_to_pass.values(), *grade.pass_to_pass.values()]
    return 1.0 + 0.1 * len(outcomes)
