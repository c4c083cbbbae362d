"""Results in the SWE-bench harness's own files: ``report.json`` of an instance, and the summary of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import write_atomic
from pytest_swegym.grading.compat import failure_sign
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Compat
from pytest_swegym.task import Outcome
from pytest_swegym.task import Verdict


REPORT = "report.json"
SCHEMA_VERSION = 2
#: Verdicts of attempts that the harness gives a report; of all others it says that they ended in an error.
_REPORTED = frozenset({Verdict.RESOLVED, Verdict.UNRESOLVED, Verdict.TAMPERED})
#: What a failure points at: its name, and whether it surely is the environment.
Sign = tuple[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One submitted instance of a run: ``state`` is resolved, unresolved, empty_patch or error."""

    instance_id: str
    state: str
    sign: Sign | None = None


def instance_report(
    compat: Compat,
    *,
    instance_id: str,
    fail_to_pass: Sequence[str],
    pass_to_pass: Sequence[str],
    patch: str | None = "",
    sign: Sign | None = None,
) -> dict[str, Any]:
    """``report.json`` of a verdict; ``patch`` is ``None`` where the prediction has none."""
    graded = compat.gradeable and patch is not None
    report: dict[str, Any] = {
        "patch_is_None": patch is None,
        "patch_exists": patch is not None,
        "patch_successfully_applied": graded,
        "resolved": graded and compat.resolved,
        "infra_failure": bool(sign and sign[1] and not graded and patch is not None),
    }
    if sign and not graded and patch is not None:
        report["infra_failure_reason"] = sign[0]
    if graded:
        report["tests_status"] = {
            "FAIL_TO_PASS": _parted(fail_to_pass, compat.fail_to_pass),
            "PASS_TO_PASS": _parted(pass_to_pass, compat.pass_to_pass),
            "FAIL_TO_FAIL": _parted((), {}),
            "PASS_TO_FAIL": _parted((), {}),
        }
    return {instance_id: report}


def record_report(record: AttemptRecord, log: bytes = b"") -> dict[str, Any] | None:
    """``report.json`` of an attempt, by our own verdict; ``None`` where the harness writes none.

    What was tampered with cannot be graded: its tests are not told.
    """
    if record.verdict not in _REPORTED or not record.patch:
        return None
    f2p = _held(record.fail_to_pass, F2P_OK)
    p2p = _held(record.pass_to_pass, P2P_OK)
    graded = record.verdict is not Verdict.TAMPERED and bool(f2p or p2p)
    verdict = Compat(profile="", gradeable=graded, resolved=record.resolved, fail_to_pass=f2p, pass_to_pass=p2p)
    return instance_report(
        verdict,
        instance_id=record.instance_id,
        fail_to_pass=list(f2p),
        pass_to_pass=list(p2p),
        patch=record.patch,
        sign=None if graded else _sign(log),
    )


def run_report(entries: Iterable[RunEntry], instance_ids: Collection[str]) -> dict[str, Any]:
    """The summary of a run over the instances of a data set; of an instance told twice the first entry counts."""
    found: dict[str, RunEntry] = {}
    for entry in entries:
        found.setdefault(entry.instance_id, entry)

    def named(*states: str) -> list[str]:
        return sorted(entry.instance_id for entry in found.values() if entry.state in states)

    blamed = {name: entry.sign for name, entry in found.items() if entry.state in ("unresolved", "error")}
    signs = {name: sign for name, sign in sorted(blamed.items()) if sign}
    lists = {
        "completed_ids": named("resolved", "unresolved"),
        "incomplete_ids": sorted(set(instance_ids) - set(found)),
        "empty_patch_ids": named("empty_patch"),
        "submitted_ids": sorted(found),
        "resolved_ids": named("resolved"),
        "unresolved_ids": named("unresolved"),
        "infra_failure_ids": [name for name, (_, sure) in signs.items() if sure],
        "ambiguous_failure_ids": [name for name, (_, sure) in signs.items() if not sure],
    }
    errors = named("error")
    counted = ("submitted", "completed", "resolved", "unresolved", "infra_failure", "ambiguous_failure", "empty_patch")
    return {
        "total_instances": len({*instance_ids, *found}),
        **{f"{name}_instances": len(lists[f"{name}_ids"]) for name in counted},
        "error_instances": len(errors),
        **lists,
        "failure_reasons": {name: reason for name, (reason, _) in signs.items()},
        "error_ids": errors,
        "schema_version": SCHEMA_VERSION,
    }


def record_entry(record: AttemptRecord, log: bytes = b"") -> RunEntry | None:
    """An attempt in the summary of a run; ``None`` if the machinery failed it: nothing was submitted."""
    if record.verdict is Verdict.INFRA_ERROR:
        return None
    state = "error"
    if not record.patch:
        state = "empty_patch"
    elif record.verdict in _REPORTED:
        state = "resolved" if record.resolved else "unresolved"
    return RunEntry(instance_id=record.instance_id, state=state, sign=_sign(log))


def write_run_reports(folder: Path, records: Iterable[AttemptRecord], log_of: Callable[[str], bytes]) -> None:
    """``MODEL.RUN.json`` for each solver of a run, RUN being the folder's name; first attempts, as in predictions.

    ``log_of`` gives what the tests of an attempt printed, by its key.
    """
    ordered = sorted(records, key=lambda record: (record.instance_id, record.attempt))
    ids = {record.instance_id for record in ordered}
    for model in sorted({record.solver for record in ordered}):
        own = [record for record in ordered if record.solver == model]
        entries = [record_entry(record, b"" if record.resolved else log_of(record.key)) for record in own]
        path = folder / f"{path_name(model)}.{path_name(folder.resolve().name)}.json"
        write_json(path, run_report([entry for entry in entries if entry], ids))


def path_name(model: str) -> str:
    """A model's name as the harness makes a part of a path of it; what file systems and stores of artifacts refuse
    becomes ``_``."""
    name = re.sub(r'[\0-\x1f\x7f:"<>|*?\\]', "_", model.replace("/", "__"))[-150:]
    return "_" if name in (".", "..") else name or "None"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    write_atomic(path, json.dumps(data, indent=4) + "\n")


def _held(found: Mapping[str, Outcome], ok: Collection[Outcome]) -> dict[str, bool]:
    return {name: outcome in ok for name, outcome in found.items()}


def _parted(expected: Sequence[str], held: Mapping[str, bool]) -> dict[str, list[str]]:
    return {
        "success": [name for name in expected if held.get(name) is True],
        "failure": [name for name in expected if held.get(name) is False],
    }


def _sign(log: bytes) -> Sign | None:
    return failure_sign(log.decode("utf-8", "replace"))
