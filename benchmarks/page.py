"""What the page costs with many attempts: ``python benchmarks/page.py [--attempts N] [--steps N] [--runs N]``.

Generates a run, writes its page, and opens it from the disk in Chromium: how long until the table stands (from the
navigation's start), until a search has filtered it, until it is sorted, and until an attempt's steps stand.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

import made_runs
import measure

from pytest_swegym.results.page import PageWriter
from pytest_swegym.results.page import Watch


PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ROW = ".rows tbody tr:not(.gap)"
#: Runs in the page: changes something, and resolves when the browser has painted what came of it.
PAINTED = """async (change) => {
  const begun = performance.now();
  new Function(change)();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""
SEARCH = "const field = document.getElementById('search'); field.value = %s; field.dispatchEvent(new Event('input'));"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = made_runs.make_run(Path(folder) / "run", given.attempts, steps=given.steps)
        figures, size = _written(root), (root / "index.html")
        figures += _watched(root)
        told = {"index.html": size.stat().st_size, "view.js": max(p.stat().st_size for p in root.rglob("view.js"))}
        figures += _opened(root, given.runs)
    print(f"{measure.machine()}; {given.attempts} attempts of {given.steps} steps; bytes: {json.dumps(told)}")
    for figure in figures:
        print(f"{figure.name:44} {figure.median:9.1f} {figure.unit}  (spread {figure.spread:.1f}, {figure.runs} runs)")


def _timed(name: str, call: Any, runs: int = 1) -> measure.Figure:
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    return measure.figure(name, times)


def _written(root: Path) -> list[measure.Figure]:
    writer = PageWriter(root)
    key = sorted(path.name for path in (root / "attempts").iterdir())[0]
    return [
        _timed("all details, and the page, written", writer.conclude),
        _timed("the page written again, nothing changed", lambda: writer.refresh(now=True), 5),
        _timed("details of one attempt written", lambda: writer.attempt_ended(key), 5),
    ]


def _watched(root: Path) -> list[measure.Figure]:
    watch = Watch([root])
    first = _timed("server: first look", watch.changes)
    version = watch.changes()["version"]
    return [first, _timed("server: look, nothing changed", lambda: watch.changes(version), 9)]


def _opened(root: Path, runs: int) -> list[measure.Figure]:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("no Chromium here: install it, the rest needs a browser")
    times: dict[str, list[float]] = {}
    url = (root / "index.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        for number in range(runs + 1):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            for name, value in _visit(page, url, root.name).items():
                if number:  # the first has the browser's own start in it
                    times.setdefault(name, []).append(value)
            page.close()
        browser.close()
    return [measure.figure(name, values) for name, values in times.items()]


def _visit(page: Any, url: str, run: str) -> dict[str, float]:
    page.goto(url)
    page.wait_for_selector(ROW)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    attempt = page.evaluate(
        """async (place) => {
          const begun = performance.now();
          location.hash = place;
          while (!document.querySelector('.step[data-step]')) await new Promise(requestAnimationFrame);
          return performance.now() - begun;
        }""",
        f"#/attempt/{run}/calc__calc-500",
    )
    page.goto(f"{url}#/")
    page.wait_for_selector(ROW)
    return {
        "load: the script is done, the table stands": loaded,
        "load: first paint": painted,
        "search of 1 letter, painted": page.evaluate(PAINTED, SEARCH % "'7'"),
        "search of a name, painted": page.evaluate(PAINTED, SEARCH % "'calc-77'"),
        "search cleared, painted": page.evaluate(PAINTED, SEARCH % "''"),
        "sorted by cost, painted": page.evaluate(PAINTED, "document.querySelector('th.c-cost button').click()"),
        "scrolled to the end, painted": page.evaluate(PAINTED, "scrollTo(0, document.body.scrollHeight)"),
        "an attempt opened, its steps stand": attempt,
    }


if __name__ == "__main__":
    main()
