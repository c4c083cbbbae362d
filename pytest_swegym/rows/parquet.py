"""Rows of episodes as Parquet, in columns whose types do not depend on what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_swegym._support.paths import replacing


_ABOUT = {
    "instance_id": "string", "attempt": "int64", "candidate": "int64", "seed": "int64", "solver": "string",
    "protocol": "string", "run_id": "string", "task_key": "string", "verdict": "string", "resolved": "bool",
    "reward_name": "string", "cut": "bool", "reward": "float64", "model": "string", "requests": "int64",
    "prompt_tokens": "int64", "cached_tokens": "int64", "completion_tokens": "int64", "cost": "float64",
}  # fmt: skip
#: The columns of a row for each step, and their types.
STEPS = {
    **_ABOUT, "episode_reward": "float64", "step": "int64", "action": "string", "kind": "string", "text": "string",
    "output": "string", "exit_code": "int64", "timed_out": "bool", "diff": "string", "tree": "string",
    "notice": "string", "terminated": "bool", "truncated": "bool", "ending": "string", "started_at": "float64",
    "seconds": "float64", "state": "string",
}  # fmt: skip
#: The columns of a row for each episode; ``tools`` is JSON.
EPISODES = {**_ABOUT, "steps": "int64", "messages": "messages", "tools": "json"}
_WANTED: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "int64": (int,), "float64": (int, float), "bool": (bool,)
}  # fmt: skip
#: Rows that are written together.
_AT_ONCE = 256


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
    """Write ``path``, whole or not at all; returns how many rows there were. What is not in ``columns`` is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type(pa, kind)) for name, kind in columns.items()])
    count, waiting = 0, iter(rows)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        while some := [_row(row, columns) for row in islice(waiting, _AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def _row(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: _value(row.get(name), kind) for name, kind in columns.items()}


def _value(value: Any, kind: str) -> Any:
    """The value if it is of its column's type: a trajectory is a file that anybody may have written."""
    if kind == "json":
        return None if value is None else json.dumps(value)
    if kind == "messages":
        return value
    fits = isinstance(value, _WANTED[kind]) and isinstance(value, bool) == (kind == "bool")
    if not fits or (kind == "int64" and abs(value) >= 2**63):
        return None
    try:
        return float(value) if kind == "float64" else value
    except OverflowError:
        return None


def _type(pa: Any, kind: str) -> Any:
    if kind == "messages":
        function = pa.struct([("name", pa.string()), ("arguments", pa.string())])
        call = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", function)])
        parts = [("role", pa.string()), ("content", pa.string()), ("reasoning_content", pa.string())]
        return pa.list_(pa.struct([*parts, ("tool_calls", pa.list_(call)), ("tool_call_id", pa.string())]))
    return {"string": pa.string(), "json": pa.string(), "int64": pa.int64(), "float64": pa.float64(),
            "bool": pa.bool_()}[kind]  # fmt: skip
