"""How good a state is, as a number. Each takes a :class:`State`, the first two a log of it as well."""

from __future__ import annotations

from pytest_swegym.env.segym.state import Log
from pytest_swegym.env.segym.state import State


def percent_successfull(test_results: State | Log) -> float:
    """The share of tests that hold, from 0 to 1; 1 is the issue resolved. Nothing was run: 0."""
    log = _log(test_results)
    return (len(log) - num_failed_tests(test_results)) / len(log) if log else 0.0


def num_failed_tests(test_results: State | Log) -> int:
    """How many tests failed or broke; all of them, if the patch did not apply."""
    return sum(test["status"] in ("failed", "error") for test in _log(test_results).values())


def execution_speed(state: State) -> float:
    """How fast the state came about, from 0 to 1: half of it after a second, a third after two.

    Counted is all since the state before it, the player's own time included.
    """
    return 1 / (1 + state.seconds)


def number_retries(state: State) -> float:
    """How many actions it took beyond the first, those that were no patch included."""
    return float(max(state.steps - 1, 0))


def _log(test_results: State | Log) -> Log:
    if isinstance(test_results, State):
        return test_results.logs[-1] if test_results.logs else {}
    return test_results


__all__ = ["execution_speed", "num_failed_tests", "number_retries", "percent_successfull"]
