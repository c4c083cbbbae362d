"""Whatever a run says is shown as text, wherever it stands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_runs
import pytest

from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict
from pytest_swegym.trajectory import TRAJECTORY


Open = Callable[..., Any]

SCRIPT = "</script><script>window.owned=1</script><img src=x onerror='window.owned=1'><!--"
LINK = "javascript:window.owned=1"
NASTY = f"{SCRIPT} {LINK} \x1b[31mred\x1b[0m\x1b]0;title\x07 \u202eesrever\u202c \ud83d \x00 </textarea> ]]>"
SHOWN = "</script><script>window.owned=1</script>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which every text is hostile; the folder of its attempt has a harmless name."""
    root = tmp_path_factory.mktemp("hostile")
    patch = f"diff --git a/{SCRIPT} b/{SCRIPT}\n--- a/x\n+++ b/{SCRIPT}\n@@ -1 +1 @@ {SCRIPT}\n-{NASTY}\n+{NASTY}\n"
    record = made_runs.record_of(
        "calc__calc-1",
        Verdict.UNRESOLVED,
        random.Random(1),
        solver=NASTY,
        patch=patch.replace("\ud83d", ""),
        fail_to_pass={NASTY: Outcome.FAILED},
        reasons=(NASTY,),
        error=NASTY,
        error_stage=NASTY,
        environment=NASTY,
        stages={NASTY: 1.0, "__proto__": 2.0},
        tags=(NASTY,),
        extra={
            "usage": {"prompt_tokens": "</script>", "cost": NASTY},
            "candidates": [{"number": NASTY, "error": NASTY}, NASTY],
            "__proto__": {"owned": 1},
        },
    )
    log = NASTY.encode("utf-8", "replace") + b"\n\xff\xfe\x80 invalid \xc3(\n" + b"x" * 150_000 + b"\nthe last line\n"
    message = {"role": "assistant", "content": NASTY, "tool_calls": NASTY}
    seen = {"text": NASTY + "y" * 300_000, "output": "", "diff": patch, "step": 1, "notice": NASTY}
    more = {"kind": NASTY, "ending": NASTY, "player": {"message": message, "model": NASTY, "usage": NASTY}}
    folder = made_runs.keep(root, record, steps=1, log=log, action=NASTY, observation=seen, **more)
    with (folder / TRAJECTORY).open("ab") as file:
        file.write(json.dumps({"event": "note", "retry": {"error": NASTY, "status": NASTY}}).encode() + b"\n")
        file.write(json.dumps({"event": NASTY, NASTY: NASTY}).encode() + b"\n[1]\n{not json\n")
    # Fields that a record of ours checks when it is made, but not when it is read.
    data = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**data, "instance_id": NASTY, "sandbox": NASTY}))
    (folder / "population.json").write_text(json.dumps({"generations": [NASTY, [{"fitness": 1, "prompt": NASTY}]]}))
    (folder / "view.js").unlink(missing_ok=True)
    made_runs.show(root)
    return root


@pytest.mark.parametrize("where", ["disk", "server"])
def test_hostile_text_is_text(
    open_page: Open, url: Callable[..., str], serve: Callable[..., Any], hostile: Path, where: str
) -> None:
    if where == "disk":
        look(open_page(url(hostile)), hostile.name)
    else:
        with serve(hostile) as server:
            page = open_page(server.url)
            look(page, hostile.name)
            page.goto("about:blank")


def look(page: Any, run: str) -> None:
    """Every place that shows what a run says."""
    page.wait_for_selector(".rows tbody tr:not(.gap)")
    row = page.text_content(".rows tbody tr:not(.gap)")
    assert SHOWN in row
    assert "\u202e" not in row
    assert "\u27e8U+202E\u27e9esrever" in row
    assert "\u2400" in row
    page.click(".c-instance a")
    page.wait_for_selector(".step[data-step]")
    assert SHOWN in page.text_content("h1")
    steps = page.text_content("#panel")
    assert steps.count(SHOWN) > 4
    assert "characters left out here" in steps
    assert "2 lines of the trajectory cannot be read" in steps
    assert "\x1b" not in steps
    for tab, place in {"patch": ".d-removed .code", "tests": ".tests tbody", "record": ".record"}.items():
        page.click(f"#tab-{tab}")
        assert SHOWN in page.text_content(place), tab
    page.click("#tab-candidates")
    page.click("#panel .card summary")
    assert SHOWN in page.text_content("#panel")
    page.click("#tab-log")
    log = page.text_content(".log")
    assert log.endswith("the last line\n")
    assert "\ufffd\ufffd\ufffd invalid \ufffd(" in log
    page.goto(f"{page.url.split('#')[0]}#/compare?a={run}&b={run}")
    page.goto(f"{page.url.split('#')[0]}#/attempt/{SCRIPT.replace('/', '%2F')}/x?tab={SCRIPT}")
    page.wait_for_selector("text=There is no such attempt here")
    assert page.evaluate("window.owned") is None
    assert page.evaluate("({}).owned") is None
