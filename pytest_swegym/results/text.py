"""Records as text for people."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

from pytest_swegym._support.text import one_line
from pytest_swegym.grading.protect import edited_tests
from pytest_swegym.results.spending import spending_lines
from pytest_swegym.results.summary import Summary
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import P2P_OK
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome


#: Rows of a list that are shown.
ROWS = 40
TAIL_LINES = 40


def explain(record: AttemptRecord) -> str:
    """The verdict in a sentence or two."""
    lists = {
        "FAIL_TO_PASS": (record.fail_to_pass, F2P_OK),
        "PASS_TO_PASS": (record.pass_to_pass, P2P_OK),
    }
    counts = [
        f"{sum(outcome in ok for outcome in found.values())}/{len(found)} {name}"
        for name, (found, ok) in lists.items()
        if found
    ]
    text = f"{record.key}: {record.verdict.value}"
    if counts:
        text += f", {', '.join(counts)}"
    # A single list was just named: its reasons need not say it again.
    named = f"{counts[0].split()[1]}: " if len(counts) == 1 else ""
    reasons = "; ".join(one_line(reason.removeprefix(named), 1000) for reason in record.reasons[:3])
    if record.compat and record.disagrees:
        text += f" (the SWE-bench harness would say {'resolved' if record.compat.resolved else 'unresolved'})"
    return text if record.resolved or not reasons else f"{text}: {reasons}"


def outcome_table(record: AttemptRecord) -> str:
    """The listed tests that do not hold, what each came to, and why the verdict is what it is."""
    lines: list[str] = []
    lines += _list("FAIL_TO_PASS", record.fail_to_pass, F2P_OK)
    lines += _list("PASS_TO_PASS", record.pass_to_pass, P2P_OK)
    if edited := edited_tests(record.patch):
        lines.append(f"the patch edits tests: {', '.join(edited)}")
    if record.protected:
        lines.append(f"put back before grading: {', '.join(record.protected)}")
    lines += [f"reason: {reason}" for reason in record.reasons]
    return "\n".join(lines)


def _list(name: str, found: Mapping[str, Outcome], ok: Collection[Outcome]) -> Iterator[str]:
    if not found:
        return
    yield f"{name}: {sum(outcome in ok for outcome in found.values())} of {len(found)} hold"
    rows = [(test, outcome) for test, outcome in found.items() if outcome not in ok]
    if len(rows) == len(found) and all(outcome is Outcome.MISSING for _, outcome in rows):
        yield "  none of them ran"
        return
    ran = [(test, outcome) for test, outcome in rows if outcome is not Outcome.NOT_RUN]
    for test, outcome in ran[:ROWS]:
        yield f"  {outcome.value:8} {one_line(test, 500)}"
    if len(ran) > ROWS:
        yield f"  ... and {len(ran) - ROWS} more"
    if len(ran) < len(rows):
        yield f"  {len(rows) - len(ran)} were not run: the grade had ended"


def log_tail(log: bytes, lines: int = TAIL_LINES) -> str:
    """The last lines of a test log, made safe for a terminal."""
    text = log[-64 * 2**10 :].decode("utf-8", "replace")
    safe = "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)
    return "\n".join(safe.splitlines()[-lines:])


def summary_lines(summary: Summary) -> Iterator[str]:
    """The summary, a line for each thing to know."""
    if summary.rate is None:
        yield f"resolved 0/0: none of {summary.attempts} attempts was graded"
    else:
        reward = "" if summary.mean_reward is None else f", mean reward {summary.mean_reward:.3f}"
        yield f"resolved {summary.resolved}/{summary.graded} ({summary.rate:.1%}){reward}"
    if summary.interval:
        yield f"95% interval of the rate: {summary.interval[0]:.1%} to {summary.interval[1]:.1%}"
    yield "verdicts: " + ", ".join(f"{name} {count}" for name, count in summary.verdicts.items())
    if summary.infra_errors:
        names = ", ".join(summary.infra_errors[:5]) + (", ..." if len(summary.infra_errors) > 5 else "")
        yield f"infra errors, not counted above: {len(summary.infra_errors)} ({names})"
    if summary.unrunnable:
        names = ", ".join(summary.unrunnable[:5]) + (", ..." if len(summary.unrunnable) > 5 else "")
        yield f"of these, tasks that cannot run here: {len(summary.unrunnable)} ({names})"
    if summary.cached:
        yield f"grades taken from the cache: {summary.cached} (the same patch was graded before; --swegym-no-cache)"
    if summary.test_edits:
        names = ", ".join(summary.test_edits[:5]) + (", ..." if len(summary.test_edits) > 5 else "")
        yield f"patches that edit tests: {len(summary.test_edits)} ({names})"
    if summary.judged:
        yield (
            f"SWE-bench harness: resolved {summary.harness_resolved}/{summary.judged},"
            f" other verdicts than ours: {len(summary.disagreements)}"
        )
    for each in summary.disagreements[:ROWS]:
        yield f"  {each.attempt}: {each.verdict}, harness: {one_line(each.harness)}"
    if len(summary.disagreements) > ROWS:
        yield f"  ... and {len(summary.disagreements) - ROWS} more in summary.json"
    if len(summary.pass_at) > 1:
        yield ", ".join(f"pass@{k} {value:.3f}" for k, value in summary.pass_at.items())
    if summary.seconds:
        yield "time: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in summary.seconds.items())
    yield from spending_lines(summary.spent)
    if summary.failures:
        yield "failed: " + ", ".join(map(str, summary.failures))
    for reason, count in summary.reasons[:3]:
        yield f"not resolved, {count}x: {one_line(reason)}"
