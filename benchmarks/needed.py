"""Only what is needed runs: what --swegym-fast-fail and --swegym-shards save, and that no verdict changes by them.

``python benchmarks/needed.py [--same] [--runs N] [--backend NAME] [--out FILE] [TASK ...]``, of ``task_specs``. With
``--same`` each task is graded once in every manner, with its gold patch, with one that solves nothing, and with gold
patches in which a function is broken; without it the manners are timed in turn.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))

from measure import Figure
from measure import interleaved
from measure import machine
from measure import show
from measure import write

from pytest_swegym.grading import grade
from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Grade
from pytest_swegym.task import Verdict
from pytest_swegym.task.files import load_tasks


ROOT = Path(__file__).resolve().parents[1]
TIMED = ("sympy__1.13.0", "django__5.1.3", "marshmallow__4.2.3")
BESIDE = (
    "diff --git a/beside.txt b/beside.txt\nnew file mode 100644\n--- /dev/null\n+++ b/beside.txt\n@@ -0,0 +1 @@\n+x\n"
)
MANNERS: dict[str, dict[str, Any]] = {
    "whole": {},
    "fast-fail": {"fast_fail": True},
    "2 shards": {"shards": 2},
    "fast-fail, 2 shards": {"fast_fail": True, "shards": 2},
}


def graded(lab: Lab, prepared: Prepared, patch: str, manner: str) -> Grade:
    with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
        return grade(prepared.task, patch, workspace, baseline=prepared.baseline, **MANNERS[manner])


def broken(lab: Lab, prepared: Prepared, count: int) -> list[str]:
    """The gold patch with one function broken, for a few functions of the files that it changes."""
    task = prepared.task
    found: list[str] = []
    with lab.workspace(task.spec, prepared.snapshot) as workspace:
        workspace.apply(task.hidden.patch)
        for path in sorted(path for path in patch_paths(task.hidden.patch) if path.endswith(".py")):
            try:
                text = workspace.read(path)
            except FileNotFoundError:
                continue
            functions = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef)]
            for function in functions[:: max(1, len(functions) // count)][:count]:
                first = function.body[0]
                lines = text.splitlines()
                lines.insert(first.lineno - 1, " " * first.col_offset + "raise RuntimeError('broken')")
                workspace.write(path, "\n".join(lines) + "\n")
                found.append(workspace.diff())
            workspace.write(path, text)
    return found[: 2 * count]


def same(lab: Lab, prepared: Prepared, count: int) -> Counter[str]:
    """Grade in every manner, and count the verdicts that agree, and those that do not."""
    gold = prepared.task.hidden.patch
    patches = {"gold": gold, "empty": "", "beside the point": BESIDE}
    patches |= {f"broken {number}": patch for number, patch in enumerate(broken(lab, prepared, count))}
    tally: Counter[str] = Counter()
    for name, patch in patches.items():
        found = {manner: graded(lab, prepared, patch, manner) for manner in MANNERS}
        verdicts = {manner: each.verdict for manner, each in found.items()}
        agree = len(set(verdicts.values())) == 1
        tally["same" if agree else "different"] += 1
        tally["resolved" if verdicts["whole"] is Verdict.RESOLVED else "lost"] += 1
        tally["of these by PASS_TO_PASS alone"] += _only_p2p(found["whole"])
        if not agree:
            told = {manner: (each.verdict.value, each.early, each.reasons) for manner, each in found.items()}
            print(f"{prepared.task.id}: {name}: {told}", flush=True)
    return tally


def _only_p2p(whole: Grade) -> bool:
    f2p, p2p = len(whole.fail_to_pass), len(whole.pass_to_pass)
    return bool(f2p) and whole.f2p_passed == f2p and whole.p2p_passed < p2p


def timed(lab: Lab, prepared: Prepared, runs: int) -> list[Figure]:
    """Wall time of every manner, in turn, with the gold patch and with one that solves nothing."""
    found: list[Figure] = []
    for label, patch in (("gold", prepared.task.hidden.patch), ("beside the point", BESIDE)):
        calls = {
            f"{prepared.task.id}, {label}: {manner}": partial(graded, lab, prepared, patch, manner)
            for manner in MANNERS
        }
        found += show(list(interleaved(calls, runs=runs).values()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="default: all for --same, else three of different runners")
    parser.add_argument("--same", action="store_true")
    parser.add_argument("--runs", type=int, default=5, help="timed runs, or broken functions of --same. Default: 5")
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--out", type=Path, help="write the figures as JSON too")
    options = parser.parse_args()
    names = options.tasks or TIMED
    if options.same and not options.tasks:
        names = sorted(path.name.removesuffix(".swegym.toml") for path in (ROOT / "task_specs").glob("*.swegym.toml"))
    print(f"machine: {machine()}; {options.backend}, {options.runs} runs each, medians ± difference of the quartiles\n")
    lab = Lab(make_backend(options.backend))
    total: Counter[str] = Counter()
    figures: list[Figure] = []
    for name in names:
        (task,) = load_tasks(ROOT / "task_specs" / f"{name}.swegym.toml")
        prepared = lab.prepare(task)
        if options.same:
            tally = same(lab, prepared, options.runs)
            total += tally
            print(f"{name}: {dict(tally)}", flush=True)
        else:
            figures += timed(lab, prepared, options.runs)
        lab.release(task)
    lab.close()
    figures += [Figure(f"verdicts: {name}", count, 0, 1, "count") for name, count in total.items()]
    write(figures, options.out)
    if options.same:
        print(f"in all: {dict(total)}")
        raise SystemExit(bool(total["different"]))


if __name__ == "__main__":
    main()
