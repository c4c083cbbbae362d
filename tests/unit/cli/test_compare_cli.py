"""swegym compare: two agents side by side, more than two, and the same for programs and for pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.__main__ import main
from pytest_swegym.results import ResultStore
from pytest_swegym.results import summarize
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Usage
from pytest_swegym.task import Verdict


R, U, I = Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.INFRA_ERROR  # noqa: E741


def record(name: str, verdict: Verdict, *, cost: float | None = 0.5, steps: int = 4, **fields: Any) -> AttemptRecord:
    usage = Usage(requests=steps, prompt_tokens=1000 * steps, completion_tokens=10 * steps, cost=cost)
    extra = {"steps": steps, "ending": fields.pop("ending", "submit"), "usage": usage.to_dict()}
    reward = None if verdict is I else float(verdict is R)
    return AttemptRecord(
        instance_id=name, verdict=verdict, reward=reward, patch="x", extra=extra, stages={"solve": 2.0}, **fields
    )


def keep(folder: Path, *records: AttemptRecord) -> str:
    store = ResultStore(root=folder)
    for each in records:
        store.write(each)
    (folder / "summary.json").write_text(json.dumps(summarize(records).to_dict()))
    return str(folder)


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    first = [record("i1", R, solver="one"), record("i2", R, solver="one"), record("i3", U, solver="one")]
    second = [
        record("i1", R, cost=0.25, steps=2, solver="two"),
        record("i2", U, cost=1.0, steps=9, solver="two", ending="cost"),
        record("i3", R, cost=0.1, solver="two"),
        record("i4", I, cost=0.0, solver="two"),
    ]
    third = [record("i1", Verdict.INVALID_PATCH, cost=None), record("i2", R, cost=None), record("i3", R, cost=None)]
    names = ("a", "b", "c")
    return [keep(tmp_path / name, *found) for name, found in zip(names, (first, second, third), strict=True)]


def columns(text: str, start: str) -> list[str]:
    """The cells of the line that begins with ``start``, however wide the columns are."""
    line = next(line for line in text.splitlines() if line.strip().startswith(start))
    return [cell for cell in line.strip().split("  ") if cell.strip()]


def test_two_agents_side_by_side(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs[:2], "--all"]) == 0
    text = capsys.readouterr().out
    assert f"A: {runs[0]} (one): resolved 2/3 (66.7%)" in text
    assert "(two): resolved 2/3 (66.7%) (95% interval 20.8% to 93.9%), infra errors 1" in text
    cells = [cell.strip() for cell in columns(text[text.index("lost: 1") :], "i2")]
    assert cells[:4] == ["i2", "1/1", "0/1", "resolved -> unresolved"]
    assert cells[4:] == ["1.00 | 0.00", "4 | 9", "4,040 | 9,090", "0.50 | 1.00", "2.0 | 2.0"]
    assert "gained: 1" in text
    assert "same: 1" in text
    totals = text[text.index("what it took") :]
    assert [cell.strip() for cell in columns(totals, "cost per resolved instance")[1:]] == ["0.75", "0.68"]
    assert [cell.strip() for cell in columns(totals, "requests")[1:]] == ["12", "19"]
    failed = text[text.index("why attempts failed") :]
    for reason, counts in {"infra": ["0", "1"], "budget": ["0", "1"], "wrong": ["1", "0"]}.items():
        assert [cell.strip() for cell in columns(failed, reason)[1:]] == counts
    assert "only in the later run, not compared: i4" in text


def test_a_cost_that_is_not_known_is_not_shown(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", runs[2], runs[2], "--all"]) == 0
    text = capsys.readouterr().out
    assert "  cost" not in text
    assert "  median steps" in text


def test_more_than_two_are_held_against_the_first(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs]) == 0
    text = capsys.readouterr().out
    assert "not the same in all runs: 4" in text
    assert [cell.strip() for cell in columns(text, "i1")] == ["i1", "1/1", "1/1", "0/1 does not apply"]
    assert [cell.strip() for cell in columns(text, "i4")] == ["i4", "-", "0/0 infra", "-"]
    assert "\nB against A:\nresolved 66.7% -> 66.7%" in text
    assert "\nC against A:\n" in text


def test_another_reason_alone_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [keep(tmp_path / end, record("i1", U, ending=end)) for end in ("steps", "submit", "cost")]
    assert main(["compare", *runs, "--all"]) == 0
    text = capsys.readouterr().out
    assert "not the same in all runs" not in text
    same = columns(text[text.index("same: 1") :], "i1")
    assert [cell.strip() for cell in same] == ["i1", "0/1 budget", "0/1 wrong", "0/1 budget"]


def test_for_programs(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs, "--format=json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "swegym.comparison/1"
    assert [run["spent"]["cost_per_resolved"] for run in told["runs"]] == [0.75, 0.675, None]
    assert [run["failures"] for run in told["runs"]] == [{"wrong": 1}, {"infra": 1, "budget": 1}, {"does not apply": 1}]
    assert [(found["lost"], found["gained"]) for found in told["comparisons"]] == [(["i2"], ["i3"]), (["i1"], ["i3"])]
    second = told["instances"][1]
    assert (second["instance_id"], second["changes"]) == ("i2", ["lost", "same"])
    assert second["runs"][1] == {
        "verdicts": {"unresolved": 1}, "resolved": 0, "graded": 1, "reward": 0.0, "steps": 9, "tokens": 9090,
        "cost": 1.0, "seconds": 2.0, "failures": {"budget": 1},
    }  # fmt: skip
    assert told["instances"][3]["runs"][0] is None


def test_for_pages_hostile_names_are_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "<b>|\x1b[31m"
    folders = [keep(tmp_path / "a", record("x", R, solver=bad)), keep(tmp_path / "b", record("x", U, solver=bad))]
    assert main(["compare", *folders, "--format=markdown"]) == 0
    page = capsys.readouterr().out
    assert "### lost: 1" in page
    assert "### why attempts failed" in page
    assert "&lt;b&gt;\\|" in page
    assert main(["compare", *folders]) == 0
    assert "\x1b" not in page + capsys.readouterr().out


def test_summaries_tell_less(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    summaries = [f"{run}/summary.json" for run in runs[:2]]
    assert main(["compare", *summaries]) == 0
    text = capsys.readouterr().out
    assert [cell.strip() for cell in columns(text, "cost per resolved instance")[1:]] == ["0.75", "0.68"]
    assert [cell.strip() for cell in columns(text, "budget")[1:]] == ["0", "1"]
    assert [cell.strip() for cell in columns(text[text.index("lost: 1") :], "i2")] == [
        "i2", "1/1", "0/1", "resolved -> unresolved",
    ]  # fmt: skip


def test_a_summary_from_before_there_was_a_cost(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(runs[0]) / "summary.json"
    old = {name: value for name, value in json.loads(path.read_text()).items() if name not in ("spent", "failures")}
    path.write_text(json.dumps(old))
    assert main(["compare", str(path), runs[1]]) == 0
    assert [cell.strip() for cell in columns(capsys.readouterr().out, "cost per resolved instance")[1:]] == [
        "-",
        "0.68",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        {"spent": {"cost_per_attempt": "free"}},
        {"failures": {"wrong": 3}},
        {"failures": {"wrong": {"count": -1}}},
        {"failures": []},
    ],
)
def test_a_damaged_summary_is_named(runs: list[str], damage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(runs[0]) / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    status = main(["compare", str(path), runs[1]])
    assert (status, "summary.json" in capsys.readouterr().err) == (
        (0, False) if damage == {"failures": []} else (4, True)
    )


def test_a_loss_of_any_later_run_counts(tmp_path: Path) -> None:
    good, bad = ([record(f"i{n}", verdict) for n in range(8)] for verdict in (R, U))
    folders = [keep(tmp_path / "a", *good), keep(tmp_path / "b", *good), keep(tmp_path / "c", *bad)]
    assert main(["compare", *folders[:2]]) == 0
    assert main(["compare", *folders]) == 1
    assert main(["compare", *folders, "--format=json"]) == 1
    assert main(["compare", folders[0], keep(tmp_path / "d", record("z", R))]) == 5
