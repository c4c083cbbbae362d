"""Options, ini values and markers; one :class:`Settings` out of them."""

from __future__ import annotations

import argparse
import os
from typing import Any

import pytest

from pytest_swegym.settings import OPTIONS
from pytest_swegym.settings import Option
from pytest_swegym.settings import Settings
from pytest_swegym.settings import add_option
from pytest_swegym.settings import resolve


SETTINGS = pytest.StashKey[Settings]()

_MARKER = (
    "swegym(*, repo, fail_to_pass, pass_to_pass, tasks, **fields): a software-engineering task, or all tasks of a file;"
    " the test takes swegym_result or another swegym_* fixture."
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_swegym import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


# Help texts are one phrase each: what the value is, its form, its default.
def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("swegym", "software-engineering tasks")
    for entry in OPTIONS:
        add_option(group.addoption, entry)
        parser.addini(entry.dest, f"--swegym-{entry.name}, when not given", type=entry.ini, default=None)  # type: ignore[arg-type]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[SETTINGS] = _read(config)


def _read(config: pytest.Config) -> Settings:
    def given(entry: Option) -> Any:
        return config.getoption(entry.dest)

    def written(entry: Option) -> Any:
        return config.getini(entry.dest)

    ini_dir = config.inipath.parent if config.inipath else config.rootpath
    try:
        settings = resolve(given, written, os.environ, cwd=config.invocation_params.dir, ini_dir=ini_dir)
    except argparse.ArgumentTypeError as error:
        raise pytest.UsageError(str(error)) from None
    if settings.resume and settings.output is None:
        raise pytest.UsageError("--swegym-resume continues the run of a folder: give it as --swegym-output=DIR")
    choosing = [
        name for name in ("split", "revision", "filter", "shuffle", "limit") if settings.source(name) == "option"
    ]
    if choosing and not settings.tasks:
        raise pytest.UsageError(f"--swegym-{choosing[0]} chooses from the rows of --swegym-tasks: give it as well")
    idle = [name for name in ("ray-address", "share") if settings.source(name.replace("-", "_")) == "option"]
    if idle and settings.executor != "ray":
        raise pytest.UsageError(f"--swegym-{idle[0]} is for the cluster of --swegym-executor=ray: give it as well")
    return settings
