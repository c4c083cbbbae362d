"""Attempts in the schema of the SWE-bench harness, and what is told where its verdict is not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_swegym.results import ResultStore
from pytest_swegym.results import summarize
from pytest_swegym.results import write_run_reports
from pytest_swegym.results.harness import RunEntry
from pytest_swegym.results.harness import path_name
from pytest_swegym.results.harness import record_entry
from pytest_swegym.results.harness import record_report
from pytest_swegym.results.harness import run_report
from pytest_swegym.results.text import explain
from pytest_swegym.results.text import summary_lines
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Compat
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


RECORD = AttemptRecord(
    instance_id="r-1",
    solver="a/b.py:solve",
    verdict=Verdict.UNRESOLVED,
    patch="diff",
    fail_to_pass={"t::a": Outcome.SKIPPED, "t::b": Outcome.XFAILED},
    pass_to_pass={"t::c": Outcome.SKIPPED, "t::d": Outcome.XPASSED},
)
AGREES = Compat(profile="pytest", gradeable=True, resolved=False)
RESOLVED = Compat(profile="pytest", gradeable=True, resolved=True)
CUT = Compat(profile="pytest", gradeable=False, resolved=False, reason="the tests timed out")


def test_report_follows_our_verdict_in_the_harness_schema() -> None:
    report = record_report(RECORD)
    assert report is not None
    assert list(report["r-1"]) == [
        "patch_is_None", "patch_exists", "patch_successfully_applied", "resolved", "infra_failure", "tests_status"
    ]  # fmt: skip
    found = report["r-1"]["tests_status"]
    assert found["FAIL_TO_PASS"] == {"success": ["t::b"], "failure": ["t::a"]}
    assert found["PASS_TO_PASS"] == {"success": ["t::c"], "failure": ["t::d"]}
    assert found["FAIL_TO_FAIL"] == found["PASS_TO_FAIL"] == {"success": [], "failure": []}


def test_what_was_tampered_with_is_not_graded() -> None:
    report = record_report(replace(RECORD, verdict=Verdict.TAMPERED, compat=RESOLVED), b"no tests ran\n")
    assert report == {
        "r-1": {
            "patch_is_None": False,
            "patch_exists": True,
            "patch_successfully_applied": False,
            "resolved": False,
            "infra_failure": False,
            "infra_failure_reason": "no_tests_collected",
        }
    }


@pytest.mark.parametrize(
    ("verdict", "patch", "state"),
    [
        (Verdict.RESOLVED, "diff", "resolved"),
        (Verdict.UNRESOLVED, "diff", "unresolved"),
        (Verdict.TAMPERED, "diff", "unresolved"),
        (Verdict.UNRESOLVED, "", "empty_patch"),
        (Verdict.INVALID_PATCH, "diff", "error"),
        (Verdict.TIMEOUT, "diff", "error"),
        (Verdict.SOLVER_ERROR, "", "empty_patch"),
        (Verdict.INFRA_ERROR, "", None),
    ],
)
def test_every_verdict_has_its_place(verdict: Verdict, patch: str, state: str | None) -> None:
    record = replace(RECORD, verdict=verdict, patch=patch)
    entry = record_entry(record)
    assert (entry.state if entry else None) == state
    assert (record_report(record) is not None) is (state in ("resolved", "unresolved"))


def test_run_report_counts_each_instance_once() -> None:
    entries = [
        RunEntry(instance_id="b", state="error", sign=("out_of_memory", True)),
        RunEntry(instance_id="a", state="resolved", sign=("missing_module", False)),
        RunEntry(instance_id="b", state="resolved"),
        RunEntry(instance_id="c", state="unresolved", sign=("missing_module", False)),
    ]
    report = run_report(entries, ["a", "b", "c", "d"])
    assert (report["total_instances"], report["submitted_instances"], report["completed_instances"]) == (4, 3, 2)
    assert (report["resolved_ids"], report["error_ids"], report["incomplete_ids"]) == (["a"], ["b"], ["d"])
    assert (report["infra_failure_ids"], report["ambiguous_failure_ids"]) == (["b"], ["c"])
    assert report["failure_reasons"] == {"b": "out_of_memory", "c": "missing_module"}


def test_one_summary_for_each_solver(tmp_path: Path) -> None:
    other = replace(RECORD, solver="gold", instance_id="r-2", verdict=Verdict.RESOLVED)
    store = ResultStore(root=tmp_path / "run")
    for record in (RECORD, other):
        store.write(record)
    write_run_reports(store.root, [RECORD, other], store.log)
    found = {path.name: json.loads(path.read_text()) for path in store.root.glob("*.json")}
    assert set(found) == {"a__b.py_solve.run.json", "gold.run.json"}
    assert found["gold.run.json"]["resolved_ids"] == ["r-2"]
    assert found["gold.run.json"]["incomplete_ids"] == ["r-1"]
    assert json.loads((store.folder("r-2") / "report.json").read_text())["r-2"]["resolved"]


@pytest.mark.parametrize(
    ("model", "name"),
    [("a/b", "a__b"), ("a\nb", "a_b"), ("", "None"), ("..", "_"), (".", "_"), ('a:b"<>|*?\\c', "a_b_______c")],
)
def test_a_model_is_one_part_of_a_path(model: str, name: str) -> None:
    assert path_name(model) == name


def test_disagreements_are_listed() -> None:
    records = [
        replace(RECORD, compat=AGREES),
        replace(RECORD, instance_id="r-2", verdict=Verdict.TAMPERED, compat=RESOLVED),
        replace(RECORD, instance_id="r-3", verdict=Verdict.RESOLVED, compat=CUT),
        replace(RECORD, instance_id="r-4"),
    ]
    summary = summarize(records)
    assert (summary.judged, summary.harness_resolved) == (3, 1)
    assert summary.to_dict()["harness"]["disagreements"] == [
        {"attempt": "r-2", "verdict": "tampered", "harness": "resolved"},
        {"attempt": "r-3", "verdict": "resolved", "harness": "not gradeable: the tests timed out"},
    ]
    lines = list(summary_lines(summary))
    assert "SWE-bench harness: resolved 1/3, other verdicts than ours: 2" in lines
    assert "  r-2: tampered, harness: resolved" in lines
    assert "the SWE-bench harness would say resolved" in explain(records[1])
    assert [record.to_dict()["disagrees"] for record in records] == [False, True, True, False]
    assert AttemptRecord.from_dict(records[1].to_dict()) == records[1]


def test_nothing_is_said_of_the_harness_where_it_was_not_asked() -> None:
    assert not any("harness" in line for line in summary_lines(summarize([RECORD])))
