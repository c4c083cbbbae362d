"""Records on disk, predictions, the summary and its words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.errors import ConfigError
from pytest_swegym.results import ResultStore
from pytest_swegym.results import summarize
from pytest_swegym.results import write_predictions
from pytest_swegym.results.statistics import Interval
from pytest_swegym.results.statistics import wilson
from pytest_swegym.results.text import explain
from pytest_swegym.results.text import log_tail
from pytest_swegym.results.text import outcome_table
from pytest_swegym.results.text import summary_lines
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


RECORD = AttemptRecord(
    instance_id="calc-1",
    solver="gold",
    verdict=Verdict.RESOLVED,
    reward=1.0,
    patch="a \udc80 patch\n",
    fail_to_pass={"t::a": Outcome.PASSED},
    stages={"solve": 1.5, "grade": 0.5},
)
WRONG = replace(
    RECORD,
    instance_id="calc-2",
    verdict=Verdict.UNRESOLVED,
    reward=0.0,
    fail_to_pass={"t::a": Outcome.PASSED, "t::b": Outcome.FAILED},
    reasons=("1 of 2 fail",),
)
INFRA = replace(RECORD, instance_id="calc-3", verdict=Verdict.INFRA_ERROR, reward=None, reasons=("no disk",))


def test_store_reads_back_what_it_wrote(tmp_path: Path) -> None:
    store = ResultStore(root=tmp_path)
    grade = Grade(verdict=Verdict.RESOLVED, junit_xml=b"<xml/>", log=b"\xff log", fail_to_pass=RECORD.fail_to_pass)
    folder = store.write(RECORD, grade)
    names = ["junit.xml", "patch.diff", "record.json", "report.json", "test.log"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert store.read("calc-1") == RECORD
    found = store.grade(RECORD)
    assert (found.junit_xml, found.log, found.fail_to_pass) == (b"<xml/>", b"\xff log", RECORD.fail_to_pass)
    assert store.read("calc-9") is None


def test_secrets_stay_in_the_patch_alone(tmp_path: Path) -> None:
    key = "ghp" + "_Zq8wT3vN1mK7pR5yB2cX9dF4gH6jL0sAeUiO"
    record = replace(WRONG, reasons=(key,), error=f"raised {key}", extra={"deep": [{"said": key}]}, patch=f"+{key}\n")
    folder = ResultStore(root=tmp_path).write(record)
    found = ResultStore(root=tmp_path).read(record.key)
    shown = "[redacted: GitHub token]"
    assert found == replace(record, reasons=(shown,), error=f"raised {shown}", extra={"deep": [{"said": shown}]})
    assert (folder / "patch.diff").read_text() == f"+{key}\n"


def test_store_forgets_what_an_earlier_attempt_left(tmp_path: Path) -> None:
    store = ResultStore(root=tmp_path)
    store.write(RECORD, Grade(verdict=Verdict.RESOLVED, junit_xml=b"<xml/>"))
    folder = store.write(replace(RECORD, patch=""))
    assert [path.name for path in folder.iterdir()] == ["record.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "swegym.attempt/1"}', "[" * 100_000])
def test_damaged_record_is_named_and_left_out(tmp_path: Path, text: str) -> None:
    store = ResultStore(root=tmp_path)
    store.write(WRONG)
    path = store.write(RECORD) / "record.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"record\.json: "):
        store.read("calc-1")
    assert list(store.records()) == [WRONG]


def test_predictions_show_first_attempts(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    records = [replace(RECORD, attempt=1, patch="second"), replace(RECORD, patch="first"), WRONG, INFRA]
    assert write_predictions(path, records) == 2
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["instance_id"], row["model_patch"]) for row in rows] == [
        ("calc-1", "first"),
        ("calc-2", WRONG.patch),
    ]
    assert {row["model_name_or_path"] for row in rows} == {"gold"}


def test_summary_leaves_infra_errors_out_of_the_score() -> None:
    summary = summarize([RECORD, WRONG, INFRA])
    assert (summary.attempts, summary.tasks, summary.graded, summary.resolved) == (3, 3, 2, 1)
    assert (summary.rate, summary.mean_reward) == (0.5, 0.5)
    assert summary.verdicts == {"resolved": 1, "unresolved": 1, "infra_error": 1}
    assert summary.infra_errors == ["calc-3"]
    assert summary.seconds == {"solve": 4.5, "grade": 1.5}
    assert summary.reasons == (("1 of 2 fail", 1),)
    json.dumps(summary.to_dict())
    text = "\n".join(summary_lines(summary))
    assert "resolved 1/2 (50.0%), mean reward 0.500" in text
    assert "infra errors, not counted above: 1 (calc-3)" in text


@pytest.mark.parametrize(("record", "interval"), [(RECORD, wilson(4, 4)), (WRONG, wilson(0, 4))])
def test_attempts_that_all_came_to_the_same_count_as_one_per_task(record: AttemptRecord, interval: Interval) -> None:
    alike = [replace(record, instance_id=f"calc-{task}", attempt=number) for task in range(4) for number in range(4)]
    assert summarize(alike).interval == interval


def test_summary_of_nothing_graded() -> None:
    summary = summarize([INFRA])
    assert (summary.rate, summary.mean_reward) == (None, None)
    assert next(summary_lines(summary)) == "resolved 0/0: none of 1 attempts was graded"


def test_pass_at_k_averages_over_tasks_tried_often_enough() -> None:
    records = [RECORD, replace(WRONG, instance_id="calc-1", attempt=1), WRONG, replace(INFRA, instance_id="calc-2")]
    assert summarize(records).pass_at == {1: 0.25, 2: 1.0}


def test_words_of_a_record() -> None:
    assert explain(RECORD) == "calc-1: resolved, 1/1 FAIL_TO_PASS"
    assert explain(WRONG) == "calc-2: unresolved, 1/2 FAIL_TO_PASS: 1 of 2 fail"
    named = replace(WRONG, reasons=("FAIL_TO_PASS: 1 of 2 do not pass: a (failed)",))
    assert explain(named) == "calc-2: unresolved, 1/2 FAIL_TO_PASS: 1 of 2 do not pass: a (failed)"
    assert outcome_table(WRONG).splitlines() == [
        "FAIL_TO_PASS: 1 of 2 hold",
        "  failed   t::b",
        "reason: 1 of 2 fail",
    ]


@given(st.binary(max_size=500))
def test_log_tail_holds_no_control_characters(log: bytes) -> None:
    assert all(char.isprintable() or char in "\n\t" for char in log_tail(log))


def test_log_tail_is_the_end() -> None:
    log = "".join(f"line {number}\n" for number in range(100_000)).encode()
    assert log_tail(log, lines=2) == "line 99998\nline 99999"


def test_patches_that_edit_tests_are_named() -> None:
    patch = "--- a/tests/test_calc.py\n+++ b/tests/test_calc.py\n@@ -1 +1 @@\n-assert False\n+assert True\n"
    edits = replace(WRONG, patch=patch, protect="off")
    summary = summarize([RECORD, edits])
    assert summary.test_edits == ["calc-2"]
    assert summary.to_dict()["test_edits"] == ["calc-2"]
    assert "patches that edit tests: 1 (calc-2)" in summary_lines(summary)
    assert "the patch edits tests: tests/test_calc.py" in outcome_table(edits).splitlines()
