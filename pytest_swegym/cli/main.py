"""The table of subcommands. Only the module of the one that is called is imported."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from pytest_swegym._support.loading import load
from pytest_swegym.cli.words import spoken
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import SwegymError


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A module with ``add_arguments(parser)`` and ``main(options) -> int | None``, and what it is for.

    ``statuses`` are the exit statuses of wrong use, of a wrong value, of a failure that was told, and of Ctrl-C.
    """

    module: str
    help: str
    statuses: tuple[int, int, int, int] = (2, 1, 1, 130)


#: For what stands in a CI beside pytest: its own.
PYTEST = (4, 4, 3, 2)


COMMANDS = {
    "compare": Command(
        module="pytest_swegym.cli.compare",
        help="what changed from one run to another, and whether by chance",
        statuses=PYTEST,
    ),
    "export": Command(module="pytest_swegym.cli.export", help="trajectories as chats for fine-tuning, or as tables"),
    "gate": Command(
        module="pytest_swegym.cli.gate", help="hold a run against thresholds and an earlier run", statuses=PYTEST
    ),
    "new": Command(module="pytest_swegym.authoring.new", help="write a task file from two releases of a package"),
    "play": Command(
        module="pytest_swegym.cli.play", help="play a task step by step, and have it graded", statuses=PYTEST
    ),
    "regrade": Command(module="pytest_swegym.cli.regrade", help="grade recorded logs of SWE-bench runs again"),
    "disk": Command(module="pytest_swegym.cli.disk", help="show what takes the space, and make room"),
    "sweep": Command(module="pytest_swegym.cli.sweep", help="remove what interrupted runs left behind"),
    "validate": Command(
        module="pytest_swegym.cli.validate", help="measure tasks: gold and empty, several times", statuses=PYTEST
    ),
    "view": Command(module="pytest_swegym.cli.view", help="a page of what happened in runs, also while they go on"),
}


def main(argv: Sequence[str]) -> int:
    """Run a subcommand; 0 is success, 1 a failure that was told, 2 wrong use, if the command does not say otherwise."""
    parser = argparse.ArgumentParser(prog="swegym", description="Software-engineering tasks as pytest tests.")
    listed = "\n".join(f"  {name:8} {command.help}" for name, command in COMMANDS.items())
    parser.usage = f"swegym COMMAND [options]\n\ncommands:\n{listed}\n\nswegym COMMAND --help tells more"
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv[:1]).command
    command = COMMANDS[chosen]
    own = _Parser(prog=f"swegym {chosen}", description=command.help)
    own.usage_status, wrong, failed, cut = command.statuses
    options = argparse.Namespace()
    try:
        load(f"{command.module}:add_arguments", what="command")(own)
        options = own.parse_args(argv[1:])
        logging.basicConfig(format="swegym: %(message)s", stream=sys.stderr)
        logging.getLogger("pytest_swegym").setLevel(logging.INFO)
        return int(load(f"{command.module}:main", what="command")(options) or 0)
    except SwegymError as error:
        print(f"swegym {chosen}: {spoken(str(error), options)}", file=sys.stderr)
        return wrong if isinstance(error, ConfigError) else failed
    except KeyboardInterrupt:
        return cut


class _Parser(argparse.ArgumentParser):
    """A parser whose exit status for wrong use is the command's."""

    usage_status = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f"{self.prog}: error: {message}\n")
