"""Tables of the documentation, made from figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tables


REPORT = {
    "machine": "a machine",
    "versions": {"other": "1.2"},
    "notes": {"other": "not graded"},
    "figures": [
        {"name": "one step: ours", "median": 0.381, "spread": 0.05, "runs": 9, "unit": "ms"},
        {"name": "one step: other", "median": 1234.5, "spread": 10.0, "runs": 9, "unit": "ms"},
        {"name": "left: ours", "median": 0.0, "spread": 0.0, "runs": 1, "unit": "count"},
    ],
}


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "figures"
    folder.mkdir()
    monkeypatch.setattr(tables, "FIGURES", folder)
    return folder


def test_rows_and_columns(figures: Path) -> None:
    (figures / "side_by_side.json").write_text(json.dumps(REPORT))
    made = tables.table("side_by_side")
    assert "| | ours | other |\n|---|---:|---:|\n" in made
    assert "| one step | 0.38 ± 0.05 ms | 1,234 ± 10.0 ms |" in made
    assert "| left | 0 | - |" in made
    assert made.endswith("on a machine; other 1.2.\n\n- other: not graded\n")


def test_only_what_begins_with_a_word(figures: Path) -> None:
    (figures / "side_by_side.json").write_text(json.dumps(REPORT))
    assert "one step" not in tables.table("side_by_side/left")


def test_a_page_keeps_what_is_outside_of_the_marks(
    figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    monkeypatch.setattr(tables, "DOCS", docs)
    page = docs / "page.md"
    page.write_text("before\n<!-- figures: scaling -->\nold\n<!-- end -->\nafter\n")
    tables.main()
    assert page.read_text() == "before\n<!-- figures: scaling -->\nNot measured yet.\n<!-- end -->\nafter\n"
    tables.main()
    assert "after" in page.read_text()


def test_every_part_is_there() -> None:
    missing = [part.script for part in tables.PARTS if not part.path.exists()]
    assert missing == []
