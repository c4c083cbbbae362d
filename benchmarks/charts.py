"""Charts of the documentation, from ``benchmarks/figures``: ``python benchmarks/charts.py`` (needs matplotlib).

``make charts`` installs it, in the dependency group ``charts``. Every chart is written as SVG and as PNG to
``docs/charts``, the same for the same figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).parent))

import matplotlib as mpl
from parts import FIGURES


mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter
from matplotlib.ticker import NullFormatter


CHARTS = Path(__file__).resolve().parents[1] / "docs" / "charts"
OURS, THEIRS, SECOND, INK = "#1f6feb", "#9aa4b2", "#d9822b", "#24292f"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "swegym",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#d0d7de",
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eaeef2",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
Values = dict[str, dict[str, float]]


def main() -> None:
    CHARTS.mkdir(exist_ok=True)
    plt.rcParams.update(STYLE)
    charts: dict[str, tuple[str, Callable[[Values], Any]]] = {
        "side_by_side": ("side_by_side", side_by_side),
        "left_behind": ("side_by_side", left_behind),
        "alive": ("scaling", alive),
        "files": ("scaling", files),
        "cluster": ("simulation", cluster),
        "check": ("simulation", check),
    }
    for name, (part, draw) in charts.items():
        path = FIGURES / f"{part}.json"
        if not path.exists():
            print(f"{name}: {path.name} has not been measured")
            continue
        chart = draw(crossed(json.loads(path.read_text())["figures"]))
        chart.savefig(CHARTS / f"{name}.svg", metadata={"Date": None})
        chart.savefig(CHARTS / f"{name}.png", dpi=110, metadata={"Software": None})
        plt.close(chart)


def crossed(figures: list[dict[str, Any]]) -> Values:
    """``row: column`` of each name as a table of medians."""
    found: Values = {}
    for each in figures:
        row, _, column = each["name"].rpartition(": ")
        found.setdefault(row, {})[column] = each["median"]
    return found


def side_by_side(values: Values) -> Any:
    panels = {
        "start to first command": "milliseconds",
        "one step": "milliseconds",
        "reset to a fresh episode": "milliseconds",
        "one full grade": "milliseconds",
        "20 at once": "milliseconds",
        "memory per idle environment": "MiB",
    }
    chart, axes = plt.subplots(2, 3, figsize=(12, 5.6))
    for axis, (title, unit) in zip(axes.flat, panels.items(), strict=True):
        bars(axis, values.get(title, {}), log=True)
        axis.set_title(title.replace("per idle environment", "of an idle one"))
        axis.set_xlabel(unit)
    chart.suptitle("less is better; logarithmic", fontsize=9, x=0.995, ha="right")
    return chart


def left_behind(values: Values) -> Any:
    chart, axes = plt.subplots(1, 3, figsize=(11, 2.9))
    for axis, what in zip(axes, ("containers", "processes", "mounts"), strict=True):
        bars(axis, values.get(f"left after kill -9, {what}", {}), log=False)
        axis.set_title(f"{what} left 5 s after kill -9")
    return chart


def bars(axis: Any, found: dict[str, float], *, log: bool) -> None:
    """One bar a candidate, ours in colour, the value at its end."""
    names = list(found)[::-1]
    values = [found[name] for name in names]
    drawn = axis.barh(names, values, color=[OURS if name.startswith("swegym") else THEIRS for name in names])
    axis.bar_label(drawn, [short(value) for value in values], padding=3, fontsize=8)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    if log and values:
        axis.set_xscale("log")
        axis.set_xlim(min(values) / 3, max(values) * 6)
        plain(axis.xaxis)
    elif values:
        axis.set_xlim(0, max(*values, 1) * 1.2)


def alive(values: Values) -> Any:
    rows = {int(row.split()[0].replace(",", "")): found for row, found in values.items() if row.endswith(" alive")}
    chart, (times, memory) = plt.subplots(1, 2, figsize=(9, 3.2))
    line(times, rows, "start of one more", OURS)
    line(times, rows, "one step", SECOND)
    times.set(yscale="log", xlabel="sandboxes alive", ylabel="milliseconds", title="Start and step")
    times.legend()
    line(memory, rows, "memory of each", OURS)
    memory.set(xlabel="sandboxes alive", ylabel="MiB each", title="Memory")
    memory.set_ylim(bottom=0)
    logarithmic(times, memory)
    return chart


def files(values: Values) -> Any:
    rows = {int(row.split()[0].replace(",", "")): found for row, found in values.items() if row.endswith(" files")}
    chart, axis = plt.subplots(figsize=(6, 3.4))
    for what, colour in (("start to first command", OURS), ("snapshot, fork, first command", SECOND), ("diff", THEIRS)):
        line(axis, rows, what, colour)
    axis.set(yscale="log", xlabel="files in the repository", ylabel="milliseconds")
    logarithmic(axis)
    axis.set_title("A larger repository")
    axis.legend()
    return chart


def cluster(values: Values) -> Any:
    chart, (rates, waits) = plt.subplots(1, 2, figsize=(9, 3.4))
    by_nodes = {int(row.split()[2]): found for row, found in values.items() if "as many episodes on each" in row}
    whole = values.get("cluster of 100 nodes of 8 cores")
    if whole:
        by_nodes[100] = whole
    line(rates, by_nodes, "rate", OURS)
    rates.set(yscale="log", xlabel="nodes of 8 cores, 100 episodes alive on each", ylabel="episodes/min")
    logarithmic(rates)
    rates.set_title("Rate")
    even = (row for row in values if row.startswith("cluster of 100 nodes") and "," not in row)
    by_cores = {int(row.split()[5]): values[row] for row in even}
    line(waits, by_cores, "of an episode, waiting for a core", SECOND, "waiting for a core, % of an episode")
    line(waits, by_cores, "cores in use", OURS, "cores in use, %")
    waits.set(xlabel="cores of each of 100 nodes, 100 episodes alive on each", ylabel="%", ylim=(0, 105))
    waits.set_title("How many cores")
    waits.legend()
    return chart


def check(values: Values) -> Any:
    rows = {row: found for row, found in values.items() if row.startswith("check: ")}
    chart, axis = plt.subplots(figsize=(6, 2.2))
    found = {
        f"{what}, {row.rpartition(', ')[2]}": rows[row][what] for what in ("all of them", "one episode") for row in rows
    }
    bars(axis, found, log=False)
    axis.set(xlabel="seconds", title=next(iter(rows), "check: ").removeprefix("check: ").rpartition(", ")[0])
    return chart


def line(axis: Any, rows: dict[int, dict[str, float]], what: str, colour: str, label: str = "") -> None:
    at = sorted(row for row, found in rows.items() if what in found)
    axis.plot(at, [rows[row][what] for row in at], "o-", color=colour, label=label or what, markersize=4)


def logarithmic(*axes: Any) -> None:
    for axis in axes:
        axis.set_xscale("log")
        plain(axis.xaxis)
        if axis.get_yscale() == "log":
            plain(axis.yaxis)


def plain(axis: Any) -> None:
    """Numbers as they are spoken at a logarithmic axis, and none between the powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


if __name__ == "__main__":
    main()
