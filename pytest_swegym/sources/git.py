"""A commit of a git repository: from a server through a local mirror, or from a folder on this machine."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import AbstractContextManager
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.redact import bare_urls
from pytest_swegym._support.shelf import Shelf
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.base import OFFLINE
from pytest_swegym.sources.base import fresh
from pytest_swegym.sources.freeze import graft
from pytest_swegym.sources.plumbing import GitDir
from pytest_swegym.sources.plumbing import GitError
from pytest_swegym.sources.plumbing import init
from pytest_swegym.sources.plumbing import log


_FULL_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REPORT_EVERY = 5.0  # seconds


class Store:
    """Existing git data on this machine; only read."""

    def __init__(self, path: Path, *, live: bool = False) -> None:
        self.git = GitDir(path=path)
        self.live = live  # whether a server may have newer branches

    def __str__(self) -> str:
        return str(self.git.path)

    def commit(self, name: str | None) -> str | None:
        """The full sha of ``name`` (default: HEAD), or ``None`` if it is not there."""
        wanted = f"{name or 'HEAD'}^{{commit}}"
        if not self.git.path.is_dir() or not self.git.ok("rev-parse", "--verify", "-q", "--end-of-options", wanted):
            return None
        return self.git.text("rev-parse", "--verify", "--end-of-options", wanted).splitlines()[-1]

    def update(self, name: str | None) -> None:
        """Nothing to update: what is there is all there is."""

    def in_use(self) -> AbstractContextManager[object]:
        """While the data is read, nobody removes it to save space."""
        return nullcontext()


class Mirror(Store):
    """A bare copy of a server's repository under the cache, made at first need and locked while it changes."""

    def __init__(self, url: str, *, offline: bool) -> None:
        self.url = url
        self.offline = offline
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", bare_urls(url).split("://")[-1]).strip("-.")[-80:]
        self.name = f"{slug}-{content_key(bare_urls(url))}"
        super().__init__(cache_dir("mirrors") / self.name, live=not offline)

    def update(self, name: str | None) -> None:
        """Fetch from the server unless ``name`` is a full sha that is already here."""
        with key_lock(f"mirror-{self.name}"):
            if name and _FULL_SHA.fullmatch(name) and self.commit(name):
                return  # another process fetched it while we waited for the lock
            if self.offline:
                what = f"commit {name} of {bare_urls(self.url)}" if name else bare_urls(self.url)
                raise SourceError(f"{what} is not in {self}, and {OFFLINE}; or give a copy with --swegym-mirror=DIR")
            try:
                self._make(name) if not self.git.path.is_dir() else self._fetch(self.git, name)
            except GitError as error:
                raise SourceError(f"{bare_urls(self.url)}: {error}") from error
            self.live = False  # asked once: key and checkout of one source agree, whatever is pushed between them

    def in_use(self) -> AbstractContextManager[object]:
        return Shelf("mirrors").use([self.name])

    def _make(self, name: str | None) -> None:
        """Fetch into a folder beside, and rename it: a cut leaves no half mirror."""
        partial = self.git.path.with_name(self.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        log.info("cloning %s (once; kept in %s)", bare_urls(self.url), self)
        self._fetch(init(partial), name)
        partial.rename(self.git.path)
        log.info("cloned %s", bare_urls(self.url))

    def _fetch(self, git: GitDir, name: str | None) -> None:
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        options = ("--progress", "--no-tags", "--no-write-fetch-head", "--update-head-ok")
        git.follow("fetch", *options, "--", self.url, *refs, report=_Reporter(bare_urls(self.url)))
        said = git.text("ls-remote", "--symref", "--", self.url, "HEAD")
        head = re.search(r"^ref: (refs/heads/\S+)\tHEAD$", said, re.MULTILINE)
        if head:
            git.run("symbolic-ref", "HEAD", head[1])
        if name and _FULL_SHA.fullmatch(name) and not git.ok("cat-file", "-e", f"{name}^{{commit}}"):
            # Not reachable from a branch or tag (a pull request's commit): some servers give it when asked by name.
            reference = f"{name}:refs/swegym/{name}"
            git.ok("fetch", "-q", "--no-tags", "--no-write-fetch-head", "--", self.url, reference)


class _Reporter:
    """Progress of a long fetch in the log, a line every few seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _REPORT_EVERY

    def __call__(self, line: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REPORT_EVERY
            log.info("fetching %s: %s", self._what, line)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """One commit of a repository; ``base_commit`` may be a sha, a tag, a branch, or ``None`` for the default branch."""

    description: str
    store: Store
    base_commit: str | None = None

    def key(self) -> str:
        with self.store.in_use():
            return content_key("git", self._resolve())

    def checkout(self, target: Path) -> None:
        with self.store.in_use():
            commit = self._resolve()
            with fresh(target):
                graft(self.store.git, commit, target)

    def _resolve(self) -> str:
        name = self.base_commit
        found = self.store.commit(name)
        moving = not (name and _FULL_SHA.fullmatch(name))
        if found is None or (moving and self.store.live):
            self.store.update(name)
            found = self.store.commit(name)
        if found is None:
            what = f"commit {name!r} does not exist" if name else "there is no default branch"
            raise SourceError(f"{self.description}: {what} in {self.store}; check repo and base_commit")
        return found
