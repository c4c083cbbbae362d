"""Loggers: which numbers they get, that they harm nobody, and what each library reads back of them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.results import summarize
from pytest_swegym.results.loggers import Logger
from pytest_swegym.results.loggers import Loggers
from pytest_swegym.results.loggers import RunFacts
from pytest_swegym.results.loggers import load_logger
from pytest_swegym.results.loggers.base import RunningTotals
from pytest_swegym.results.loggers.base import attempt_scalars
from pytest_swegym.results.loggers.base import summary_scalars
from pytest_swegym.sandbox.registry import required
from pytest_swegym.settings.options import LOGGERS
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Verdict


USAGE = {"requests": 3, "prompt_tokens": 1000, "completion_tokens": 200, "seconds": 4.0, "cost": 0.5}
RESOLVED = AttemptRecord(
    instance_id="calc-1",
    verdict=Verdict.RESOLVED,
    reward=1.0,
    stages={"solve": 1.5, "grade": 0.5},
    extra={"steps": 4, "usage": USAGE},
)
WRONG = replace(RESOLVED, instance_id="calc-2", verdict=Verdict.UNRESOLVED, reward=0.25, patch="one\n", extra={})
INFRA = replace(RESOLVED, instance_id="calc-3", verdict=Verdict.INFRA_ERROR, reward=None, extra={"steps": "many"})
RECORDS = (RESOLVED, WRONG, INFRA)
#: Logs the three attempts with the logger that is named, in a process of its own: what the libraries leave running at
#: the end of a process is theirs.
SCRIPT = """
import json, sys
from pathlib import Path
from pytest_swegym.results import summarize
from pytest_swegym.results.loggers import Loggers, RunFacts, load_logger
from pytest_swegym.task import AttemptRecord
def complain(what, error):
    raise error
