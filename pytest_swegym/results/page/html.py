"""The page as one file: its style, its script and its data inside, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pytest_swegym.results.page.folders import to_json


_STATIC = Path(__file__).with_name("static")
#: The script's parts, in the order in which they build upon each other.
PARTS = ("base", "text", "data", "charts", "table", "overview", "compare", "diff", "steps", "attempt", "app")


def page(data: Mapping[str, Any]) -> str:
    """The page that shows ``data``; from a server it asks for more, from a disk it loads what lies beside it."""
    shell, style, script, policy = _parts()
    for name, text in (("POLICY", policy), ("STYLE", style), ("SCRIPT", script), ("DATA", to_json(data))):
        before, _, after = shell.partition(f"<!--{name}-->")
        shell = before + text + after
    return shell


def policy() -> str:
    """What the page may do: run its own script, and load what lies beside it."""
    return _parts()[3]


@cache
def _parts() -> tuple[str, str, str, str]:
    shell, style = (_static(name) for name in ("page.html", "page.css"))
    script = '"use strict";\n' + "\n".join(_static(f"{name}.js") for name in PARTS)
    policy = "; ".join(
        (
            "default-src 'none'",
            # What an attempt holds lies beside the page as a script: from a disk a page may load nothing else.
            f"script-src '{_digest(script)}' 'self' file:",
            f"style-src '{_digest(style)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return shell, style, script, policy


def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
