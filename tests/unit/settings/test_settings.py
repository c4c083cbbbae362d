"""Options, environment, ini and default, in this order; values parsed at the edge."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym import settings as s


def resolved(
    options: dict[str, Any] | None = None, ini: dict[str, Any] | None = None, env: dict[str, str] | None = None
) -> s.Settings:
    return s.resolve(
        lambda entry: (options or {}).get(entry.name),
        lambda entry: (ini or {}).get(entry.name),
        env or {},
        cwd=Path("/cwd"),
        ini_dir=Path("/ini"),
    )


@pytest.mark.parametrize("chosen", [{"reward": "fraction"}, {"reward": "delta"}, {"step-reward": "tests"}])
def test_what_counts_all_tests_is_refused_where_not_all_run(chosen: dict[str, Any]) -> None:
    assert resolved(chosen).fast_fail is False
    with pytest.raises(argparse.ArgumentTypeError, match=r"--swegym-fast-fail: .* choose --swegym-(step-)?reward="):
        resolved({"fast-fail": True, **chosen})
    assert resolved({"fast-fail": True, "reward": "mine:reward", "step-reward": "distance"}).fast_fail


def test_defaults() -> None:
    found = resolved()
    assert found == s.Settings(sources=dict.fromkeys(found.sources, "default"))
    assert set(found.sources) == {entry.name.replace("-", "_") for entry in s.OPTIONS}


def test_first_source_wins_and_is_told() -> None:
    ini, env = {"seed": 1, "jobs": 1, "attempts": 1}, {"SWEGYM_SEED": "2", "SWEGYM_JOBS": "2"}
    found = resolved({"seed": 3}, ini, env)
    assert (found.seed, found.jobs, found.attempts, found.reward) == (3, 2, 1, "resolved")
    assert [found.source(name) for name in ("seed", "jobs", "attempts", "reward")] == [
        "option",
        "environment",
        "ini",
        "default",
    ]


def test_relative_paths_start_where_they_were_written() -> None:
    assert resolved({"output": Path("out")}).output == Path("/cwd/out")
    assert resolved(env={"SWEGYM_OUTPUT": "out"}).output == Path("/cwd/out")
    assert resolved(ini={"output": "out"}).output == Path("/ini/out")
    assert resolved(ini={"output": "/abs"}).output == Path("/abs")


def test_lists_of_tasks(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    found = s.resolve(
        lambda entry: None,
        lambda entry: ["a.jsonl,b/c", "d"] if entry.name == "tasks" else None,
        {},
        cwd=Path("/cwd"),
        ini_dir=tmp_path,
    )
    assert found.tasks == (str(tmp_path / "a.jsonl"), "b/c", "d")


def test_ini_values_are_parsed_and_named() -> None:
    assert resolved(ini={"resume": False}).resume is False
    assert resolved(ini={"fail-under": 0.5}).fail_under == 0.5
    with pytest.raises(
        argparse.ArgumentTypeError, match="ini value swegym_jobs: expected a whole number of at least 1"
    ):
        resolved(ini={"jobs": 0})


def test_as_command_line_arguments() -> None:
    parser = argparse.ArgumentParser()
    for entry in s.OPTIONS:
        s.add_option(parser.add_argument, entry, prefix="")
    found = parser.parse_args(["--tasks=a,b", "--tasks=c", "--resume", "--jobs=2"])
    assert (found.swegym_tasks, found.swegym_resume, found.swegym_jobs) == (("a", "b", "c"), True, 2)
    assert parser.parse_args([]).swegym_tasks is None


def test_defaults_of_options_and_settings_agree() -> None:
    for entry in s.OPTIONS:
        assert getattr(s.Settings(), entry.name.replace("-", "_")) == entry.default


@given(st.text())
def test_any_text_is_a_value_or_a_clear_error(text: str) -> None:
    for entry in s.OPTIONS:
        try:
            entry.parse(text)
        except argparse.ArgumentTypeError:
            continue
        assert text.strip()


@given(st.floats(0, 1))
def test_rates_in_range_are_kept(rate: float) -> None:
    assert s.parse_rate(repr(rate)) == rate


def test_options_page_names_every_option() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "options.md").read_text()
    for entry in s.OPTIONS:
        assert f"`--swegym-{entry.name}`" in page


@pytest.mark.parametrize("text", ["mirror.local:5000", "mirror.local:5000/hub/", "localhost/x", "registry.example"])
def test_a_registry_is_a_host_and_perhaps_a_path(text: str) -> None:
    assert s.option("registry").parse(text) == text.rstrip("/")


@pytest.mark.parametrize("text", ["https://mirror.local", "user:secret@mirror.local:5000", "mirror", "team/image", ""])
def test_a_registry_has_no_scheme_no_login_and_a_host(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        s.option("registry").parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["-1", "much", "nan", "inf"])
def test_a_disk_budget_is_a_number(text: str) -> None:
    assert s.option("disk-budget").parse("1.5") == 1.5
    with pytest.raises(argparse.ArgumentTypeError, match="GiB"):
        s.option("disk-budget").parse(text)


def test_the_home_of_nobody_is_no_path() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="home of nobody"):
        s.parse_path("~no-such-user/x")
