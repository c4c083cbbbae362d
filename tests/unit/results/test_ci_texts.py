"""What CI shows of a run cannot be bent by what stands in it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.results import summarize
from pytest_swegym.results.gate import Gate
from pytest_swegym.results.github import SUMMARY_LIMIT
from pytest_swegym.results.github import add_summary
from pytest_swegym.results.github import annotation
from pytest_swegym.results.github import defuse
from pytest_swegym.results.github import place
from pytest_swegym.results.markdown import escape
from pytest_swegym.results.markdown import gate_markdown
from pytest_swegym.results.markdown import run_markdown
from pytest_swegym.results.tally import tally
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


HOSTILE = [
    "a\n::error::forged",
    "a\r::stop-commands::x",
    "a\u2028::add-mask::b",
    "a\x85::debug::x",
    "##[error]forged",
    "a,file=/etc/passwd::b",
    "%0A::error::x",
]
anything = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet=":#[]%,\r\n\x0b\x0c\x1c\x85\u2028 ae"))
WRONG = AttemptRecord(instance_id="a-1", verdict=Verdict.UNRESOLVED, reward=0.0, reasons=("1 of 2 fail",))


def commands(text: str) -> list[str]:
    """What the runner takes for a command: at the start of a line after white space, or ``##[`` anywhere."""
    return [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def unescaped(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


@given(anything, anything, anything, st.integers(1, 9))
def test_an_annotation_is_one_command_with_its_own_fields(message: str, title: str, file: str, line: int) -> None:
    made = annotation("error", message, title="t" + title, file="f" + file, line=line)
    assert len(made.splitlines()) == 1
    assert "##[" not in made
    fields, _, told = made.removeprefix("::error ").partition("::")
    assert re.fullmatch(r"title=t[^,:]*,file=f[^,:]*,line=\d", fields)
    # Read as the runner reads it, the message is still one line.
    assert len(unescaped(told).splitlines()) <= 1


@given(anything)
def test_printed_text_holds_no_command(text: str) -> None:
    assert commands(defuse(text)) == []
    assert len(defuse(text).splitlines()) == len(text.splitlines())


def test_defusing_changes_nothing_else() -> None:
    text = "tests/test_a.py::test_b PASSED\n  a::b\n# [x]\n"
    assert defuse(text) == text
    assert defuse("  ::error::x") == "  : :error::x"
    assert defuse("x ##[group]y") == "x # #[group]y"


def test_annotations_without_a_place() -> None:
    assert annotation("warning", "50%", title="a") == "::warning title=a::50%25"
    assert annotation("error", "x", file=None, line=3) == "::error::x"


def test_places_start_at_the_checkout(tmp_path: Path) -> None:
    environ = {"GITHUB_WORKSPACE": str(tmp_path)}
    assert place(tmp_path / "a" / "b.py", environ) == "a/b.py"
    assert place(tmp_path.parent / "b.py", environ) is None


def test_job_summary_is_added_to(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert add_summary("one", {"GITHUB_STEP_SUMMARY": str(page)})
    assert add_summary("two\udc80", {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text().split() == ["one", "two?"]
    assert not add_summary("three", {})
    assert not add_summary("three", {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "page.md")})


def test_job_summary_has_a_limit(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert add_summary("ä" * SUMMARY_LIMIT, {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.stat().st_size <= SUMMARY_LIMIT
    page.read_text(encoding="utf-8")


@given(st.one_of(anything, st.text(alphabet="\\`*_[]()#|~<>!@$&;:/w.x")))
def test_markdown_shows_text_as_it_is(text: str) -> None:
    from markdown_it import MarkdownIt

    cell = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = cell.parse(f"| a | b |\n| --- | --- |\n| {escape('x' + text)} | z |\n")
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.content for token in inline][-1] == "z", "no new cell, no new row"
    assert len(inline) == 4
    children = inline[2].children or []
    assert {child.type for child in children} <= {"text", "text_special"}, "no markup, no HTML, no link"
    assert not re.search(r"(?<!\\)://", inline[2].content)
    assert "##[" not in inline[2].content


@given(anything)
def test_hostile_reasons_stay_in_their_cell(text: str) -> None:
    record = replace(WRONG, reasons=(text,))
    page = run_markdown(summarize([record]), [record])
    rows = [line for line in page.split("\n") if line.startswith("| a-1 |")]
    assert len(rows) == 1
    assert rows[0].startswith("| a-1 | unresolved | ")
    assert commands(page) == []


def test_page_of_a_run() -> None:
    infra = replace(WRONG, instance_id="b-1", verdict=Verdict.INFRA_ERROR, reward=None, reasons=("no disk",))
    solved = replace(WRONG, instance_id="c-1", verdict=Verdict.RESOLVED, reward=1.0, reasons=())
    records = [WRONG, infra, solved]
    page = run_markdown(summarize(records), records)
    assert "- resolved 1/2 (50.0%), mean reward 0.500" in page
    assert "### Not resolved: 1\n\n| attempt | verdict | reason |\n| --- | --- | --- |\n| a-1 | unresolved |" in page
    assert "### Infra errors, not counted: 1" in page
    assert "| c-1 |" not in page


@pytest.mark.parametrize(("minimum", "title"), [(0.0, "## Gate: passed"), (0.9, "## Gate: failed")])
def test_page_of_a_gate(minimum: float, title: str) -> None:
    solved = replace(WRONG, verdict=Verdict.RESOLVED)
    judged = Gate(fail_under=minimum, baseline=tally([solved])).judge(tally([WRONG]))
    page = gate_markdown(judged)
    assert title in page
    assert "### Lost: 1" in page
    assert "| a-1 | 1/1 | 0/1 | resolved -&gt; unresolved |" in page
