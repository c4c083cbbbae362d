"""A release's source distribution from the package index: fetched, verified and unpacked, and never built here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.sources.freeze import freeze
from pytest_swegym.sources.packages import find_sdist
from pytest_swegym.sources.pipconf import read_settings
from pytest_swegym.sources.transport import download
from pytest_swegym.sources.unpack import unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class SdistSource:
    """``sdist:NAME==VERSION``."""

    name: str
    version: str
    offline: bool = False

    @property
    def description(self) -> str:
        return f"sdist of {self.name} {self.version}"

    def key(self) -> str:
        return content_key("archive", find_sdist(self.name, self.version, offline=self.offline).sha256)

    def checkout(self, target: Path) -> None:
        found = find_sdist(self.name, self.version, offline=self.offline)
        archive = download(found.url, found.sha256, read_settings(), what=self.description, offline=self.offline)
        unpack(archive, target, what=self.description)
        freeze(target)
