"""Every option: for pytest's command line and ini file, the environment, and our own command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_swegym.settings.parse import one_of
from pytest_swegym.settings.parse import parse_count
from pytest_swegym.settings.parse import parse_flag
from pytest_swegym.settings.parse import parse_lines
from pytest_swegym.settings.parse import parse_path
from pytest_swegym.settings.parse import parse_rate
from pytest_swegym.settings.parse import parse_registry
from pytest_swegym.settings.parse import parse_seconds
from pytest_swegym.settings.parse import parse_shards
from pytest_swegym.settings.parse import parse_size
from pytest_swegym.settings.parse import parse_whole
from pytest_swegym.settings.parse import parse_word
from pytest_swegym.settings.parse import parse_words


#: Sandboxes known by name; anything else is ``module:attr``, or a name that a hook answers to.
SANDBOXES = ("auto", "bubblewrap", "docker", "podman", "unsafe-host")
REWARDS = ("resolved", "fraction", "weighted", "delta")
STEP_REWARDS = ("none", "tests", "similarity", "distance")
PROTECT = ("strict", "tests", "off")
COMPAT = ("same-run", "harness", "off")
EXECUTORS = ("local", "ray")
PREFORK = ("off", "on")
LOGGERS = ("wandb", "trackio", "tensorboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing to choose: ``--swegym-NAME``, ini ``swegym_NAME``, environment ``SWEGYM_NAME``."""

    name: str
    parse: Callable[[str], Any]
    help: str
    metavar: str = ""
    default: Any = None
    ini: str = "string"

    @property
    def dest(self) -> str:
        return "swegym_" + self.name.replace("-", "_")

    @property
    def env(self) -> str:
        return self.dest.upper()

    @property
    def is_flag(self) -> bool:
        return self.parse is parse_flag

    @property
    def is_list(self) -> bool:
        return self.parse in (parse_words, parse_lines)


