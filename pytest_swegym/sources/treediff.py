"""The difference of two trees, in parts that apply one without the other."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pathlib import PurePosixPath

from pytest_swegym.sources.plumbing import GitDir
from pytest_swegym.sources.plumbing import init


_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs: the blob it had, and the mode and blob it gets (zeros where it is not there)."""

    path: bytes
    old: str
    mode: str
    new: str

    @property
    def name(self) -> str:
        return os.fsdecode(self.path)


def with_relatives(names: set[str], among: Iterable[Change]) -> set[str]:
    """``names`` and every changed path that lies above or below one of them: a file that gave way to a folder."""
    every = {change.name for change in among}
    while True:
        above = {str(parent) for name in names for parent in PurePosixPath(name).parents}
        more = {n for n in every - names if n in above or names & {str(p) for p in PurePosixPath(n).parents}}
        if not more:
            return names
        names = names | more


class TwoTrees:
    """Two checkouts compared by git, in a scratch repository that borrows the objects of both."""

    def __init__(self, old: Path, new: Path, *, scratch: Path) -> None:
        self._git = init(scratch)
        for folder in ("info", "objects/info"):
            (scratch / folder).mkdir(parents=True, exist_ok=True)
        self._attributes = scratch / "info" / "attributes"
        stores = [str(checkout / ".git" / "objects") for checkout in (old, new)]
        (scratch / "objects" / "info" / "alternates").write_text("".join(f"{store}\n" for store in stores))
        self._old, self._new = (GitDir(path=c / ".git").text("rev-parse", "HEAD^{tree}") for c in (old, new))

    def paths(self) -> list[str]:
        """Every path of the new tree."""
        listed = self._git.run("ls-tree", "-r", "-z", "--name-only", self._new)
        return [os.fsdecode(raw) for raw in listed.split(b"\0") if raw]

    def changes(self) -> list[Change]:
        """What differs, without renames; submodules are left out, no patch can bring them."""
        raw = self._git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", self._old, self._new)
        fields = raw.split(b"\0")
        found = []
        for head, path in zip(fields[0:-1:2], fields[1::2], strict=True):
            old_mode, mode, old, new, _ = head.decode().removeprefix(":").split(" ")
            if _SUBMODULE not in (old_mode, mode):
                found.append(Change(path=path, old=old, mode=mode, new=new))
        return found

    def patch(self, changes: list[Change]) -> str:
        """The git diff that makes these ``changes`` on the old tree.

        A file that is not UTF-8 comes as a binary patch, so that the diff is text that JSON can hold.
        """
        binary = with_relatives(self._not_text(changes), changes)
        middle = self._applied(self._old, [change for change in changes if change.name not in binary])
        end = self._applied(middle, [change for change in changes if change.name in binary])
        return (self._diff(self._old, middle, "* !diff\n") + self._diff(middle, end, "* -diff\n")).decode()

    def _not_text(self, changes: list[Change]) -> set[str]:
        """Names of the files of which one side is not UTF-8."""
        wanted = sorted({sha for change in changes for sha in (change.old, change.new) if sha.strip("0")})
        out = self._git.run("cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in wanted).encode())
        bad, at = set(), 0
        for sha in wanted:
            start = out.index(b"\n", at) + 1
            size = int(out[at:start].split()[-1])
            at = start + size + 1
            try:
                out[start : start + size].decode()
            except UnicodeDecodeError:
                bad.add(sha)
        return {change.name for change in changes if {change.old, change.new} & bad}

    def _applied(self, tree: str, changes: list[Change]) -> str:
        """The tree that ``changes`` make of ``tree``."""
        self._git.run("read-tree", tree)
        gone_first = sorted(changes, key=lambda change: change.mode != "000000")
        lines = b"".join(f"{c.mode} {c.new}\t".encode() + c.path + b"\0" for c in gone_first)
        self._git.run("update-index", "-z", "--index-info", stdin=lines)
        return self._git.text("write-tree")

    def _diff(self, old: str, new: str, attributes: str) -> bytes:
        self._attributes.write_text(attributes)
        options = ("--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
        return self._git.run("diff-tree", "-r", "-p", *options, "--src-prefix=a/", "--dst-prefix=b/", old, new)
