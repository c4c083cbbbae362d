"""An attempt as a row of the page's table."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.results.failures import detail_of
from pytest_swegym.results.failures import failure_of
from pytest_swegym.results.page.folders import CANDIDATES
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.folders import candidate_folders
from pytest_swegym.results.page.folders import read_json
from pytest_swegym.results.page.steps import count_steps
from pytest_swegym.results.page.steps import read_told
from pytest_swegym.results.page.texts import cut
from pytest_swegym.results.page.texts import number
from pytest_swegym.results.page.texts import table
from pytest_swegym.results.page.texts import text
from pytest_swegym.results.store import RECORD
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome
from pytest_swegym.task.usage import USAGE
from pytest_swegym.task.usage import read_usage


#: Characters of a name in the table.
NAME_LIMIT = 300


def read_record(folder: Path) -> AttemptRecord | None:
    """The record in an attempt's folder; ``None`` if there is none, or none that can be read."""
    data = read_json(folder, RECORD)
    try:
        record = AttemptRecord.from_dict(data, where=RECORD) if isinstance(data, dict) else None
    except ConfigError:
        return None
    return record if record is not None and _is_sound(record) else None


def _is_sound(record: AttemptRecord) -> bool:
    """Whether texts are texts and tables are tables: a record from elsewhere may hold anything."""
    kinds = {"str": str, "Mapping[str, Any]": Mapping, "Mapping[str, str]": Mapping, "Mapping[str, float]": Mapping}
    whole = all(isinstance(getattr(record, each.name), kinds.get(str(each.type), object)) for each in fields(record))
    lists = (*record.reasons, *record.protected, *record.tags)
    return whole and all(isinstance(each, str) for each in lists)


def row_of(run: RunFolder, key: str) -> dict[str, Any] | None:
    """The row of an attempt: of one that goes on, what is known so far; ``None`` if nothing is."""
    folder = run.attempt(key)
    record = read_record(folder)
    found = _running(folder) if record is None else _ended(record, folder)
    if found is None:
        return None
    if record is None:
        found["touched"] = max(run.signature(key)[::2], default=0) / 1e9
    return {"run": run.name, "key": key, **found}


def _ended(record: AttemptRecord, folder: Path) -> dict[str, Any]:
    usage = read_usage(record.extra.get(USAGE))
    steps = number(record.extra.get("steps"))
    stages = {text(name)[:40]: number(seconds) or 0 for name, seconds in table(record.stages).items()}
    return {
        "state": "ended",
        "instance": _name(record.instance_id),
        "attempt": number(record.attempt) or 0,
        "solver": _name(record.solver),
        "verdict": record.verdict.value,
        "reward": number(record.reward),
        "failure": failure_of(record),
        "why": cut(detail_of(record), NAME_LIMIT),
        "steps": count_steps(folder) if steps is None else steps,
        # What called no model has no tokens, rather than none.
        "tokens": usage.tokens if usage and usage.requests else None,
        "cost": usage.cost if usage and usage.requests else None,
        "stages": stages,
        "seconds": sum(stages.values()),
        "started": number(record.started_at) or 0,
        "f2p": _passed(record.fail_to_pass, F2P_OK),
        "p2p": _passed(record.pass_to_pass, P2P_OK),
        "patch": _size(record.patch),
    }


def _running(folder: Path) -> dict[str, Any] | None:
    candidates = [folder / CANDIDATES / name for name in candidate_folders(folder)]
    told = [each for each in map(read_told, [folder, *candidates]) if each.token]
    if not told:
        return None
    header = told[0].header
    events = [event for each in told for event in each.events]
    steps = [event for event in events if event["event"] == "step"]
    costs = [event["cost"] for event in events if "cost" in event]
    return {
        "state": "running",
        "instance": _name(header.get("instance_id")),
        "attempt": number(header.get("attempt")) or 0,
        "solver": _name(header.get("solver")),
        "verdict": "running",
        "reward": None,
        "failure": "",
        "why": cut(steps[-1].get("action", "") if steps else "", 120),
        "steps": len(steps) + sum(each.left_out for each in told),
        "tokens": sum(event.get("prompt", 0) + event.get("completion", 0) for event in events) or None,
        "cost": sum(costs) if costs else None,
        "stages": {},
        "seconds": None,
        "started": number(header.get("started_at")) or 0,
        "f2p": None,
        "p2p": None,
        "patch": None,
    }


def _name(value: Any) -> str:
    return cut(text(value), NAME_LIMIT)


def _passed(tests: Mapping[str, Outcome], fine: Iterable[Outcome]) -> list[int] | None:
    return [sum(outcome in fine for outcome in tests.values()), len(tests)] if tests else None


def _size(patch: str) -> list[int]:
    """Files, lines added, lines removed."""
    lines = patch.split("\n")
    files = sum(line.startswith("diff --git ") for line in lines) or int(bool(patch.strip()))
    added = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    return [files, added, removed]
