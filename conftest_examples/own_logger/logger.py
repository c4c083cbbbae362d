"""The numbers of each attempt as lines of CSV."""

from __future__ import annotations

import csv


COLUMNS = ("attempt/reward", "attempt/seconds", "run/resolved_rate")


class Csv:
    def started(self, run):
        self.path = run.folder / "numbers.csv"
        self._add("step", "attempt", *COLUMNS)

    def attempt(self, record, scalars, step):
        self._add(step, record.key, *(scalars.get(name, "") for name in COLUMNS))

    def finished(self, summary):
        self._add("all", "", summary.get("mean_reward", ""), sum(_seconds(summary)), summary.get("rate", ""))

    def _add(self, *cells):
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(cells)


def _seconds(summary):
    return (value for name, value in summary.items() if name.startswith("seconds/"))
