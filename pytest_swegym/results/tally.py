"""A run as counts per instance: small enough to be committed to a repository, and all that a comparison needs."""

from __future__ import annotations

import json
from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_swegym._support.text import one_line
from pytest_swegym.errors import ConfigError
from pytest_swegym.results.store import READ_LIMIT
from pytest_swegym.results.store import ResultStore
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


#: Version of ``summary.json``, which holds a tally; a reader refuses what it does not know.
FORMAT = "swegym.summary/2"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTally:
    """How many attempts at one instance came to each verdict. ``task`` names the content of the task."""

    verdicts: Mapping[str, int] = field(default_factory=dict)
    task: str = ""

    @property
    def attempts(self) -> int:
        return sum(self.verdicts.values())

    @property
    def resolved(self) -> int:
        return self.verdicts.get(Verdict.RESOLVED.value, 0)

    @property
    def graded(self) -> int:
        """Attempts that say something of the solver: all but infra errors."""
        return self.attempts - self.infra

    @property
    def infra(self) -> int:
        return self.verdicts.get(Verdict.INFRA_ERROR.value, 0)

    def to_dict(self) -> dict[str, Any]:
        counts = {"resolved": self.resolved, "graded": self.graded}
        return {**counts, "verdicts": dict(self.verdicts), "task": self.task}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTally:
    """All instances of a run by id, and by which rules they were graded. ``where`` is what it was read from."""

    instances: Mapping[str, InstanceTally] = field(default_factory=dict)
    graders: tuple[str, ...] = ()
    where: str = ""

    @property
    def attempts(self) -> int:
        return sum(each.attempts for each in self.instances.values())

    @property
    def graded(self) -> int:
        return sum(each.graded for each in self.instances.values())

    @property
    def resolved(self) -> int:
        return sum(each.resolved for each in self.instances.values())

    @property
    def infra(self) -> int:
        return sum(each.infra for each in self.instances.values())

    @property
    def rate(self) -> float | None:
        return self.resolved / self.graded if self.graded else None

    def to_dict(self) -> dict[str, Any]:
        """The part of ``summary.json`` that :func:`read_tally` reads back."""
        instances = {name: each.to_dict() for name, each in self.instances.items()}
        return {"graders": list(self.graders), "instances": instances}


def tally(records: Iterable[AttemptRecord], *, where: str = "") -> RunTally:
    """Count the attempts of each instance."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tasks: dict[str, str] = {}
    graders = set()
    for record in records:
        counts[record.instance_id][record.verdict.value] += 1
        tasks[record.instance_id] = record.task_key or tasks.get(record.instance_id, "")
        if record.verdict is not Verdict.INFRA_ERROR:
            # What the protection lets through decides verdicts as much as the grader does.
            graders.add(f"{record.grader or 'unknown'}, protect={record.protect}")
    instances = {name: InstanceTally(verdicts=dict(counts[name]), task=tasks[name]) for name in sorted(counts)}
    return RunTally(instances=instances, graders=tuple(sorted(graders)), where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRun:
    """An earlier run as it was found at ``where``: its ``records``, or where they are gone its ``summary`` as JSON."""

    where: str
    records: tuple[AttemptRecord, ...] = ()
    summary: Any = None

    @property
    def tally(self) -> RunTally:
        """Raises :class:`ConfigError` for a summary of another format or a damaged one."""
        if self.summary is None:
            return tally(self.records, where=self.where)
        return read_tally(self.summary, where=self.where)


def load_run(path: Path) -> LoadedRun:
    """An earlier run: its output folder, its ``summary.json``, or a JSON list of its records.

    Raises :class:`ConfigError` that names the file and what it should be.
    """
    if path.is_dir():
        records = tuple(ResultStore(root=path).records())
        return LoadedRun(where=str(path), records=records) if records else load_run(path / SUMMARY)
    data = _json(path)
    if isinstance(data, list):
        rows = [row if isinstance(row, Mapping) else {} for row in data]
        return LoadedRun(where=str(path), records=tuple(AttemptRecord.from_dict(row, where=str(path)) for row in rows))
    return LoadedRun(where=str(path), summary=data if data is not None else {})


def load_tally(path: Path) -> RunTally:
    """The tally of an earlier run. Raises :class:`ConfigError` as :func:`load_run` does."""
    return load_run(path).tally


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > READ_LIMIT:
            raise ConfigError(f"{path}: larger than {READ_LIMIT >> 20} MiB, so no summary of a run")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; give the summary.json or the output folder (--swegym-output) of a run"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON: {error}") from None


def read_tally(data: Any, *, where: str) -> RunTally:
    """Read ``summary.json``'s form. Raises :class:`ConfigError` for another format or a damaged one."""
    found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
    if found != FORMAT:
        raise ConfigError(
            f"{where}: expected a {FORMAT} (the summary.json of a run), got {found!r:.80};"
            " one of an older version has to be made anew from its folder or by a new run"
        )
    try:
        instances = {one_line(str(name)): _instance(each) for name, each in data["instances"].items()}
        graders = tuple(one_line(str(grader)) for grader in data["graders"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{where}: damaged summary: {error!r:.200}") from None
    return RunTally(instances=instances, graders=graders, where=where)


def _instance(data: Mapping[str, Any]) -> InstanceTally:
    verdicts = {Verdict(name).value: count for name, count in data["verdicts"].items()}
    if not all(type(count) is int and count > 0 for count in verdicts.values()):
        raise ValueError("a count of attempts is no whole number above 0")
    found = InstanceTally(verdicts=verdicts, task=str(data.get("task", "")))
    if (found.resolved, found.graded) != (data["resolved"], data["graded"]):
        raise ValueError("the counts of an instance contradict each other")
    return found
