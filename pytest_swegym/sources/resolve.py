"""A task's ``repo`` text becomes a source."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pytest_swegym._support.redact import bare_urls
from pytest_swegym.errors import SourceError
from pytest_swegym.errors import SpecError
from pytest_swegym.sources.archive import ArchiveSource
from pytest_swegym.sources.base import Source
from pytest_swegym.sources.empty import EmptySource
from pytest_swegym.sources.git import GitSource
from pytest_swegym.sources.git import Mirror
from pytest_swegym.sources.git import Store
from pytest_swegym.sources.local import LocalSource
from pytest_swegym.sources.local import find_git
from pytest_swegym.sources.local import is_bare
from pytest_swegym.sources.sdist import SdistSource
from pytest_swegym.task.spec import NO_REPO


#: Where ``owner/name`` is found; ``$SWEGYM_GIT_URL`` names another place.
GITHUB = "https://github.com/{repo}.git"
SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_ALLOWED = (
    "sdist:NAME==VERSION, owner/name, a git URL, a folder (/absolute or ./relative), or an archive "
    f"({', '.join(SUFFIXES)}; a URL with #sha256=HEX), or empty: for none"
)
_SDIST = re.compile(r"sdist:\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*==\s*([A-Za-z0-9.!+_-]+)\s*")
_OWNER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SCP = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!/{2})[^\s]+")
_GIT_SCHEMES = ("https", "http", "ssh", "git")


def make_source(
    repo: str,
    base_commit: str | None = None,
    *,
    mirror: Path | None = None,
    offline: bool = False,
    root: Path | None = None,
) -> Source:
    """The source that ``repo`` (and ``base_commit``) names; touches no network.

    ``mirror`` is a folder of existing bare repositories to use instead of the network, ``root`` the folder that
    relative paths start from (default: the current one). ``offline`` uses what the cache has, and nothing else.

    Raises :class:`SpecError` for a ``repo`` of no known form, :class:`SourceError` if ``mirror`` lacks it.
    """
    text = repo.strip()
    if base_commit is not None and (
        not base_commit.strip() or base_commit.startswith("-") or not base_commit.isprintable()
    ):
        raise SpecError(f"{base_commit!r} is not a commit", field="base_commit")
    if text == NO_REPO:
        _no_commit(base_commit, text)
        return EmptySource()
    place, digest = _digest(text)
    if text.startswith("sdist:"):
        _no_commit(base_commit, text)
        return _sdist(text, offline)
    if place.lower().endswith(SUFFIXES):
        _no_commit(base_commit, text)
        return _archive(place, digest, offline, _folder(root))
    if _is_git_url(text) or _OWNER_NAME.fullmatch(text):
        return _git(text, base_commit, mirror, offline, _folder(root))
    if "://" in text and not text.startswith("file://"):
        raise SpecError(f"{bare_urls(text)!r}: expected {_ALLOWED}", field="repo")
    return _local(text, base_commit, _folder(root))


def _folder(root: Path | None) -> Path:
    return root or Path.cwd()


def _digest(text: str) -> tuple[str, str | None]:
    place, mark, fragment = text.partition("#")
    if not mark:
        return text, None
    if not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", fragment):
        raise SpecError(f"{bare_urls(place)!r}: after '#' expected sha256= and 64 hexadecimal digits", field="repo")
    return place, fragment.removeprefix("sha256=").lower()


def _no_commit(base_commit: str | None, text: str) -> None:
    if base_commit is not None:
        raise SpecError(f"{bare_urls(text)!r} has no commits; leave base_commit out", field="base_commit")


def _sdist(text: str, offline: bool) -> Source:
    found = _SDIST.fullmatch(text)
    from packaging.version import InvalidVersion
    from packaging.version import Version

    try:
        if found:
            return SdistSource(name=found[1], version=str(Version(found[2])), offline=offline)
    except InvalidVersion:
        pass
    raise SpecError(f"{text!r}: expected sdist:NAME==VERSION, one exact version", field="repo")


def _archive(place: str, digest: str | None, offline: bool, root: Path) -> Source:
    scheme = urlsplit(place).scheme
    if scheme in ("http", "https"):
        if not digest:
            raise SpecError(f"{bare_urls(place)!r}: an archive from the network needs '#sha256=HEX'", field="repo")
        return ArchiveSource(description=bare_urls(place), place=place, sha256=digest, offline=offline)
    path = _path(place, root)
    return ArchiveSource(description=str(path), place=path, sha256=digest)


def _path(text: str, root: Path) -> Path:
    return Path(os.path.abspath(root / os.path.expanduser(text.removeprefix("file://"))))


def _is_git_url(text: str) -> bool:
    scheme = urlsplit(text.removeprefix("git+")).scheme
    return ("://" in text and scheme in _GIT_SCHEMES) or bool(_SCP.fullmatch(text))


def _git(text: str, base_commit: str | None, mirror: Path | None, offline: bool, root: Path) -> Source:
    shown = bare_urls(text.removeprefix("git+"))
    description = f"{shown}@{base_commit}" if base_commit else shown
    if mirror:
        store = _in_mirror(shown, mirror)
        return GitSource(description=description, store=store, base_commit=base_commit)
    url = text.removeprefix("git+")
    if _OWNER_NAME.fullmatch(text):
        template = os.environ.get("SWEGYM_GIT_URL") or GITHUB
        if "{repo}" not in template:
            raise SpecError(f"$SWEGYM_GIT_URL is {bare_urls(template)!r}; it must contain '{{repo}}'", field="repo")
        url = template.replace("{repo}", text)
        if not _is_git_url(url):
            return _local(url, base_commit, root)
    return GitSource(description=description, store=Mirror(url, offline=offline), base_commit=base_commit)


def _in_mirror(shown: str, mirror: Path) -> Store:
    """The first of ``owner__name``, ``owner__name.git``, ``owner/name``, ``owner/name.git`` that ``mirror`` has."""
    parts = [part for part in re.split(r"[/:]", shown.removesuffix("/").removesuffix(".git")) if part]
    owner, name = (parts[-2], parts[-1]) if len(parts) > 1 else ("", parts[-1])
    names = [form for joined in (f"{owner}__{name}", f"{owner}/{name}") for form in (joined, joined + ".git")]
    for place in (mirror / form for form in names if ".." not in form.split("/")):
        for data in (place, place / ".git"):
            if is_bare(data):
                return Store(data)
    raise SourceError(f"{shown}: not in the mirror folder {mirror}; looked for {', '.join(names)}")


def _local(text: str, base_commit: str | None, root: Path) -> Source:
    folder = _path(text, root)
    if not folder.is_dir():
        raise SpecError(f"{text!r}: no folder {folder}; expected {_ALLOWED}", field="repo")
    description = f"{folder}@{base_commit}" if base_commit else str(folder)
    if is_bare(folder):
        return GitSource(description=description, store=Store(folder), base_commit=base_commit)
    if base_commit is None:
        return LocalSource(description=description, folder=folder)
    found = find_git(folder)
    if found is None or found.work_tree != folder:
        raise SpecError(f"{folder} is not a git repository, so it has no commit {base_commit!r}", field="base_commit")
    return GitSource(description=description, store=Store(found.path), base_commit=base_commit)
