"""A real browser for the page: the system's Chromium, one for the session."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import made_runs
import pytest

from pytest_swegym.results.page import Watch
from pytest_swegym.results.page.folders import RunFolder
from pytest_swegym.results.page.server import PageServer
from pytest_swegym.results.page.watch import Rows
from pytest_swegym.results.page.writer import write_index
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import Verdict


if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
#: Milliseconds that anything on the page may take to appear, on a busy machine.
PATIENCE = 20_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; a skip where there is none, or a failure where ``SWEGYM_REQUIRE`` names it."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        reason = "chromium: no program of that name, or no playwright to drive it"
        (pytest.fail if required("chromium") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; whatever they did, none has asked for anything from elsewhere, or failed in its script."""
    contexts, told = [], []

    def open_it(url: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        here = ("file:", "data:", "blob:", "/".join(url.split("/")[:3]))
        page.on("request", lambda request: request.url.startswith(here) or told.append(f"asked for {request.url}"))
        page.on("pageerror", lambda error: told.append(f"script: {error}"))
        page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: (told.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert told == []


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs of the same instances, with a page of both."""
    folder = tmp_path_factory.mktemp("runs")
    made_runs.make_run(folder / "before", 20, seed=1, steps=6)
    made_runs.make_run(folder / "after", 20, seed=2, steps=6, weights=(8, 3, 1, 1, 0), solver="best_of:4:openai:tiny")
    made_runs.show(folder)
    made_runs.show(folder / "before")
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of a thousand attempts, of which there is nothing but the records."""
    root = tmp_path_factory.mktemp("many")
    rng = random.Random(7)
    for number in range(1000):
        verdict = Verdict.RESOLVED if number % 4 == 0 else Verdict.UNRESOLVED
        record = made_runs.record_of(f"pallets__flask-{number}", verdict, rng)
        (root / "attempts" / record.key).mkdir(parents=True)
        (root / "attempts" / record.key / "record.json").write_text(json.dumps(record.to_dict()))
    write_index(root, [RunFolder(root=root, name="many")], Rows())
    return root


@contextmanager
def serving(*folders: Path) -> Iterator[PageServer]:
    """The page of ``folders``, served."""
    with PageServer(Watch(folders), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def serve() -> Callable[..., Any]:
    return serving


def url_of(folder: Path, place: str = "") -> str:
    return (folder / "index.html").as_uri() + place


@pytest.fixture(scope="session")
def url() -> Callable[..., str]:
    return url_of
