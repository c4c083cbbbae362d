"""What came of every attempt, looked at after each sitting: nothing lost, nothing made twice, no wrong verdict."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from soaking.course import Course


INFRA = "infra_error"


class Ledger:
    """The attempts of one leg. ``violations`` are what must not be; ``seen`` counts verdicts, infra errors too."""

    def __init__(self, course: Course, output: Path) -> None:
        self._course, self._output = course, output
        self._kept: dict[str, str] = {}
        self._damaged: Counter[str] = Counter()
        self._judged: set[str] = set()
        self.violations: list[str] = []
        self.infra: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()

    def damaged(self, key: str) -> None:
        """The record of this attempt was cut short: it is to be made again."""
        self._damaged[key] += 1
        self._kept.pop(key, None)

    def look(self, *, excuses: list[str], cut: bool) -> None:
        """After a sitting in which this was done to the run; ``cut`` if the session did not come to its end."""
        for key, text in self._records():
            digest = hashlib.sha256(text).hexdigest()
            if digest in self._judged:
                continue
            self._judged.add(digest)
            try:
                record = json.loads(text)
            except ValueError:
                self._complain(f"{key}: a damaged record was left")
                continue
            self._judge(key, digest, record, excuses)
        missing = len(self._course.expected) - len(list(self._records()))
        if missing and not cut and not excuses:
            self._complain(f"{missing} attempts have no record after a whole session")

    def close(self) -> None:
        """After a last sitting in which nothing was done to the run."""
        self.look(excuses=[], cut=False)
        records = {key: json.loads(text) for key, text in self._records()}
        for key, record in records.items():
            if record["verdict"] == INFRA:
                self._complain(f"{key}: still an infra error")
        for key in self._course.expected.keys() - records.keys():
            self._complain(f"{key}: lost")
        for key in records.keys() - self._course.expected.keys():
            self._complain(f"{key}: nobody asked for it")
        self.verdicts.update(record["verdict"] for record in records.values())
        self._check_events()
        self._check_summary(records)

    def _records(self) -> list[tuple[str, bytes]]:
        paths = sorted((self._output / "attempts").glob("*/record.json"))
        return [(path.parent.name, path.read_bytes()) for path in paths]

    def _judge(self, key: str, digest: str, record: dict[str, object], excuses: list[str]) -> None:
        verdict, before = str(record["verdict"]), self._kept.get(key)
        if verdict == INFRA:
            if before is not None:
                self._complain(f"{key}: a finished result became an infra error")
            reasons = str(record["reasons"])
            self.infra[", ".join(excuses) or "nothing"] += 1
            if not excuses:
                self._complain(f"{key}: infra error for no reason: {reasons:.300}")
            return
        if before is not None:
            self._complain(f"{key}: made twice")
        if verdict not in self._course.expected.get(key, ()):
            wanted = " or ".join(self._course.expected.get(key, ("nothing",)))
            done = ", ".join(excuses) or "nothing"
            said = f"{record['reasons']} {str(record.get('error') or '')[-300:]}"
            self._complain(f"{key}: {verdict}, not {wanted} (done to it: {done}): {said:.500}")
        self._kept[key] = digest

    def _check_events(self) -> None:
        made: Counter[str] = Counter()
        for line in (self._output / "events.jsonl").read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a cut in the middle of a line
            if event["event"] == "attempt_finished" and event["verdict"] != INFRA:
                made[event["attempt"]] += 1
        for key, count in made.items():
            if count > 1 + self._damaged[key]:
                self._complain(f"{key}: was finished {count} times")

    def _check_summary(self, records: dict[str, dict[str, object]]) -> None:
        try:
            summary = json.loads((self._output / "summary.json").read_text())
        except (OSError, ValueError) as error:
            self._complain(f"no summary: {error}")
            return
        resolved = sum(record["verdict"] == "resolved" for record in records.values())
        told = (summary["attempts"], summary["resolved"])
        if told != (len(self._course.expected), resolved):
            self._complain(f"the summary tells of {told[0]} attempts, {told[1]} resolved; {resolved} records are")

    def _complain(self, text: str) -> None:
        self.violations.append(text)
