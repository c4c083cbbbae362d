"""Records on disk: one folder per attempt, whole or not there."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import halves
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.failures import failure_of
from pytest_swegym.results.harness import REPORT
from pytest_swegym.results.harness import record_report
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task.usage import USAGE
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import end_trajectory


RECORD, PATCH, JUNIT, LOG, TREE = "record.json", "patch.diff", "junit.xml", "test.log", "tree.tar.gz"
#: Largest file that is read back, in bytes.
READ_LIMIT = 128 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultStore:
    """The folder of a run: ``attempts/INSTANCE[.N]/{record.json,patch.diff,junit.xml,test.log,report.json}``;
    ``tree.tar.gz`` beside them, where a whole tree was handed in.

    Beside them lies the ``trajectory.jsonl`` of a solver that writes one; keeping the attempt writes its last line.
    """

    root: Path

    def folder(self, key: str) -> Path:
        """Where the attempt called ``key`` (:attr:`AttemptRecord.key`) is kept."""
        return self.root / "attempts" / key

    def write(self, record: AttemptRecord, grade: Grade | None = None, tree: bytes | None = None) -> Path:
        """Keep an attempt; returns its folder. ``record.json`` comes last: without it there is no record."""
        folder = self.folder(record.key)
        for left in (folder / RECORD, *halves(folder)):  # of a run that was cut
            left.unlink(missing_ok=True)
        report = record_report(record, grade.log if grade else b"")
        files = {
            REPORT: json.dumps(report, indent=4).encode() if report else b"",
            PATCH: record.patch.encode("utf-8", "surrogateescape"),
            JUNIT: grade.junit_xml if grade else b"",
            LOG: grade.log if grade else b"",
            TREE: gzip.compress(tree, 6, mtime=0) if tree is not None else b"",
        }
        for name, data in files.items():
            if data:
                write_atomic(folder / name, data)
            else:
                (folder / name).unlink(missing_ok=True)
        end_trajectory(folder / TRAJECTORY, _end(record))
        write_atomic(folder / RECORD, json.dumps(record.redacted().to_dict(), indent=1) + "\n")
        return folder

    def read(self, key: str) -> AttemptRecord | None:
        """The record of an attempt, ``None`` if there is none. Raises :class:`ConfigError` for a damaged one."""
        path = self.folder(key) / RECORD
        try:
            if path.stat().st_size > READ_LIMIT:
                raise ConfigError(f"{path}: damaged record: larger than {READ_LIMIT >> 20} MiB")
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: damaged record: {error}") from None
        if not isinstance(data, dict):
            raise ConfigError(f"{path}: damaged record: expected a table")
        return AttemptRecord.from_dict(data, where=str(path))

    def grade(self, record: AttemptRecord) -> Grade:
        """The grade of a kept record, as far as it was kept."""
        return Grade(
            verdict=record.verdict,
            fail_to_pass=record.fail_to_pass,
            pass_to_pass=record.pass_to_pass,
            reasons=record.reasons,
            protected=record.protected,
            exit_code=record.exit_code,
            duration=record.stages.get("grade", 0.0),
            junit_xml=self._bytes(record.key, JUNIT),
            log=self.log(record.key),
            apply_method=record.apply_method,
            early=record.early,
        )

    def records(self) -> Iterator[AttemptRecord]:
        """Every whole record of the folder, by name; damaged ones are left out."""
        folder = self.root / "attempts"
        for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
            try:
                record = self.read(name)
            except ConfigError:
                continue
            if record is not None:
                yield record

    def log(self, key: str) -> bytes:
        """What the tests of an attempt printed, as far as it was kept."""
        return self._bytes(key, LOG)

    def _bytes(self, key: str, name: str) -> bytes:
        try:
            with (self.folder(key) / name).open("rb") as file:
                return file.read(READ_LIMIT)
        except OSError:
            return b""


def _end(record: AttemptRecord) -> dict[str, Any]:
    """What the last line of a trajectory says of the record; ``ending``, ``usage`` and ``model`` as far as told."""
    told = {name: record.extra[name] for name in ("ending", USAGE, "model") if name in record.extra}
    return {
        "verdict": record.verdict.value,
        "resolved": record.resolved,
        "reward": record.reward,
        "reward_name": record.reward_name,
        "error_stage": record.error_stage,
        "failure": failure_of(record),
        **told,
    }
