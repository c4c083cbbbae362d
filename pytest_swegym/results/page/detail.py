"""All that the page shows of one attempt: its facts, patch, log and candidates; its steps are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_swegym.results.page.folders import CANDIDATES
from pytest_swegym.results.page.folders import candidate_folders
from pytest_swegym.results.page.folders import read_json
from pytest_swegym.results.page.folders import read_some
from pytest_swegym.results.page.rows import read_record
from pytest_swegym.results.page.steps import read_told
from pytest_swegym.results.page.texts import cut
from pytest_swegym.results.page.texts import cut_all
from pytest_swegym.results.page.texts import table
from pytest_swegym.results.store import JUNIT
from pytest_swegym.results.store import LOG
from pytest_swegym.results.store import PATCH
from pytest_swegym.results.store import RECORD
from pytest_swegym.task import AttemptRecord
from pytest_swegym.trajectory import TRAJECTORY


POPULATION = "population.json"
#: Characters of a patch, bytes of the end of a log, characters of a text of the record, tests that are listed.
PATCH_LIMIT, LOG_LIMIT, TEXT_LIMIT, TESTS = 1_000_000, 200_000, 20_000, 5000
#: Candidates that are shown, and the characters of the steps and of the patch of each.
SHOWN_CANDIDATES, CANDIDATE_STEPS, CANDIDATE_PATCH = 64, 120_000, 100_000
#: What may be read as it is.
FILES = (RECORD, TRAJECTORY, PATCH, LOG, JUNIT, "report.json", POPULATION, "agent.log")


def facts_of(folder: Path) -> dict[str, Any]:
    """What is known of an attempt; empty but for its files while it goes on."""
    record = read_record(folder)
    found: dict[str, Any] = {"files": _files(folder)}
    if record is not None:
        data = record.to_dict()
        del data["patch"]
        tests = {name: _outcomes(data.pop(name)) for name in ("fail_to_pass", "pass_to_pass")}
        found |= {"record": cut_all(data, TEXT_LIMIT), "tests": tests, "patch": cut(record.patch, PATCH_LIMIT)}
    elif (folder / RECORD).exists():
        found["damaged"] = True
    log, size = read_some(folder, LOG, LOG_LIMIT, end=True)
    if size > 0:
        found["log"] = {"text": log.decode("utf-8", "replace"), "size": size, "shown": len(log)}
    candidates = _candidates(folder, record)
    if candidates:
        found["candidates"] = candidates
    population = read_json(folder, POPULATION)
    if population is not None:
        found["population"] = cut_all(population, TEXT_LIMIT)
    return found


def _files(folder: Path) -> list[list[Any]]:
    sizes = [(name, read_some(folder, name, 0)[1]) for name in FILES]
    return [[name, size] for name, size in sizes if size >= 0]


def _outcomes(tests: dict[str, str]) -> dict[str, Any]:
    """The tests, those that do not pass first, so that a limit leaves out none of them before it has to."""
    order = sorted(tests.items(), key=lambda item: (item[1] == "passed", item[0]))
    return {"count": len(order), "listed": [[cut(name, 2000), outcome] for name, outcome in order[:TESTS]]}


def _candidates(folder: Path, record: AttemptRecord | None) -> list[dict[str, Any]]:
    """What a search has tried: what its record says of each, with the patch and the steps that lie in its folder."""
    told = record.extra.get(CANDIDATES) if record is not None else None
    rows = [table(row) for row in told] if isinstance(told, list) else []
    by_name = {str(row.get("folder", row.get("number"))): row for row in rows}
    names = candidate_folders(folder)
    names += [name for name in by_name if name not in names]
    found = []
    for name in names[:SHOWN_CANDIDATES]:
        place = folder / CANDIDATES / name
        patch, _ = read_some(place, PATCH, CANDIDATE_PATCH) if name in names else (b"", 0)
        row = {"name": name, "told": cut_all(by_name.get(name, {}), 2000)}
        steps = read_told(place, total=CANDIDATE_STEPS)
        if steps.token:
            row["steps"] = steps.to_dict()
        found.append({**row, "patch": patch.decode("utf-8", "replace")})
    return found
