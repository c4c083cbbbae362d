"""Git on the host, with everything neutralised that could run code, ask questions or change content.

The one door to GitPython.
"""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swegym._support.redact import bare_urls
from pytest_swegym.errors import SourceError


log = logging.getLogger("pytest_swegym.sources")

#: Git settings of every call; they win over the repository's own, whose hooks and monitors would run on the host.
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.logAllRefUpdates": "false",
    "core.askPass": "",
    "credential.helper": "",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "protocol.ssh.allow": "always",
    "protocol.git.allow": "always",
}
#: Inherited ``GIT_*`` variables that say how to reach a server; every other one is dropped (a test run may itself
#: be started by a git hook, whose GIT_DIR and GIT_INDEX_FILE would bend our calls).
_KEPT = ("GIT_SSL_", "GIT_SSH", "GIT_HTTP_", "GIT_PROXY_", "GIT_EXEC_PATH")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_AUTHOR_NAME": "swegym",
    "GIT_AUTHOR_EMAIL": "swegym@localhost",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00 +0000",
    "GIT_COMMITTER_NAME": "swegym",
    "GIT_COMMITTER_EMAIL": "swegym@localhost",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00 +0000",
}
#: A server that sends nothing for a minute has gone.
_NETWORK = {
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=30",
}


class GitError(SourceError):
    """A git command failed; the message is git's own, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitDir:
    """A repository's data, and the folder of its files if it has one."""

    path: Path
    work_tree: Path | None = None

    def run(self, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> bytes:
        """Run one git command to its end and return its stdout. Raises :class:`GitError`."""
        status, stdout, stderr = self._execute(arguments, stdin, env or {})
        if status:
            said = bare_urls(stderr.strip() or f"exit code {status}")
            raise GitError(f"git {arguments[0]} failed: {said[-2000:]}")
        return stdout

    def text(self, *arguments: str) -> str:
        """stdout of a command as stripped text."""
        return self.run(*arguments).decode("utf-8", "replace").strip()

    def ok(self, *arguments: str) -> bool:
        """Whether a command succeeds."""
        return self._execute(arguments, b"", {})[0] == 0

    def follow(self, *arguments: str, report: Callable[[str], None]) -> None:
        """Run a long git command, and ``report`` each line of progress that it prints. Raises :class:`GitError`."""
        git = _library()
        command = self._command(arguments)
        env = {**_network(), **_ENVIRONMENT}
        process = git.Git("/").execute(command, env=env, as_process=True, with_stdout=False)
        said: deque[str] = deque(maxlen=20)
        with io.TextIOWrapper(process.stderr, errors="replace", newline=None) as lines:  # None: a line may end in CR
            for line in lines:
                said.append(line.strip())
                report(line.strip())
        try:
            process.wait()
        except git.GitCommandError as error:
            _found(error.status)
            raise GitError(f"git {arguments[0]} failed: {bare_urls(' '.join(said))[-2000:]}") from None

    def _execute(self, arguments: Sequence[str], stdin: bytes, env: dict[str, str]) -> tuple[int, bytes, str]:
        git = _library()
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            status, stdout, stderr = git.Git(str(self.work_tree or "/")).execute(
                self._command(arguments),
                istream=file,
                env={**_network(), **_ENVIRONMENT, **env},
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        _found(status)
        return status, stdout, stderr

    def _command(self, arguments: Sequence[str]) -> list[str]:
        place = [f"--git-dir={self.path}"] + ([f"--work-tree={self.work_tree}"] if self.work_tree else [])
        settings = (part for name, value in _CONFIG.items() for part in ("-c", f"{name}={value}"))
        return [*_clean(), "git", *place, *settings, *arguments]


def _library() -> Any:
    try:
        import git  # deferred: slow to import, and fails where there is no git
    except ImportError as error:
        raise SourceError(f"git is needed on this machine and was not found: {error}") from error
    return git


def _found(status: int | str | None) -> None:
    if status == 127:  # env's own word for a program that is not there
        raise SourceError("git is needed on this machine and was not found on PATH")


def _clean() -> list[str]:
    """The start of a command that drops inherited ``GIT_*`` variables (GitPython can set variables, not unset them)."""
    dropped = [name for name in os.environ if name.startswith("GIT_") and not name.startswith(_KEPT)]
    return ["env", *(part for name in dropped if name not in _ENVIRONMENT for part in ("-u", name))]


def _network() -> dict[str, str]:
    found = dict(_NETWORK)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.path.isfile(os.environ.get(name, "")):
            found.setdefault("GIT_SSL_CAINFO", os.environ[name])
    return {name: value for name, value in found.items() if name not in os.environ}


def init(path: Path, *, work_tree: Path | None = None, sha256: bool = False) -> GitDir:
    """An empty repository on branch ``main``, without hooks; bare if it has no ``work_tree``."""
    repository = GitDir(path=path, work_tree=work_tree)
    kind = [] if work_tree else ["--bare"]
    repository.run("init", "-q", "--template=", *kind, env={"GIT_DEFAULT_HASH": "sha256" if sha256 else "sha1"})
    (path / "HEAD").write_text("ref: refs/heads/main\n")  # by hand: init's own option came with git 2.28
    return repository
