"""The output folder of a run: whether it may be used, and what is written into it when the run has ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import halves
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.events import EVENTS
from pytest_swegym.results.harness import write_run_reports
from pytest_swegym.results.predictions import write_predictions
from pytest_swegym.results.store import ResultStore
from pytest_swegym.results.summary import ENOUGH
from pytest_swegym.results.summary import Summary
from pytest_swegym.results.summary import summarize
from pytest_swegym.task import AttemptRecord


def new_run_id() -> str:
    """A name for a run that no other has; in the order of their beginnings."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{content_key(os.getpid(), time.time_ns())[:4]}"


def check_folder(folder: Path, *, resume: bool, solver: str, options: tuple[str, str]) -> None:
    """A folder that cannot be written, or that holds another run, is told before anything is done.

    ``options`` are how the user names the folder and asks to continue. Raises :class:`ConfigError`.
    """
    output, again = options
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{output}={folder}: {error.strerror}; choose another folder") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{output}={folder}: not writable; choose another folder")
    if not resume:
        # Also one in which nothing has finished: what its solver was answered so far would be lost, and asked again.
        if (folder / EVENTS).exists() or any(folder.glob("attempts/*")):
            raise ConfigError(
                f"{output}={folder} holds a run; add {again} to continue that run, or choose another folder"
            )
        return
    others = {record.solver for record in ResultStore(root=folder).records()} - {solver}
    if solver and others:
        raise ConfigError(
            f"{again}: {folder} holds attempts of the solver {sorted(others)[0]!r}; choose another folder"
        )
    for left in halves(folder):
        left.unlink(missing_ok=True)


def conclude(store: ResultStore, records: Sequence[AttemptRecord], run_id: str, *, enough: int = ENOUGH) -> Summary:
    """Write what the attempts came to beside them: ``summary.json``, ``predictions.jsonl``, SWE-bench's reports.

    ``enough`` is that of :func:`summarize`.
    """
    summary = summarize(records, enough=enough)
    totals = {**summary.to_dict(), "run_id": run_id}
    write_atomic(store.root / "summary.json", json.dumps(totals, indent=1) + "\n")
    write_predictions(store.root / "predictions.jsonl", records)
    write_run_reports(store.root, records, store.log)
    return summary


__all__ = ["check_folder", "conclude", "new_run_id"]
