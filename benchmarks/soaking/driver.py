"""A session without pytest: the same run as one call of the library, in a process that lives as long as the run."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from pytest_swegym import runs
from pytest_swegym.errors import SwegymError
from pytest_swegym.runs.job import Conditions


sys.path.insert(0, str(Path(__file__).parents[1]))

from soaking import leaks


def main(folder: Path, output: Path, sandbox: str, attempts: int, jobs: int, told: Path) -> None:
    """Make what is not made yet, and tell what this process has open, and how much memory, before and after."""
    pid, seen = os.getpid(), []
    conditions = Conditions(sandbox=sandbox, resume=True, root=str(folder))
    solver = f"{folder}/solver.py:solve"
    with runs.run(
        folder / "tasks.jsonl", solver, attempts=attempts, jobs=jobs, output=output, conditions=conditions
    ) as rollouts:
        while True:
            try:
                if rollouts.next() is None:
                    break
            except SwegymError as error:  # of one attempt, whose record could not be kept
                print(f"{type(error).__name__}: {error}", flush=True)
            seen.append((leaks.descriptors(pid), threading.active_count(), leaks.memory(pid)))
    seen.append((leaks.descriptors(pid), threading.active_count(), leaks.memory(pid)))
    told.write_text(json.dumps(seen))


if __name__ == "__main__":
    folder, output, sandbox, attempts, jobs, told = sys.argv[1:]
    main(Path(folder), Path(output), sandbox, int(attempts), int(jobs), Path(told))
