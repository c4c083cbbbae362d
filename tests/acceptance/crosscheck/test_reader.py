"""What we write in the harness's schema is read by the harness's own code, and comes to the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.results import ResultStore
from pytest_swegym.results import write_predictions
from pytest_swegym.results import write_run_reports
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


PASSED, FAILED = Outcome.PASSED, Outcome.FAILED
MODEL = "mod/el.py:solve"
RUN = "run-7"


def record(name: str, verdict: Verdict, patch: str = "diff é", **more: Any) -> AttemptRecord:
    return AttemptRecord(instance_id=f"r__r-{name}", solver=MODEL, verdict=verdict, patch=patch, **more)


LOGGED = [
    (record("good", Verdict.RESOLVED, fail_to_pass={"a::t": PASSED}, pass_to_pass={"b": Outcome.XFAILED}), b""),
    (record("again", Verdict.UNRESOLVED, fail_to_pass={"a::t": FAILED}, attempt=1), b""),
    (record("again", Verdict.RESOLVED, fail_to_pass={"a::t": PASSED}), b""),
    (record("wrong", Verdict.UNRESOLVED, fail_to_pass={"a": FAILED}, pass_to_pass={"b": Outcome.SKIPPED}), b"x"),
    (record("import", Verdict.UNRESOLVED, fail_to_pass={"a": Outcome.MISSING}), b"ModuleNotFoundError: x\n"),
    (record("bent", Verdict.TAMPERED, fail_to_pass={"a": PASSED}, reasons=("canary",)), b"Killed\n"),
    (record("malformed", Verdict.INVALID_PATCH), b""),
    (record("late", Verdict.TIMEOUT), b""),
    (record("silent", Verdict.UNRESOLVED, patch="", fail_to_pass={"a": FAILED}), b""),
    (record("broken", Verdict.SOLVER_ERROR, patch=""), b""),
    (record("infra", Verdict.INFRA_ERROR, patch=""), b""),
]
RECORDS = [each for each, _ in LOGGED]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A run folder as the plugin leaves it."""
    store = ResultStore(root=tmp_path / RUN)
    for each, log in LOGGED:
        store.write(each, Grade(verdict=each.verdict, log=log))
    write_predictions(store.root / "predictions.jsonl", RECORDS)
    write_run_reports(store.root, RECORDS, store.log)
    return store.root


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    names = sorted({each.instance_id for each in RECORDS})
    path.write_text("".join(json.dumps({"instance_id": name}) + "\n" for name in names))
    return path


def test_predictions_are_read_back(oracle: Any, written: Path, rows: Path) -> None:
    question = {"op": "predictions", "path": str(written / "predictions.jsonl"), "rows": str(rows)}
    [read] = oracle.ask([question])
    assert [each["instance_id"] for each in read] == sorted({each.instance_id for each in RECORDS} - {"r__r-infra"})
    assert {each["model_name_or_path"] for each in read} == {MODEL}
    assert {each["instance_id"]: each["model_patch"] for each in read}["r__r-good"] == "diff é"


def test_the_harness_sums_the_reports_up_as_we_do(oracle: Any, written: Path, rows: Path, tmp_path: Path) -> None:
    predictions = [json.loads(line) for line in (written / "predictions.jsonl").read_text().splitlines()]
    for folder in (written / "attempts").iterdir():
        place = tmp_path / "logs" / "run_evaluation" / RUN / MODEL.replace("/", "__") / folder.name
        place.mkdir(parents=True)
        for name, theirs in {"report.json": "report.json", "test.log": "test_output.txt"}.items():
            if (folder / name).exists():
                shutil.copy(folder / name, place / theirs)
    question = {
        "op": "summary",
        "root": str(tmp_path),
        "run_id": RUN,
        "predictions": {each["instance_id"]: each for each in predictions},
        "rows": [json.loads(line) for line in rows.read_text().splitlines()],
    }
    [summed] = oracle.ask([question])
    # The harness keeps a colon in a file name, which stores of artifacts and some file systems refuse.
    ours = json.loads((written / summed["name"].replace(":", "_")).read_text())
    assert ours == summed["report"]
    assert list(ours) == list(summed["report"])
    assert ours["resolved_ids"] == ["r__r-again", "r__r-good"]
    assert ours["infra_failure_ids"] == ["r__r-bent"]
    assert ours["ambiguous_failure_ids"] == ["r__r-import"]
