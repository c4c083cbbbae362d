"""The replies of an episode as they came in, so that one that was cut goes on where it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_swegym._support.redact import redacted
from pytest_swegym.agents.model.reply import Reply
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import InfraError
from pytest_swegym.task.usage import Usage


log = logging.getLogger("pytest_swegym.agents")
FORMAT = "swegym.replies/1"
#: The file's name in the folder of an attempt.
REPLIES = "replies.jsonl"
#: Largest file that is read, in bytes.
READ_LIMIT = 256 * 2**20

Kept = Reply | ContextTooLong


class ReplyLog:
    """Keeps replies in ``path`` (``None``: nowhere), one line each, written as they come.

    If the file is of an earlier run of the same ``header``, its replies come first, as long as :meth:`next` is asked
    for the same ``marks``; at the first difference the rest is forgotten. Raises :class:`InfraError` if the file cannot
    be written.
    """

    def __init__(self, path: Path | None, header: Mapping[str, Any]) -> None:
        self._path = path
        self._header = {"format": FORMAT, **header}
        self._left = _earlier(path, self._header) if path is not None else []
        self._served: list[Mapping[str, Any]] = []
        self._begun = False

    @property
    def served(self) -> int:
        """How many replies of the earlier run were taken."""
        return len(self._served)

    @property
    def ended(self) -> bool:
        """Whether nothing more of the earlier run can be taken."""
        return not self._left

    def next(self, mark: Mapping[str, Any]) -> Kept | None:
        """What was replied to the request that ``mark`` names, if that is known from the earlier run."""
        if self._left and self._left[0]["mark"] == mark and (kept := _kept(self._left[0])) is not None:
            self._served.append(self._left.pop(0))
            return kept
        self._left = []
        return None

    def add(self, mark: Mapping[str, Any], reply: Kept) -> None:
        """Keep what was replied just now."""
        line = {"mark": dict(mark), **_plain(reply)}
        if self._path is None:
            return
        try:
            if not self._begun:
                self._begin(self._path)
            with self._path.open("ab", buffering=0) as file:
                file.write(_line(line))
        except OSError as error:
            raise InfraError(f"{str(self._path)!r} cannot be written: {error}") from error

    def _begin(self, path: Path) -> None:
        """The file as far as it still holds, in one move: a run that is cut here loses nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(b"".join(_line(each) for each in [self._header, *self._served]))
        beside.replace(path)
        self._begun = True


def _earlier(path: Path, header: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The whole lines of an earlier run of the same header; a damaged one ends them."""
    try:
        if path.stat().st_size > READ_LIMIT:
            log.warning("%s is larger than %d MiB: the episode begins anew", path, READ_LIMIT >> 20)
            return []
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError:
        return []
    found: list[Mapping[str, Any]] = []
    for line in lines:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(data, dict) or (found and not isinstance(data.get("mark"), dict)):
            break
        found.append(data)
    return found[1:] if found and found[0] == header else []


def _plain(reply: Kept) -> dict[str, Any]:
    if isinstance(reply, ContextTooLong):
        return {"too_long": {"said": str(reply), "status": reply.status, "limit": reply.limit}}
    return {"reply": {**asdict(reply), "usage": reply.usage.to_dict()}}


def _kept(line: Mapping[str, Any]) -> Kept | None:
    """What a line holds; ``None`` if that is no reply."""
    try:
        if "too_long" in line:
            told = line["too_long"]
            return ContextTooLong(str(told["said"]), status=int(told["status"]), limit=int(told["limit"]))
        told = dict(line["reply"])
        told["usage"] = Usage.from_dict(told["usage"])
        told["calls"] = tuple(call for call in told["calls"] if isinstance(call, dict))
        if not (isinstance(told["text"], str) and isinstance(told["message"], dict)):
            return None
        return Reply(**told)
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError):
        return None


def _line(data: Mapping[str, Any]) -> bytes:
    """ASCII and without secrets, as trajectories are: an episode goes on anew where a reply held one."""
    return json.dumps(redacted(data)).encode("ascii") + b"\n"