OPTIONS: tuple[Option, ...] = (
    Option(
        name="solver", parse=parse_word, metavar="NAME",
        help="who makes the patch: module:attr, file.py:attr, gold, empty, predictions:FILE, command:PROGRAM, openai,"
             " best_of:N, genetic, or step by step human, scripted:FILE, replay:FILE or random",
    ),
    Option(
        name="agent", parse=parse_lines, metavar="KEY=VALUE", default=(), ini="linelist",
        help="how an agent works: model=NAME, max_cost=0.5, ... or a .toml file of them; repeatable, the last one wins",
    ),
    Option(
        name="tasks", parse=parse_words, metavar="NAME", default=(), ini="linelist",
        help="tasks to run: a file or folder, lite, verified, full, ..., or OWNER/NAME of Hugging Face; repeatable",
    ),
    Option(name="split", parse=parse_word, metavar="NAME",
           help="split of a data set of --swegym-tasks. Default: the one that holds its tasks"),
    Option(name="revision", parse=parse_word, metavar="REV",
           help="commit, tag or branch of a data set of Hugging Face. Default: its newest"),
    Option(name="filter", parse=parse_lines, metavar="EXPR", default=(), ini="linelist",
           help="rows to run: a glob on the instance id, FIELD=GLOB, FIELD!=GLOB or FIELD>VALUE; repeatable, all hold"),
    Option(name="shuffle", parse=parse_whole, metavar="SEED", ini="int",
           help="run the rows in another order, the same for the same SEED"),
    Option(name="limit", parse=parse_count, metavar="N", ini="int",
           help="run the first N rows of each source, after filters and shuffle"),
    Option(name="environments", parse=parse_path, metavar="FILE",
           help="map (.toml or .json) of instance ids and repositories to Python, packages and commands"),
    Option(
        name="sandbox", parse=parse_word, metavar="NAME", default="auto",
        help=f"where commands run: {', '.join(SANDBOXES)} or module:attr. Default: auto",
    ),
    Option(
        name="tools", parse=parse_words, metavar="DIR", default=(), ini="linelist",
        help="tools in every solver's sandbox: shipped ones (search, edit, windowed, ...) or folders; repeatable",
    ),
    Option(
        name="output", parse=parse_path, metavar="DIR",
        help="folder of the records. Default: swegym-results/RUN-ID below the rootdir",
    ),
    Option(name="resume", parse=parse_flag, default=False, ini="bool",
           help="continue the run in --swegym-output: what has finished there is reported, not run again"),
    Option(name="attempts", parse=parse_count, metavar="K", default=1, ini="int",
           help="attempts at each task. Default: 1"),
    Option(name="jobs", parse=parse_count, metavar="N", default=1, ini="int",
           help="attempts that run at the same time in this process. Default: 1"),
    Option(name="executor", parse=one_of(EXECUTORS, or_name=False), metavar="NAME", default="local",
           help=f"where attempts run: {', '.join(EXECUTORS)}. Default: local, in threads of this process"),
    Option(name="ray-address", parse=parse_word, metavar="ADDRESS",
           help="the Ray cluster of --swegym-executor=ray: HOST:PORT, or local: one that is started for this run."
                " Default: the one of this machine, else local"),
    Option(name="share", parse=parse_path, metavar="DIR",
           help="folder that all machines see, through which prepared environments reach them. Default: Ray itself"),
    Option(name="fast-fail", parse=parse_flag, default=False, ini="bool",
           help="end a grade at the first FAIL_TO_PASS or PASS_TO_PASS test that is lost, and after the last of them"),
    Option(name="shards", parse=parse_shards, metavar="N", default=1,
           help="run the tests of one grade in up to N processes at once, or auto: as many as cores are idle."
                " Default: 1"),
    Option(name="prefork", parse=one_of(PREFORK, or_name=False), metavar="MODE", default="off",
           help="on: the tests' Python is started ahead of each grade, with pytest imported, in a fresh sandbox."
                " Default: off"),
    Option(name="reward", parse=one_of(REWARDS, or_name=True), metavar="NAME", default="resolved",
           help=f"how a grade becomes a number: {', '.join(REWARDS)} or module:attr. Default: resolved"),
    Option(name="step-reward", parse=one_of(STEP_REWARDS, or_name=True), metavar="NAME", default="none",
           help=f"reward of each step of a solver that plays step by step: {', '.join(STEP_REWARDS)} or module:attr."
                " Default: none"),
    Option(name="judge", parse=parse_word, metavar="NAME",
           help="module:attr that grades, from 0 to 10, tasks that nothing but prose says how to check"),
    Option(name="check-writer", parse=parse_word, metavar="NAME",
           help="module:attr that writes checks for such tasks; they are kept in a file for review"),
    Option(name="fail-under", parse=parse_rate, metavar="RATE", ini="float",
           help="fail the run if the resolved rate is below RATE (0 to 1)"),
    Option(name="baseline", parse=parse_path, metavar="FILE",
           help="fail the run if it resolves less than this earlier one (its summary.json or folder) beyond chance"),
    Option(name="alpha", parse=parse_rate, metavar="P", default=0.05, ini="float",
           help="how unlikely by chance a loss against --swegym-baseline must be to fail the run. Default: 0.05"),
    Option(name="max-infra", parse=parse_rate, metavar="RATE", ini="float",
           help="fail the run as not trustworthy (exit status 3) if more than RATE of it are infra errors"),
    Option(name="monitor", parse=parse_flag, default=False, ini="bool",
           help="show a line for each attempt that runs, as it goes on"),
    Option(name="log", parse=parse_words, metavar="NAME", default=(), ini="linelist",
           help=f"also send what happens to: {', '.join(LOGGERS)} or module:attr; repeatable. events.jsonl is"
             " always written"),
    Option(name="no-cache", parse=parse_flag, default=False, ini="bool",
           help="grade every patch anew, also one that was graded before"),
    Option(name="timeout", parse=parse_seconds, metavar="SECONDS", ini="float",
           help="limit of one run of the tests, instead of each task's own"),
    Option(name="solve-timeout", parse=parse_seconds, metavar="SECONDS", ini="float",
           help="limit of one solve, instead of each task's own"),
    Option(name="max-steps", parse=parse_count, metavar="N", ini="int",
           help="most steps of a solver that plays step by step; what is there by then is graded. Default: no limit"),
    Option(name="seed", parse=parse_whole, metavar="N", default=0, ini="int",
           help="seed of the first attempt at a task; attempt I has seed N + I. Default: 0"),
    Option(name="mirror", parse=parse_path, metavar="DIR",
           help="folder of bare git repositories to use instead of the network"),
    Option(name="offline", parse=parse_flag, default=False, ini="bool",
           help="fetch no repository, package, image or data set: use what is cached or mirrored"),
    Option(name="registry", parse=parse_registry, metavar="PREFIX",
           default="",
           help="mirror to pull the images of Docker Hub from, such as mirror.local:5000"),
    Option(name="disk-budget", parse=parse_size, metavar="GIB", ini="float",
           help="keep what runs leave in the cache and in Docker below GIB: what was used longest ago goes first"),
    Option(name="protect", parse=one_of(PROTECT, or_name=False), metavar="MODE", default="strict",
           help="files that grading puts back: strict (tests and test configuration), tests or off. Default: strict"),
    Option(name="compat", parse=one_of(COMPAT, or_name=False), metavar="MODE", default="same-run",
           help="the SWE-bench harness's verdict beside ours: of the same run, of a run by its rules (harness), or off."
                " Default: same-run"),
)  # fmt: skip


def option(name: str) -> Option:
    return next(found for found in OPTIONS if found.name == name)


def add_option(add: Callable[..., Any], entry: Option, *, prefix: str = "swegym-") -> None:
    """Define ``entry`` through ``add``, an ``addoption`` or ``add_argument``."""
    flag = f"--{prefix}{entry.name}"
    if entry.is_flag:
        add(flag, dest=entry.dest, action="store_true", default=None, help=entry.help)
    elif entry.is_list:
        add(
            flag,
            dest=entry.dest,
            action=_Extend,
            type=entry.parse,
            metavar=entry.metavar,
            default=None,
            help=entry.help,
        )
    else:
        add(flag, dest=entry.dest, type=entry.parse, metavar=entry.metavar, default=None, help=entry.help)


class _Extend(argparse.Action):
    """``--x=a,b --x=c`` as one tuple."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, (*(getattr(namespace, self.dest) or ()), *values))
