"""What a sandbox, a command and a grade cost: ``python benchmarks/basics.py [--task FILE] [--runs N]``.

The installed plugin on an ordinary suite; start, step, reset and memory of a sandbox; a warm grade beside the bare test
command and beside ``docker run --rm IMAGE sh -c 'git apply; pytest'``.
"""

from __future__ import annotations

import argparse
import sys
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=Path, default=ROOT / "task_specs" / "marshmallow__4.2.3.swegym.toml")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--backends", default="bubblewrap,docker")
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON too")
    options = parser.parse_args()
    (task,) = load_tasks(options.task)
    print(f"machine: {measure.machine()}\ntask: {task.id}, {options.runs} runs each, medians\n")
    figures = measure.show(plugin_cost.measure(options.runs * 3))
    labs = [Lab(make_backend(name)) for name in options.backends.split(",")]
    prepared = {lab.backend.name: lab.prepare(task) for lab in labs}
    container = prepared["docker"].snapshot if "docker" in prepared else None
    for lab in labs:
        figures += measure.show(sandboxes.measure(lab, prepared[lab.backend.name], options.runs))
        figures += measure.show(grades.measure(lab, prepared[lab.backend.name], options.runs, container))
        lab.close()
    measure.write(figures, options.out, task=task.id)


if __name__ == "__main__":
    main()
