"""``swegym play``: a task played step by step, by a person or another player, and graded; without pytest."""

from __future__ import annotations

import argparse
import difflib
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_swegym._support.redact import redact
from pytest_swegym._support.text import one_line
from pytest_swegym.agents import PLAYERS
from pytest_swegym.agents import AgentSolver
from pytest_swegym.agents import load_player
from pytest_swegym.agents.solver import PROTOCOL
from pytest_swegym.cli.common import add_shared
from pytest_swegym.cli.common import chosen
from pytest_swegym.cli.common import chosen_function
from pytest_swegym.cli.common import chosen_tasks
from pytest_swegym.cli.common import open_lab
from pytest_swegym.cli.words import spoken
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import ConfigError
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.results.cache import GradeCache
from pytest_swegym.results.ended import ended
from pytest_swegym.results.page import write_pages
from pytest_swegym.results.text import explain
from pytest_swegym.results.text import log_tail
from pytest_swegym.results.text import outcome_table
from pytest_swegym.session import PROTOCOLS
from pytest_swegym.session import load_protocol
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Task
from pytest_swegym.task import Verdict
from pytest_swegym.tools import Toolset
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.workspace import Occasion


#: Seconds that a person has, if nobody says otherwise.
_DAY = 86400.0
#: Lines of what a step of the machinery printed before it failed.
_TAIL = 15
#: Characters that are shown of an action.
_ACTION = 60
#: Task ids in an error.
_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym play``."""
    parser.add_argument(
        "--task", metavar="ID", help="instance id of the task, or what follows its last __. Default: the first task"
    )
    parser.add_argument(
        "--solver", default="human", metavar="NAME",
        help=f"who plays: {', '.join(PLAYERS)}; scripted and replay with :FILE, openai:MODEL. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", default=PROTOCOL, metavar="NAME",
        help=f"how actions are written, if the player does not say: {', '.join(PROTOCOLS)}. Default: %(default)s",
    )  # fmt: skip
    add_shared(
        parser,
        "agent",
        "tools",
        "output",
        "reward",
        "judge",
        "check-writer",
        "seed",
        "max-steps",
        "solve-timeout",
        "timeout",
    )
    parser.epilog = "exit status: 0 resolved, 1 not resolved, 3 the machinery failed, 4 wrong use"


def main(options: argparse.Namespace) -> int:
    """Play, grade, keep the record and the trajectory, tell what came of it."""
    load_protocol(options.protocol)
    player = load_player(options.solver, words=chosen(options, "agent"))
    solver = AgentSolver(player, protocol=options.protocol)
    tools = Toolset.load(chosen(options, "tools")) if chosen(options, "tools") else None
    task = _timed(_pick(chosen_tasks(options), options.task), options, alone=solver.player.alone)
    run_id = time.strftime("%Y%m%d-%H%M%S")
    store = ResultStore(root=chosen(options, "output") or Path("swegym-results") / run_id)
    if any(store.folder(task.id).glob("*")):
        raise ConfigError(f"--output={store.root} holds an attempt at {task.id} already; choose another folder")
    graders = {"judge": chosen_function(options, "judge"), "check_writer": chosen_function(options, "check-writer")}
    lab = open_lab(options, tools=tools, grades=GradeCache.default(), **graders)
    try:
        record = _played(task, solver, lab, store, options, run_id)
    finally:
        lab.close()
    print(f"\n{outcome_table(record)}\n{spoken(explain(record), options)}".rstrip())
    if record.verdict is Verdict.INFRA_ERROR and (printed := (record.error or "").partition("\n")[2]):
        print(f"the last that was printed:\n{log_tail(printed.encode('utf-8', 'replace'), _TAIL)}")
    if how := ended(record):
        print(how)
    print(f"reward {'none' if record.reward is None else f'{record.reward:g}'} ({record.reward_name})")
    print(f"record and {TRAJECTORY}: {store.folder(record.key)}")
    print(f"page: {write_pages(store.root)[0]}")
    if record.verdict is Verdict.INFRA_ERROR:
        return 3
    return 0 if record.resolved else 1


def _played(
    task: Task, solver: AgentSolver, lab: Lab, store: ResultStore, options: argparse.Namespace, run_id: str
) -> AttemptRecord:
    reward: str = chosen(options, "reward")
    attempt = Attempt(
        task,
        solver,
        lab,
        reward=lambda spec, grade: compute_reward(reward, grade),
        reward_name=reward,
        seed=chosen(options, "seed"),
        solver_name=options.solver,
        run_id=run_id,
        occasion=Occasion(
            folder=store.folder(task.id),
            steps=chosen(options, "max-steps"),
            on_event=None if solver.player.alone else _told,
        ),
    )
    record = attempt.record()
    try:
        grade = attempt.grade()
    except Exception:  # the record says what was wrong
        grade = None
    store.write(record, grade, attempt.tree)
    return record


def _told(event: Mapping[str, Any]) -> None:
    """A step as it happens, in a short line; a person sees all of it anyway."""
    if event.get("event") != "step":
        return
    seen = event["observation"]
    action = one_line(" ".join(redact(str(event["action"])[: 50 * _ACTION]).split()), _ACTION)
    code = "" if seen.get("exit_code") is None else f" (exit code {seen['exit_code']})"
    print(f"step {seen['step']}: {event['kind']} {action}{code}", flush=True)


def _pick(tasks: Sequence[Task], wanted: str | None) -> Task:
    if not tasks:
        raise ConfigError("there is no task; see --filter and --limit")
    if wanted is None:
        return tasks[0]
    exact = [task for task in tasks if task.id == wanted]
    found = exact or [task for task in tasks if task.id.endswith(f"__{wanted}")]
    if len(found) == 1:
        return found[0]
    ids = [task.id for task in found or tasks]
    close = difflib.get_close_matches(wanted, ids, _LISTED)
    listed = [*close, *(each for each in ids if each not in close)]
    more = f" ... and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    names = ", ".join(listed[:_LISTED]) + more
    raise ConfigError(f"--task={wanted}: {'several are meant' if found else 'no such task'}; choose from: {names}")


def _timed(task: Task, options: argparse.Namespace, *, alone: bool) -> Task:
    """The task with the limits of the command line; a person is not hurried."""
    limits = task.spec.limits
    solving = chosen(options, "solve-timeout") or (_DAY if alone else limits.solve_timeout)
    limits = replace(limits, solve_timeout=solving, timeout=chosen(options, "timeout") or limits.timeout)
    return replace(task, spec=replace(task.spec, limits=limits))
