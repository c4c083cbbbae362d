"""No repository at all: tasks that begin in an empty folder, or with the files that they bring themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.sources.base import fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptySource:
    """An empty tree. The only source that makes no ``.git``: whether there is one may be what a task is about."""

    description: str = "an empty folder"

    def key(self) -> str:
        return content_key("tree", "empty")

    def checkout(self, target: Path) -> None:
        with fresh(target):
            pass
