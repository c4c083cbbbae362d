"""Agents on the same tasks, each a run of its own in one folder: who solves what, and for how much.

python benchmarks/solving.py --output runs [--base-url URL --model NAME] [--agents scripted,model,best_of,...]

Without ``--base-url`` the small model of the tests is served on loopback (``.ci/small-model`` fetches it): it solves
next to nothing, as can be expected of 135 million parameters; what is shown is that every way of solving works.
``swegym view runs`` shows them all on one page.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_swegym.rows.load import RowOptions
from pytest_swegym.rows.load import load


ROOT = Path(__file__).resolve().parents[1]
#: Solvers by the name of their run, and what each is asked besides the model.
AGENTS = {
    "gold": ("gold", []),
    "scripted": ("scripted:{scripts}", []),
    "model": ("openai", ["protocol=execute"]),
    "best_of": ("best_of:4", ["protocol=execute", "temperature=0.8"]),
    "genetic": ("genetic", ["protocol=execute", "temperature=0.8", "genetic.population=3", "genetic.generations=2"]),
    "mini-swe-agent": ("command:mini-swe-agent", ["max_requests=4", "body="]),
}
#: What keeps a model of this size to the point: each reply is one command.
GRAMMAR = 'root ::= "<execute>" [^<\\n]{1,120} "</execute>"'
END = "SWEGYM_END_OF_PATCH"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the runs")
    parser.add_argument("--base-url", default="", help="an OpenAI-compatible endpoint")
    parser.add_argument("--model", default="")
    parser.add_argument("--agents", default=",".join(AGENTS), help="some of: %(default)s")
    parser.add_argument("--tasks", default="itsdangerous or tinydb", help="which of task_specs, as for -k")
    parser.add_argument("--curriculum", type=int, default=3, metavar="N", help="so many tasks of the curriculum")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--steps", type=int, default=5, help="most steps of an episode")
    options = parser.parse_args()
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    wanted = options.agents.split(",")
    with model(options) as agent_words:
        for name in (each for each in AGENTS if each in wanted):
            run(name, agent_words, output, options)
    report(output, [name for name in wanted if (output / name / "summary.json").exists()])
    return 0


@contextmanager
def model(options: argparse.Namespace) -> Iterator[list[str]]:
    """The words of ``--swegym-agent`` that say which model."""
    small = ["reply_tokens=160", "temperature=0", "invalid_replies=2", f"body={json.dumps({'grammar': GRAMMAR})}"]
    if options.base_url:
        yield [f"base_url={options.base_url}", f"model={options.model}"]
        return
    path = subprocess.run([".ci/small-model"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    command = [sys.executable, "tests/servers/llama_server.py", path]
    piped: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **piped) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield [f"base_url={server.stdout.readline().strip()}/v1", "model=smollm2", *small]
        server.stdin.close()


def run(name: str, agent_words: list[str], output: Path, options: argparse.Namespace) -> None:
    """One run; what it prints goes to the terminal."""
    solver, own = AGENTS[name]
    if "{scripts}" in solver:
        solver = solver.format(scripts=write_scripts(output))
    command = [
        sys.executable, "-m", "pytest", "task_specs", "-p", "no:cacheprovider", "-q", "--no-header",
        "-k", f"{options.tasks} or curriculum", "--swegym-tasks=curriculum", f"--swegym-limit={options.curriculum}",
        f"--swegym-solver={solver}", f"--swegym-output={output / name}", f"--swegym-sandbox={options.sandbox}",
        f"--swegym-max-steps={options.steps}", "--swegym-jobs=2", "--tb=no",
        *(f"--swegym-agent={word}" for word in (*agent_words, *own)),
    ]  # fmt: skip
    print(f"\n== {name}: --swegym-solver={solver}", flush=True)
    begin = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=False, env=os.environ | {"OPENAI_API_KEY": "none"})
    print(f"{name}: {time.monotonic() - begin:.1f} s in all", flush=True)


def write_scripts(output: Path) -> Path:
    """What the known solutions came to, as commands that an agent could have typed; needs the run ``gold``.

    A curriculum task's own solution is a script already: what it does, a commit say, need not be in a patch.
    """
    folder = output / "scripts"
    folder.mkdir(exist_ok=True)
    solutions = {entry.task.id: entry.task.hidden.solution for entry in load("curriculum", RowOptions())}
    for line in (output / "gold" / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        # patch(1) as the second choice, as where patches are graded: an installation may have changed a file.
        patch = f"cat > /tmp/fix <<'{END}'\n{row['model_patch']}\n{END}\ngit apply /tmp/fix || patch -p1 -i /tmp/fix"
        steps = ["ls -la", solutions.get(row["instance_id"]) or patch, "git status --short"]
        (folder / f"{row['instance_id']}.txt").write_text("\n---\n".join(steps) + "\n")
    return folder


def report(output: Path, names: list[str]) -> None:
    """The runs side by side."""
    print("\n== side by side", flush=True)
    runs = [str(output / name) for name in names]
    if len(runs) > 1:
        subprocess.run([sys.executable, "-m", "pytest_swegym", "compare", *runs], cwd=ROOT, check=False)
    print(f"swegym view {output}")


if __name__ == "__main__":
    sys.exit(main())
