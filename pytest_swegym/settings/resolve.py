"""One :class:`Settings` out of options, environment and ini."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from pytest_swegym.settings.options import OPTIONS
from pytest_swegym.settings.options import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything chosen for a run. ``sources`` tells for each name where it came from."""

    solver: str | None = None
    agent: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    split: str | None = None
    revision: str | None = None
    filter: tuple[str, ...] = ()
    shuffle: int | None = None
    limit: int | None = None
    environments: Path | None = None
    sandbox: str = "auto"
    tools: tuple[str, ...] = ()
    output: Path | None = None
    resume: bool = False
    attempts: int = 1
    jobs: int = 1
    executor: str = "local"
    ray_address: str | None = None
    share: Path | None = None
    fast_fail: bool = False
    shards: int = 1
    prefork: str = "off"
    reward: str = "resolved"
    step_reward: str = "none"
    judge: str | None = None
    check_writer: str | None = None
    fail_under: float | None = None
    baseline: Path | None = None
    alpha: float = 0.05
    max_infra: float | None = None
    monitor: bool = False
    log: tuple[str, ...] = ()
    no_cache: bool = False
    timeout: float | None = None
    solve_timeout: float | None = None
    max_steps: int | None = None
    seed: int = 0
    mirror: Path | None = None
    offline: bool = False
    registry: str = ""
    disk_budget: float | None = None
    protect: str = "strict"
    compat: str = "same-run"
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        return self.sources.get(name, "default")


def resolve(
    options: Callable[[Option], Any],
    ini: Callable[[Option], Any],
    environ: Mapping[str, str],
    *,
    cwd: Path,
    ini_dir: Path,
) -> Settings:
    """Option, then environment, then ini, then default. Relative paths start at ``cwd``, in the ini at ``ini_dir``.

    Raises :class:`argparse.ArgumentTypeError`, naming the ini value or variable that is wrong, or options that
    contradict each other.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for entry in OPTIONS:
        name = entry.name.replace("-", "_")
        value, source = _choose(entry, options, ini, environ)
        base = ini_dir if source == "ini" else cwd
        if isinstance(value, Path):
            value = base / value
        elif name in ("tasks", "tools", "agent") and source == "ini":
            # A bare word is a name of ours before it is a folder of tools.
            value = tuple(_anchored(word, base) if name != "tools" or "/" in word else word for word in value)
        values[name], sources[name] = value, source
    if values["fast_fail"] and (problem := counts_all(values["reward"], values["step_reward"])):
        raise argparse.ArgumentTypeError(f"--swegym-fast-fail: {problem}")
    return Settings(**values, sources=sources)


def counts_all(reward: str, step_reward: str, *, said: Callable[[str, str], str] | None = None) -> str:
    """Why rewards need every listed test to run, and what to choose instead; empty if they do not.

    ``said`` is how a choice is written, of its name and its value; as an option, unless told otherwise.
    """
    said = said or (lambda name, value: f"--swegym-{name.replace('_', '-')}={value}")
    for option, name, instead in (("reward", reward, "resolved"), ("step_reward", step_reward, "none")):
        if name in ("fraction", "weighted", "delta", "tests"):
            return (
                f"the grade ends at the first test that is lost, and {said(option, name)} counts all; choose"
                f" {said(option, instead)}"
            )
    return ""


def _choose(
    entry: Option, options: Callable[[Option], Any], ini: Callable[[Option], Any], environ: Mapping[str, str]
) -> tuple[Any, str]:
    given = options(entry)
    if given is not None:
        return given, "option"
    if environ.get(entry.env):
        return _parsed(entry, environ[entry.env], f"environment variable {entry.env}"), "environment"
    written = ini(entry)
    if written is None or written == []:
        return entry.default, "default"
    if entry.is_list:
        return tuple(word for line in written for word in entry.parse(line)), "ini"
    return _parsed(entry, str(written), f"ini value {entry.dest}"), "ini"


def _parsed(entry: Option, text: str, what: str) -> Any:
    try:
        return entry.parse(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{what}: {error}") from None


def _anchored(word: str, base: Path) -> str:
    """A file or folder of an ini is relative to the ini; what is none there is a name."""
    return str(base / word) if (base / word).exists() else word