name, folder = sys.argv[1], Path(sys.argv[2])
records = [AttemptRecord.from_dict(each) for each in json.loads(sys.argv[3])]
loggers = Loggers({name: load_logger(name)}, complain)
loggers.started(RunFacts(name="run-7", folder=folder, config={"solver": "gold", "tasks": ["rows.jsonl"], "jobs": 2}))
loggers.attempt(records[0])
loggers.finished(records, summarize(records).to_dict())
"""


def logged(name: str, library: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, read: str = "") -> Any:
    """Log them below ``folder``; returns what the expression ``read`` then finds there, as JSON."""
    if find_spec(library) is None:
        (pytest.fail if required(name) else pytest.skip)(f"{library} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", str(folder / "trackio"))
    for variable in ("WANDB_DIR", "WANDB_PROJECT", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(variable, raising=False)
    told = json.dumps([record.to_dict() for record in RECORDS])
    command = [sys.executable, "-c", SCRIPT + read, name, str(folder), told]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    # Nothing but what was read: loggers do not print into a report.
    return json.loads(result.stdout) if read else result.stdout


# -- what each library reads back ------------------------------------------------------------------


def test_wandb_offline_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert logged("wandb", "wandb", tmp_path, monkeypatch) == ""
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    history, summary, config, kinds = read_wandb(file)
    assert config["solver"] == "gold"
    assert config["tasks"] == ["rows.jsonl"]
    assert history[1] == {**history[1], "attempt/reward": 1, "attempt/cost": 0.5, "run/resolved_rate": 1}
    assert history[2] == {**history[2], "attempt/reward": 0.25, "attempt/resolved": 0, "run/resolved_rate": 0.5}
    assert "attempt/reward" not in history[3]
    assert summary["rate"] == 0.5
    assert summary["verdicts/infra_error"] == 1
    assert "environment" not in kinds
    (table,) = file.parent.glob("files/media/table/*.json")
    rows = json.loads(table.read_text())["data"]
    assert [row[:4] for row in rows] == [
        ["calc-1", "resolved", "", 1],
        ["calc-2", "unresolved", "wrong", 0.25],
        ["calc-3", "infra_error", "infra", None],
    ]


def read_wandb(file: Path) -> tuple[dict[int, dict[str, Any]], dict[str, Any], dict[str, Any], set[str]]:
    """History by step, summary, configuration and the kinds of records, by the library's own description of them."""
    from wandb.proto import wandb_internal_pb2

    history: dict[int, dict[str, Any]] = {}
    summary, config, kinds = {}, {}, set()
    for data in blocks(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kinds.add(record.WhichOneof("record_type"))
        row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        if row:
            history.setdefault(row["_step"], {}).update(row)
        summary.update({item.key: json.loads(item.value_json) for item in record.summary.update if item.key})
        config.update({item.key: json.loads(item.value_json) for item in record.run.config.update})
    return history, summary, config, kinds


def blocks(data: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log behind a header of 7 bytes: blocks of 32 KiB, records in one or several parts."""
    at, record = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_trackio_on_this_machine_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = (
        "from trackio.sqlite_storage import SQLiteStorage as S; p = 'pytest-swegym'\n"
        "print(json.dumps([S.get_runs(p), S.get_run_config(p, 'run-7'), S.get_logs(p, 'run-7')]))"
    )
    runs, config, logs = logged("trackio", "trackio", tmp_path, monkeypatch, read=read)
    assert runs == ["run-7"]
    assert config["solver"] == "gold"
    assert [row.get("attempt/reward") for row in logs] == [1.0, 0.25, None, None]
    assert [row["run/resolved_rate"] for row in logs[:3]] == [1.0, 0.5, 0.5]
    assert logs[3]["summary/rate"] == 0.5
    assert [row["verdict"] for row in logs[3]["attempts"]["_value"]] == ["resolved", "unresolved", "infra_error"]


def test_tensorboard_files_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("tensorboard") is None:
        (pytest.fail if required("tensorboard") else pytest.skip)("tensorboard is not installed")
    read = (
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "found = EventAccumulator(str(folder / 'tensorboard' / 'run-7')); found.Reload(); tags = found.Tags()\n"
        "scalars = {name: [[e.step, e.value] for e in found.Scalars(name)] for name in tags['scalars']}\n"
        "texts = [found.Tensors(name)[0].tensor_proto.string_val[0].decode() for name in tags['tensors']]\n"
        "print(json.dumps([scalars, texts]))"
    )
    scalars, texts = logged("tensorboard", "tensorboardX", tmp_path, monkeypatch, read=read)
    assert scalars["attempt/reward"] == [[1, 1.0], [2, 0.25]]
    assert scalars["run/resolved_rate"] == [[1, 1.0], [2, 0.5], [3, 0.5]]
    assert [value for _, value in scalars["summary/rate"]] == [0.5]
    assert '"solver": "gold"' in texts[0]


# -- which numbers there are -----------------------------------------------------------------------


def test_scalars_of_an_attempt() -> None:
    assert attempt_scalars(RESOLVED) == {
        "attempt/reward": 1.0,
        "attempt/resolved": 1.0,
        "attempt/steps": 4.0,
        "attempt/requests": 3.0,
        "attempt/tokens": 1200.0,
        "attempt/cost": 0.5,
        "attempt/seconds": 2.0,
        "attempt/seconds/solve": 1.5,
        "attempt/seconds/grade": 0.5,
    }
    # Whose fault it was not: neither resolved nor not. What a hook has put in the place of a number is none.
    assert set(attempt_scalars(INFRA)) == {"attempt/seconds", "attempt/seconds/solve", "attempt/seconds/grade"}


def test_running_totals() -> None:
    totals = RunningTotals()
    seen = [totals.add(record) for record in RECORDS]
    assert [each["run/resolved_rate"] for each in seen] == [1.0, 0.5, 0.5]
    assert [each["run/attempts"] for each in seen] == [1.0, 2.0, 3.0]
    assert seen[2]["run/cost"] == 0.5


def test_scalars_of_a_summary() -> None:
    scalars = summary_scalars(summarize(RECORDS).to_dict())
    assert scalars["rate"] == 0.5
    assert scalars["verdicts/infra_error"] == 1.0
    assert scalars["seconds/solve"] == 4.5
    assert all(isinstance(value, float) for value in scalars.values())
    assert not any(name.startswith("instances") for name in scalars)


# -- loggers by name, and loggers that fail --------------------------------------------------------


class Remembering:
    """A logger that keeps what it is told; ``failing`` names the call that raises."""

    def __init__(self, failing: str = "") -> None:
        self.told: list[Any] = []
        self._failing = failing

    def started(self, run: RunFacts) -> None:
        self._tell("started", run.name)

    def attempt(self, record: AttemptRecord, scalars: Mapping[str, float], step: int) -> None:
        self._tell("attempt", (record.key, step, scalars["run/attempts"]))

    def finished(self, summary: Mapping[str, float]) -> None:
        self._tell("finished", summary["attempts"])

    def _tell(self, call: str, what: Any) -> None:
        self.told.append(what)
        if call == self._failing:
            raise OSError("no network")


def play(*loggers: Logger) -> list[str]:
    complaints: list[str] = []
    group = Loggers(
        {str(number): logger for number, logger in enumerate(loggers)},
        lambda what, error: complaints.append(f"{what}: {error}"),
    )
    group.started(RunFacts(name="run", folder=Path("nowhere")))
    group.attempt(RESOLVED)
    group.attempt(RESOLVED)
    group.finished(RECORDS, summarize(RECORDS).to_dict())
    return complaints


def test_every_attempt_is_told_once() -> None:
    logger = Remembering()
    assert play(logger) == []
    assert logger.told == ["run", ("calc-1", 1, 1.0), ("calc-2", 2, 2.0), ("calc-3", 3, 3.0), 3.0]


@pytest.mark.parametrize("failing", ["started", "attempt", "finished"])
def test_a_logger_that_fails_is_told_of_once_and_left_alone(failing: str) -> None:
    bad, good = Remembering(failing), Remembering()
    assert play(bad, good) == ["--swegym-log=0: no network"]
    assert len(good.told) == 5
    assert len(bad.told) == {"started": 1, "attempt": 2, "finished": 5}[failing]


def test_names() -> None:
    for name in LOGGERS:
        with pytest.MonkeyPatch.context() as patch:
            # As if it were not installed.
            patch.setitem(sys.modules, {"tensorboard": "tensorboardX"}.get(name, name), None)
            with pytest.raises(ConfigError, match=rf"pip install 'pytest-swegym\[{name}\]'"):
                load_logger(name)
    with pytest.raises(ConfigError, match="'mlflow' is not known; choose from: wandb, trackio, tensorboard or module"):
        load_logger("mlflow")


def test_loggers_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "class Right:\n    def started(self, run): ...\n    def attempt(self, record, scalars, step): ...\n"
        "    def finished(self, summary): ...\n"
        "class Half:\n    def started(self, run): ...\n"
        "class Broken(Right):\n    def __init__(self): raise KeyError('x')\n"
    )
    assert type(load_logger("own.py:Right", root=tmp_path)).__name__ == "Right"
    with pytest.raises(ConfigError, match="this one lacks attempt, finished"):
        load_logger("own.py:Half", root=tmp_path)
    with pytest.raises(ConfigError, match="cannot be made: KeyError"):
        load_logger("own.py:Broken", root=tmp_path)
