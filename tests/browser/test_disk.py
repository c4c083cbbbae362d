"""The page as it opens from a disk, driven as a user would."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_runs
import pytest

from pytest_swegym.results.compare import compare
from pytest_swegym.results.store import ResultStore
from pytest_swegym.results.tally import load_tally
from pytest_swegym.task import Verdict


ROWS = ".rows tbody tr:not(.gap)"
Open = Callable[..., Any]
Url = Callable[..., str]


@pytest.fixture(scope="module")
def blank(browser: Any, url: Url, two_runs: Path) -> Iterator[Any]:
    """A page whose functions may be called."""
    page = browser.new_page()
    page.goto(url(two_runs / "before"))
    yield page
    page.close()


def test_filters_and_sorting_keep_their_state_in_the_address(open_page: Open, url: Url, two_runs: Path) -> None:
    records = list(ResultStore(root=two_runs / "before").records())
    resolved = sum(record.resolved for record in records)
    page = open_page(url(two_runs / "before"))
    assert page.text_content(".told") == "20 attempts"
    assert page.text_content(".tile.main small").startswith(f"{resolved} of ")

    page.click(".chip:has-text('resolved') >> nth=0")
    assert page.text_content(".told") == f"{resolved} of 20 attempts"
    page.click("th.c-cost button")
    page.click("th.c-cost button")
    assert page.get_attribute("th.c-cost", "aria-sort") == "descending"
    costs = [float(text) for text in page.locator(f"{ROWS} td.c-cost").all_text_contents()]
    assert costs == sorted(costs, reverse=True)

    page.reload()
    assert page.text_content(".told") == f"{resolved} of 20 attempts"
    assert page.get_attribute("th.c-cost", "aria-sort") == "descending"
    page.fill("#search", "nothing like this")
    assert page.is_visible("text=No attempt fits these filters")


def test_an_attempt_shows_all_that_happened(open_page: Open, url: Url, two_runs: Path) -> None:
    records = ResultStore(root=two_runs / "before").records()
    record = next(record for record in records if record.verdict.value == "unresolved")
    page = open_page(url(two_runs / "before"))
    page.fill("#search", record.instance_id)
    page.click(f"{ROWS} a:text-is('{record.instance_id}')")

    assert page.text_content("h1") == record.instance_id
    assert page.locator(".step[data-step]").count() == 6
    assert page.is_visible("text=I look at part 2 of the module first.")
    assert page.is_visible("text=grep -n 'def part_2' -r src >> nth=0")
    assert page.is_visible("text=The server was asked again after 2.0 s")
    assert page.is_visible("text=Invalid reply 1: no action in it")
    assert page.locator("svg[aria-label^='Reward over steps']").count() == 1

    page.click("#tab-patch")
    assert page.locator(".d-added .code").first.text_content() == "    # The sum, not the difference."
    assert page.locator(".file > summary code").all_text_contents() == ["src/calc.py", "README.md"]
    # Lines of the text that look like a header are text.
    assert "-- a line that looks like a header" in page.locator(".d-removed .code").all_text_contents()

    page.click("#tab-tests")
    assert page.locator(".tests tbody tr").count() == 13
    page.check("#failing")
    assert page.locator(".tests tbody tr").all_text_contents() == ["F2Pfailedtests/test_calc.py::test_add"]

    page.click("#tab-log")
    assert page.text_content(".log").endswith("test_calc.py .F.\n")
    assert page.locator(".log .ansi-1").all_text_contents() == ["F"]
    page.uncheck("text=wrap lines")
    assert "wrap" not in page.get_attribute(".log", "class").split()

    page.click("#tab-record")
    assert page.is_visible("text=Python 3.11, built")
    assert page.locator("a[download='record.json']").count() == 1


def test_a_search_that_chose_nothing_opens_on_its_candidates(open_page: Open, url: Url, tmp_path: Path) -> None:
    record = made_runs.record_of("calc__calc-1", Verdict.UNRESOLVED, random.Random(1), patch="", tree="ab12", extra={})
    folder = ResultStore(root=tmp_path).write(record)
    made_runs.write_trajectory(folder / "candidates" / "0", record, 2, rng=random.Random(1))
    still = made_runs.record_of("calc__calc-2", Verdict.UNRESOLVED, random.Random(1), extra={"steps": 0})
    ResultStore(root=tmp_path).write(still)
    made_runs.show(tmp_path)
    page = open_page(url(tmp_path, f"#/attempt/{tmp_path.name}/calc__calc-1"))
    assert page.get_attribute("#tab-candidates", "aria-selected") == "true"
    facts = dict(zip(*(page.locator(f".factlist {name}").all_text_contents() for name in ("dt", "dd")), strict=True))
    assert (facts["Patch"], facts["Run"], facts.get("Steps")) == ("a whole tree", tmp_path.name, None)
    page.click("#tab-patch")
    assert page.is_visible("text=A whole tree was handed in (tree.tar.gz)")
    page.goto(url(tmp_path, "#/"))
    assert sorted(page.locator(f"{ROWS} td.c-steps").all_text_contents()) == ["0", "\u2013"]


def test_two_runs_are_compared(open_page: Open, url: Url, two_runs: Path) -> None:
    found = compare(load_tally(two_runs / "before"), load_tally(two_runs / "after"))
    page = open_page(url(two_runs))
    assert page.locator("svg[aria-label^='Resolved rate by run']").count() == 1
    page.click("#compare-link")
    page.select_option("select[aria-label='Run A']", "before")
    page.select_option("select[aria-label='Run B']", "after")
    shown = dict(
        zip(page.locator(".tile dt").all_text_contents(), page.locator(".tile b").all_text_contents(), strict=True)
    )
    assert shown["Lost"] == str(len(found.lost))
    assert shown["Gained"] == str(len(found.gained))
    assert shown["Same"] == str(len(found.same))
    lost = page.locator(".change-lost .name").all_text_contents()
    assert set(lost) == {change.instance_id for change in found.lost}
    page.click(".change-lost a >> nth=0")
    page.wait_for_selector(f"h1:text-is('{lost[0]}')")


def test_the_keyboard_is_enough(open_page: Open, url: Url, two_runs: Path) -> None:
    page = open_page(url(two_runs / "before"))
    for key in ("j", "j", "k", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    chosen = "calc__calc-2"
    page.wait_for_selector(f"h1:text-is('{chosen}')")
    page.keyboard.press("2")
    page.wait_for_selector(".diffs")
    page.keyboard.press("]")
    page.wait_for_selector("h1:text-is('calc__calc-3')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#search")
    page.keyboard.press("/")
    page.keyboard.type("calc-17")
    assert page.text_content(".told") == "1 of 20 attempts"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.text_content(".told") == "20 attempts"
    page.keyboard.press("?")
    assert page.is_visible("#keys h2")
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys h2")


def test_dark_and_light(open_page: Open, url: Url, two_runs: Path) -> None:
    page = open_page(url(two_runs / "before"), color_scheme="dark")

    def brightness() -> int:
        return sum(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))

    assert brightness() < 150
    page.keyboard.press("t")
    assert brightness() > 600
    page.reload()
    assert brightness() > 600


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(open_page: Open, url: Url, two_runs: Path, scheme: str) -> None:
    page = open_page(url(two_runs / "before"), color_scheme=scheme)
    found = page.evaluate(CONTRAST)
    assert found
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


def test_a_narrow_screen_scrolls_one_way(open_page: Open, url: Url, two_runs: Path) -> None:
    page = open_page(url(two_runs), viewport={"width": 360, "height": 700})
    places = ["", "#/compare?a=before&b=after"]
    places += [f"#/attempt/before/calc__calc-1?tab={tab}" for tab in ("steps", "patch", "tests", "log", "record")]
    for place in places:
        page.goto(url(two_runs, place))
        page.wait_for_selector("h1 >> visible=true" if place else ".tiles")
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, place


def test_a_thousand_attempts(open_page: Open, url: Url, many: Path) -> None:
    page = open_page(url(many))
    assert page.text_content(".told") == "1,000 attempts"
    assert 10 < page.locator(ROWS).count() < 100
    page.fill("#search", "flask-77")
    assert page.text_content(".told") == "11 of 1,000 attempts"
    page.fill("#search", "")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_selector("a:text-is('pallets__flask-999')")
    assert page.locator(ROWS).count() < 100


def test_details_that_are_not_there_are_told(url: Url, many: Path, browser: Any) -> None:
    # Not through open_page: the browser itself tells of a missing file in the console.
    page = browser.new_page()
    page.goto(url(many, "#/attempt/many/pallets__flask-1"))
    page.wait_for_selector("#panel .empty:has-text('its details are not written yet')")
    page.close()


def test_what_a_search_tried_is_shown(open_page: Open, url: Url, tmp_path: Path) -> None:
    rng = random.Random(1)
    tried = [{"number": n, "chosen": n == 1, "score": n / 2, "ending": "submit", "seconds": 3.0} for n in range(2)]
    record = made_runs.record_of("calc__calc-1", Verdict.RESOLVED, rng, extra={"candidates": tried})
    folder = made_runs.keep(tmp_path, record, steps=1)
    for number in range(2):
        place = folder / "candidates" / str(number)
        made_runs.write_trajectory(place, record, 2, rng=rng)
        (place / "patch.diff").write_text(made_runs.PATCH)
    prompts = ["Be bold.", "Be calm."]
    individuals = [{"number": n, "prompt": prompt, "fitness": n / 2, "born": n} for n, prompt in enumerate(prompts)]
    generations = [[{"individual": n, "fitness": n / 2}] for n in range(2)]
    population = {"best": 1, "generations": generations, "individuals": individuals}
    (folder / "population.json").write_text(json.dumps(population))
    (folder / "view.js").unlink(missing_ok=True)
    made_runs.show(tmp_path)
    page = open_page(url(tmp_path, f"#/attempt/{tmp_path.name}/calc__calc-1?tab=candidates"))
    assert page.locator("#panel > div > .step").count() == 2
    assert page.locator(".step.best > summary").text_content().startswith("1chosen")
    page.click(".step.best > summary")
    assert page.locator(".step.best .file > summary code").all_text_contents() == ["src/calc.py", "README.md"]
    assert page.locator(".step.best .step[data-step]").count() == 2
    assert page.locator("svg[aria-label^='Fitness over generations']").count() == 1
    assert page.locator("#panel .plain tbody tr").all_text_contents()[0] == "110.50Be calm."


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ls -la", "ls -la"),
        ('{"action": "command", "command": "ls"}', "ls"),
        ('{"action": "command", "command": "ls", "timeout": 5}', 'ls\n{"timeout":5}'),
        ('{"action": "write_file", "path": "a.py", "content": "x"}', "write_file a.py\n\nx"),
        ('{"action": "submit"}', "submit"),
        ('{"name": "bash", "arguments": {"command": "ls"}}', "ls"),
        ('{"function": {"name": "open", "arguments": "{\\"path\\": \\"a\\"}"}}', 'open({\n "path": "a"\n})'),
        ('{"name": "x", "arguments": "not JSON"}', '{"name": "x", "arguments": "not JSON"}'),
        ('{"function": null, "action": 7}', '{"function": null, "action": 7}'),
        ("{not JSON", "{not JSON"),
    ],
)
def test_actions_read_as_a_person_would_write_them(blank: Any, given: str, shown: str) -> None:
    assert blank.evaluate("(action) => actionOf({ action })", given) == shown


@pytest.mark.parametrize(
    ("diff", "files"),
    [
        ("", [["", 0, 0, 1]]),
        (made_runs.PATCH, [["src/calc.py", 2, 1, 8], ["README.md", 1, 1, 4]]),
        (
            "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n",
            [["x", 1, 1, 3], ["y", 1, 1, 3]],
        ),
        ("diff --git a/p b/q\nsimilarity index 90%\nrename from p\nrename to q\n", [["q", 0, 0, 3]]),
        (
            "diff --git a/n b/n\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file",
            [["n", 1, 0, 3]],
        ),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+more than was said\n", [["x", 2, 1, 4]]),
        ("no diff at all", [["", 0, 0, 1]]),
    ],
)
def test_diffs_are_read(blank: Any, diff: str, files: list[list[Any]]) -> None:
    found = blank.evaluate("(t) => filesOf(t).map((f) => [f.name, f.added, f.removed, f.lines.length])", diff)
    assert found == files


#: The ratio between each text's colour and that of what is painted behind it.
CONTRAST = """() => {
  const part = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((c) => part(Number(c) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const hasText = (node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
  const found = {};
  for (const node of document.querySelectorAll("main *, header *")) {
    if (node instanceof SVGElement || !hasText(node) || !node.offsetParent) continue;
    let behind = node;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const pair = [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    const name = `${node.tagName}.${node.className}`;
    found[name] = Math.min(found[name] ?? 99, Math.round(ratio * 100) / 100);
  }
  return found;
}"""
