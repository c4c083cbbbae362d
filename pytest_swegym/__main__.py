"""``python -m pytest_swegym``, and the console script ``swegym``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns its exit status."""
    from pytest_swegym.cli import main as command_line

    return command_line(sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
