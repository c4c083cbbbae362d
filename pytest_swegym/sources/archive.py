"""A source archive: a file on this machine, or a URL with the sha256 it must have."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.freeze import freeze
from pytest_swegym.sources.pipconf import read_settings
from pytest_swegym.sources.transport import download
from pytest_swegym.sources.transport import sha256_of
from pytest_swegym.sources.unpack import unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSource:
    """An archive's content; ``sha256`` may be left out for a file on this machine."""

    description: str
    place: str | Path = field(repr=False)  # a URL may hold credentials
    sha256: str | None = None
    offline: bool = False

    def key(self) -> str:
        return content_key("archive", self.sha256 or sha256_of(self._local()))

    def checkout(self, target: Path) -> None:
        unpack(self._local(), target, what=self.description)
        freeze(target)

    def _local(self) -> Path:
        if isinstance(self.place, str):
            return download(self.place, self.sha256 or "", read_settings(), what=self.description, offline=self.offline)
        if not self.place.is_file():
            raise SourceError(f"{self.description}: no such file")
        if self.sha256 and (found := sha256_of(self.place)) != self.sha256:
            raise SourceError(f"{self.description} has sha256 {found}, expected {self.sha256}")
        return self.place
