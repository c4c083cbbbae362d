"""Puts the figures of ``benchmarks/figures`` into the documentation: ``python benchmarks/tables.py``.

Whatever stands in ``docs/*.md`` between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is made again. NAME is ``all``
(every part without a table of its own), or the name of a part, with ``/WORD`` for its figures whose names have it.
A chart stands in the same way behind ``<!-- chart: NAME what is to be seen -->``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))

from parts import FIGURES
from parts import PARTS


DOCS = Path(__file__).resolve().parents[1] / "docs"
_MARKED = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_CHART = re.compile(r"(<!-- chart: (\S+) (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
#: Parts whose figures are shown as rows and columns, in tables of their own.
CROSSED = ("side_by_side", "scaling", "simulation")
Figures = list[dict[str, Any]]


def main() -> None:
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        made = _MARKED.sub(lambda match: f"{match[1]}{table(match[2])}{match[3]}", text)
        made = _CHART.sub(lambda match: f"{match[1]}{picture(match[2], match[3])}{match[4]}", made)
        if made != text:
            page.write_text(made)
            print(f"{page.name}: made again")


def picture(name: str, words: str) -> str:
    """The chart, if it has been drawn."""
    return f"![{words}](charts/{name}.svg)\n" if (DOCS / "charts" / f"{name}.svg").exists() else ""


def table(name: str) -> str:
    if name == "all":
        return everything()
    part, _, word = name.partition("/")
    report = load(part)
    if report is None:
        return "Not measured yet.\n"
    figures = [each for each in report["figures"] if word in each["name"]]
    (command,) = (each.command for each in PARTS if each.name == part)
    return f"{crossed(figures)}\n`{command}` on {report['machine']}{notes(report)}\n"


def load(part: str) -> dict[str, Any] | None:
    path = FIGURES / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else None


def everything() -> str:
    """One table, a line for each figure, under its part and the command that prints it."""
    lines = ["| figure | median | quartiles apart | runs |", "|---|---:|---:|---:|"]
    for part in (each for each in PARTS if each.name not in CROSSED):
        report = load(part.name)
        if report is None:
            continue
        lines.append(f"| **{part.title}**: `{part.command}` | | | |")
        for each in report["figures"]:
            spread = number(each["spread"], each["unit"]) if each["runs"] > 1 else ""
            lines.append(f"| {each['name']} | {number(each['median'], each['unit'])} | {spread} | {each['runs']:,} |")
    return "\n".join(lines) + "\n"


def crossed(figures: Figures) -> str:
    """``row: column`` of each name as a table."""
    cells: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for each in figures:
        row, _, column = each["name"].rpartition(": ")
        spread = f" ± {number(each['spread'], each['unit'], bare=True)}" if each["runs"] > 2 else ""
        value = number(each["median"], each["unit"])
        cells.setdefault(row, {})[column] = value.replace(" ", f"{spread} ", 1) if spread else value
        columns[column] = None
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {row} | {' | '.join(found.get(each, '-') for each in columns)} |" for row, found in cells.items()]
    return "\n".join(lines) + "\n"


def number(value: float, unit: str, *, bare: bool = False) -> str:
    digits = 0 if unit == "count" or abs(value) >= 1000 else 2 if abs(value) < 10 else 1
    text = f"{value:,.{digits}f}"
    return text if bare or unit == "count" else f"{text} {unit}"


def notes(report: dict[str, Any]) -> str:
    """Who was measured in which version, and what has to be known of it."""
    versions = ", ".join(f"{name} {version}" for name, version in report.get("versions", {}).items())
    found = "".join(f"\n- {name}: {text}" for name, text in report.get("notes", {}).items())
    return (f"; {versions}." if versions else ".") + (f"\n{found}" if found else "")


if __name__ == "__main__":
    main()
