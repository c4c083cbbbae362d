"""Every figure of the README, in one run: ``make bench`` or ``python benchmarks/run.py [--task FILE] [--runs N]``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

import grades
import measure
import plugin_cost
import sandboxes

from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task.files import load_tasks


ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, default=ROOT / "task_specs" / "marshmallow__4.2.3.swegym.toml")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--backends", default="bubblewrap,docker")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    (task,) = load_tasks(options.task)
    print(f"machine: {measure.machine()}\ntask: {task.id}, {options.runs} runs each, medians\n")
    figures = show(plugin_cost.measure(options.runs * 3))
    labs = [Lab(make_backend(name)) for name in options.backends.split(",")]
    prepared = {lab.backend.name: lab.prepare(task) for lab in labs}
    container = prepared["docker"].snapshot if "docker" in prepared else None
    for lab in labs:
        figures += show(sandboxes.measure(lab, prepared[lab.backend.name], options.runs))
        figures += show(grades.measure(lab, prepared[lab.backend.name], options.runs, container))
        lab.close()
    if options.out:
        report = {"machine": measure.machine(), "task": task.id, "figures": [asdict(f) for f in figures]}
        options.out.write_text(json.dumps(report, indent=2) + "\n")


def show(figures: list[measure.Figure]) -> list[measure.Figure]:
    for figure in figures:
        print(
            f"{figure.name:70} {figure.median:10.2f} {figure.unit:4} ± {figure.spread:.2f}  ({figure.runs} runs)",
            flush=True,
        )
    return figures


if __name__ == "__main__":
    main()
