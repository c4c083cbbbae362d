"""Predictions in the SWE-bench schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


def write_predictions(path: Path, records: Iterable[AttemptRecord]) -> int:
    """Write ``predictions.jsonl``, the first attempt of each instance that has a patch to show; returns how many.

    An attempt that the machinery failed has none: its instance is left out, so that it can be predicted again.
    """
    chosen: dict[str, AttemptRecord] = {}
    for record in sorted(records, key=lambda record: (record.instance_id, record.attempt)):
        if record.verdict is not Verdict.INFRA_ERROR:
            chosen.setdefault(record.instance_id, record)
    rows = (
        {"instance_id": name, "model_name_or_path": record.solver, "model_patch": record.patch}
        for name, record in chosen.items()
    )
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in rows))
    return len(chosen)
