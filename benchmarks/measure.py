"""Timing by hand: medians of interleaved runs, so that a busy moment of the machine hits all candidates alike."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured thing: ``median`` and ``spread`` (difference of the quartiles) in ``unit``, of ``runs`` runs."""

    name: str
    median: float
    spread: float
    runs: int
    unit: str = "ms"


def interleaved(candidates: dict[str, Callable[[], object]], *, runs: int, warm: int = 1) -> dict[str, Figure]:
    """Run every candidate in turn, ``runs`` times; times in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm + runs):
        for name, call in candidates.items():
            started = time.perf_counter()
            call()
            if number >= warm:
                times[name].append((time.perf_counter() - started) * 1000)
    return {name: figure(name, values) for name, values in times.items()}


def figure(name: str, values: list[float], unit: str = "ms") -> Figure:
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return Figure(name, statistics.median(values), quartiles[2] - quartiles[0], len(values), unit)


def show(figures: list[Figure]) -> list[Figure]:
    """Print them, a line each, and hand them on."""
    for each in figures:
        digits = 2 if abs(each.median) < 100 else 1 if abs(each.median) < 1000 else 0
        text = f"{each.median:,.{digits}f} {each.unit}"
        print(f"{each.name:80} {text:>16} ± {each.spread:,.{digits}f}  ({each.runs} runs)", flush=True)
    return figures


def write(figures: list[Figure], out: Path | None, **more: object) -> None:
    """The figures and the machine as JSON, for charts and tables; nothing without ``out``."""
    if out is not None:
        report = {"machine": machine(), **more, "figures": [asdict(each) for each in figures]}
        out.write_text(json.dumps(report, indent=1) + "\n")


def memory_of_tree(pid: int) -> float:
    """MiB of a process and all its descendants: proportional set size, shared pages counted once over all users."""
    total = 0
    for process in (pid, *descendants(pid)):
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended meanwhile
        return found
    for task in tasks:
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
