"""The page as it is served, while runs go on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_runs

from pytest_swegym.results import ResultStore
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict


Open = Callable[..., Any]
Serve = Callable[..., Any]


def test_what_happens_appears(open_page: Open, serve: Serve, tmp_path: Path) -> None:
    rng = random.Random(1)
    run = tmp_path / "run"
    made_runs.keep(run, made_runs.record_of("calc__calc-1", Verdict.UNRESOLVED, rng), steps=2)
    record = made_runs.record_of("calc__calc-2", Verdict.RESOLVED, rng, steps=3)
    store = ResultStore(root=run)
    with serve(tmp_path) as server:
        page = open_page(server.url)
        page.wait_for_selector(".told:text-is('1 attempt')")

        writer = made_runs.write_trajectory(store.folder(record.key), record, 1, rng=rng)
        page.wait_for_selector("#live:text-is('1 running')")
        page.click("a:text-is('calc__calc-2')")
        page.wait_for_selector(".step[data-step='1']")
        assert page.locator(".step[data-step]").count() == 1
        assert page.is_visible("text=Going on")
        mark = page.locator(".step[data-step='1']")
        mark.evaluate("(node) => { node.mark = 'same'; }")

        writer.step(made_runs.step(2, rng, action="echo the second"))
        page.wait_for_selector(".step[data-step='2']")
        assert page.is_visible("text=echo the second >> nth=0")
        assert mark.evaluate("(node) => node.mark") == "same"

        store.write(record, Grade(verdict=record.verdict, log=made_runs.LOG))
        page.wait_for_selector(".title .v-resolved")
        page.click("#tab-patch")
        assert page.locator(".d-added").count() == 3
        page.keyboard.press("Escape")
        page.wait_for_selector(".told:text-is('2 attempts')")
        page.wait_for_selector(".tile.main b:text-is('50.0%')")

        made_runs.keep(tmp_path / "second", made_runs.record_of("calc__calc-1", Verdict.RESOLVED, rng), steps=1)
        page.wait_for_selector("#compare-link:visible")
        page.wait_for_selector(".told:text-is('3 attempts')")


def test_an_attempt_that_is_made_again_begins_anew(open_page: Open, serve: Serve, tmp_path: Path) -> None:
    rng = random.Random(1)
    record = made_runs.record_of("calc__calc-1", Verdict.RESOLVED, rng)
    folder = ResultStore(root=tmp_path).folder(record.key)
    made_runs.write_trajectory(folder, record, 3, rng=rng)
    with serve(tmp_path) as server:
        page = open_page(f"{server.url}#/attempt/{tmp_path.name}/calc__calc-1")
        page.wait_for_selector(".step[data-step='3']")
        made_runs.write_trajectory(folder, replace(record, started_at=5.0), 1, rng=rng)
        page.wait_for_selector(".step[data-step='3']", state="detached")
        assert page.locator(".step[data-step]").count() == 1


def test_a_search_that_goes_on_shows_its_candidates(open_page: Open, serve: Serve, tmp_path: Path) -> None:
    rng = random.Random(1)
    record = made_runs.record_of("calc__calc-1", Verdict.RESOLVED, rng)
    folder = ResultStore(root=tmp_path).folder(record.key) / "candidates"
    writer = made_runs.write_trajectory(folder / "0", record, 1, rng=rng)
    with serve(tmp_path) as server:
        page = open_page(f"{server.url}#/attempt/{tmp_path.name}/calc__calc-1")
        page.click("#panel > div > .step > summary")
        page.wait_for_selector(".step .step[data-step='1']")
        writer.step(made_runs.step(2, rng))
        page.wait_for_selector(".step .step[data-step='2']")
        made_runs.write_trajectory(folder / "1", record, 1, rng=rng)
        page.wait_for_selector("#panel > div > .step >> nth=1")


def test_a_server_that_went_is_told(open_page: Open, serve: Serve, tmp_path: Path, browser: Any) -> None:
    made_runs.make_run(tmp_path, 1, steps=1)
    # Not through open_page: that the server cannot be reached is an error in the console, and expected here.
    page = browser.new_page()
    with serve(tmp_path) as server:
        page.goto(server.url)
        page.wait_for_selector(".told:text-is('1 attempt')")
    page.wait_for_selector("#live.lost:text-is('the server is gone')")
    page.close()
