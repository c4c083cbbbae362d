"""What a run of this plugin says of itself when it begins."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym.plugin.options import SETTINGS
from pytest_swegym.plugin.plan import PLANNED
from pytest_swegym.plugin.plan import needs_solver
from pytest_swegym.results.recorder import plain_word


if TYPE_CHECKING:
    import pytest

    from pytest_swegym.settings import Settings


def facts_of(item: pytest.Item) -> dict[str, Any]:
    """Which process makes the attempts, how many are planned, and what was chosen for them."""
    worker = getattr(item.config, "workerinput", {}).get("workerid", "")
    planned = sum(map(_is_planned, item.session.items))
    return {"worker": worker, "planned": planned, "settings": plain_settings(item.config.stash[SETTINGS])}


def _is_planned(item: pytest.Item) -> bool:
    return PLANNED in item.stash and needs_solver(item) and not item.get_closest_marker("skip")


def plain_settings(settings: Settings) -> dict[str, Any]:
    """What was chosen, JSON only; what is as by default is left out, and the body of an agent's requests too."""
    chosen = {}
    for name in (each.name for each in fields(settings) if each.name != "sources"):
        value = getattr(settings, name)
        if settings.source(name) == "default":
            continue
        if isinstance(value, tuple):
            value = [plain_word(str(word)) for word in value]
        chosen[name] = str(value) if isinstance(value, Path) else value
    return chosen
