"""What the package index has: which releases there are, and where their sdists lie.

The one door to pypi_simple.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic
from pytest_swegym._support.redact import bare_urls
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.base import OFFLINE
from pytest_swegym.sources.pipconf import IndexSettings
from pytest_swegym.sources.pipconf import read_settings
from pytest_swegym.sources.plumbing import log
from pytest_swegym.sources.transport import bare
from pytest_swegym.sources.transport import make_session


if TYPE_CHECKING:
    from packaging.version import Version
    from pypi_simple import DistributionPackage

#: Forms that can be unpacked, the preferred first.
_SUFFIXES = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdist:
    """One source archive on an index; ``url`` holds no credential."""

    filename: str
    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of a package; ``sdist`` tells whether its source archive can be had."""

    version: str
    sdist: bool
    yanked: bool = False


def releases(name: str) -> list[Release]:
    """Every version of package ``name`` on the first index that knows it, the oldest first.

    Raises :class:`SourceError` if no index knows it or one cannot be asked.
    """
    settings = read_settings()
    for packages in _pages(name, settings):
        found: dict[Version, Release] = {}
        for package in packages:
            version = _version(package.version)
            if version is not None:
                known = found.get(version)
                found[version] = Release(
                    version=str(version),
                    sdist=_is_sdist(package) or bool(known and known.sdist),
                    yanked=package.is_yanked and (known is None or known.yanked),
                )
        return [found[version] for version in sorted(found)]
    raise SourceError(f"no package {name!r} on {settings.shown}")


def find_sdist(name: str, version: str, *, offline: bool = False) -> Sdist:
    """The sdist of ``name`` ``version``: remembered from the last time, else from the first index that has it.

    Raises :class:`SourceError`, naming the nearest versions that have one.
    """
    settings = read_settings()
    memory = _memory(name, version, settings)
    known = _recall(memory)
    if known:
        return known
    if offline:
        raise SourceError(f"sdist of {name} {version}: never looked up before, and {OFFLINE}")
    seen: list[DistributionPackage] = []
    for packages in _pages(name, settings):
        seen += packages
        same = [p for p in packages if _is_sdist(p) and _version(p.version) == _version(version)]
        if same:
            best = min(same, key=lambda p: next(i for i, s in enumerate(_SUFFIXES) if p.filename.endswith(s)))
            sdist = _checked(best)
            write_atomic(memory, json.dumps(asdict(sdist)))
            return sdist
    raise SourceError(_absent(name, version, seen, settings))


def _checked(package: DistributionPackage) -> Sdist:
    sha256 = package.digests.get("sha256")
    if not sha256:
        raise SourceError(f"the index gives no sha256 for {package.filename}, so it cannot be verified")
    if package.is_yanked:
        log.warning("%s was yanked: %s", package.filename, package.yanked_reason or "no reason given")
    return Sdist(filename=package.filename, url=bare(package.url), sha256=sha256.lower())


def _pages(name: str, settings: IndexSettings) -> Iterator[list[DistributionPackage]]:
    """The files of ``name`` on each index that knows it, in pip's order.

    An index that fails is an error and not passed over: the next one may hold another package of that name.
    """
    import pypi_simple  # deferred: slow to import
    import requests

    for url in settings.skipped:
        log.debug("index %s is not http(s): passed over", bare_urls(url))
    with make_session(settings) as session:
        for url in settings.indexes:
            try:
                client = pypi_simple.PyPISimple(bare(url), session=session)
                yield client.get_project_page(name, timeout=settings.timeout).packages
            except pypi_simple.NoSuchProjectError:
                continue
            except (requests.RequestException, OSError, ValueError) as error:
                raise SourceError(
                    f"package index {bare_urls(url)} cannot be asked for {name!r}: {bare_urls(error)}"
                ) from None


def _is_sdist(package: DistributionPackage) -> bool:
    return package.package_type == "sdist" and package.filename.endswith(_SUFFIXES)


def _version(text: str | None) -> Version | None:
    from packaging.version import InvalidVersion
    from packaging.version import Version

    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def _absent(name: str, version: str, seen: list[DistributionPackage], settings: IndexSettings) -> str:
    if not seen:
        return f"no package {name!r} on {settings.shown}"
    wanted = _version(version)
    having = sorted({v for p in seen if _is_sdist(p) and (v := _version(p.version)) is not None})
    if not having or wanted is None:
        return f"no sdist of {name} {version}; the package has none on {settings.shown}"
    place = sum(v < wanted for v in having)
    nearest = ", ".join(str(v) for v in having[max(0, place - 3) : place + 3])
    only = "the version has only wheels" if any(_version(p.version) == wanted for p in seen) else "no such version"
    return f"no sdist of {name} {version} ({only}) on {settings.shown}; the nearest that have one: {nearest}"


def _memory(name: str, version: str, settings: IndexSettings) -> Path:
    """Where the answer for these indexes is kept; an index never changes a file it has published."""
    from packaging.utils import canonicalize_name

    key = content_key(
        "sdist", canonicalize_name(name), str(_version(version)), [bare_urls(url) for url in settings.indexes]
    )
    return cache_dir("sdists") / f"{key}.json"


def _recall(memory: Path) -> Sdist | None:
    try:
        return Sdist(**json.loads(memory.read_text()))
    except (OSError, ValueError, TypeError):
        return None
