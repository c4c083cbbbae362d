"""Every stage of every attempt as a JSON line, as it happens."""

from __future__ import annotations

import json
import threading


LOCK = threading.Lock()  # with --swegym-jobs these hooks are called from the threads of the attempts


def pytest_swegym_solve(workspace):
    source = workspace.read("shop.py")
    workspace.write("shop.py", source.replace("100 + discount", "100 - discount"))
    return ""


def pytest_swegym_attempt_started(item, task, attempt):
    write(item, event="started", task=task.instance_id, attempt=attempt)


def pytest_swegym_attempt_stage(item, task, attempt, stage, seconds):
    write(item, event=stage, task=task.instance_id, attempt=attempt, seconds=seconds)


def pytest_swegym_attempt_finished(item, record):
    write(item, event="finished", task=record.instance_id, attempt=record.attempt, verdict=record.verdict.value)


def pytest_swegym_update_record(record):
    return {"patch_lines": record.patch.count("\n")}


def write(item, **event):
    with LOCK, open(item.config.rootpath / "steps.jsonl", "a") as file:
        print(json.dumps(event), file=file)
