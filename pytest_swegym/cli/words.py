"""What is told at our own command line: options as they are called here."""

from __future__ import annotations

import argparse
import re


_OPTION = re.compile(r"--swegym-([a-z]+(?:-[a-z]+)*)")


def spoken(text: str, options: argparse.Namespace) -> str:
    """``text`` with ``--NAME`` for ``--swegym-NAME``, where the subcommand has that option."""

    def own(found: re.Match[str]) -> str:
        return f"--{found[1]}" if hasattr(options, "swegym_" + found[1].replace("-", "_")) else found[0]

    return _OPTION.sub(own, text)
