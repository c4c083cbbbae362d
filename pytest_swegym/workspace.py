"""A checkout inside a sandbox: what a solver holds in its hands, and what grading starts from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym._support.trees import clean_tree
from pytest_swegym.environments.basegit import git_env
from pytest_swegym.errors import PatchError
from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import OUTPUT_LIMIT
from pytest_swegym.sandbox.base import READ_LIMIT
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import Shell
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import shell_argv


if TYPE_CHECKING:
    from pytest_swegym.session import StepReward
    from pytest_swegym.tools import Toolset


#: Largest patch that is made or applied, in bytes.
PATCH_LIMIT = 64 * 2**20

#: Largest tree that is handed in, in bytes.
TREE_LIMIT = 64 * 2**20
# What is left over of the workdir is no part of the tree that comes in its place.
_UNPACK = 'cd "$1" && find . -mindepth 1 -maxdepth 1 -exec rm -rf {} + && exec tar -x -p -f -'
# A git that was ended, or whoever else works in here, may have left it: nobody else is to write there.
_UNLOCK = 'rm -rf "$GIT_DIR/index.lock"'
_PACK = '{ tar -c -f - .; printf "\\n%s\\n" "$?" >&2; } | head -c "$1"'
_ROOM = 'head -c 1048576 /dev/zero > "$1" && exec rm "$1"'

#: How a patch is applied: the first that works wins, the tree is put back between. The order is SWE-bench's.
APPLY_CHAIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("git apply", ("git", "apply", "--verbose", "-")),
    ("git apply --3way", ("git", "apply", "--verbose", "--3way", "-")),
    ("git apply --reject", ("git", "apply", "--verbose", "--reject", "-")),
    (
        "patch --fuzz=5",
        ("patch", "--batch", "--forward", "--no-backup-if-mismatch", "--fuzz=5", "-p1", "-i", "-"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a solver that acts step by step may know of its attempt.

    ``seed`` is the attempt's own. ``folder``, on the host, is where its trajectory belongs (``None``: nowhere), and
    ``named`` what the trajectory's header says of the attempt. ``tools`` are installed in the workspace.
    ``step_reward`` makes the reward of a step, where the run has one; an episode has at most so many ``steps``.
    With ``resume`` an episode goes on with what an earlier one, which was cut, has left in the folder.
    What is put into ``told`` (JSON only) goes to the record's ``extra``. ``on_event`` hears every line of a trajectory
    as it is written, in the thread that writes it.

    Two things are there only for a solver that says so with an attribute of its own, and the record tells:
    ``score``, for one that is ``graded``, is the graded reward of a workspace as it is, and ``oracle``, for one of that
    name, the paths that the known solution changes.
    """

    number: int = 0
    seed: int = 0
    folder: Path | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    tools: Toolset | None = None
    step_reward: StepReward | None = None
    steps: int | None = None
    resume: bool = False
    on_event: Callable[[Mapping[str, Any]], None] | None = None
    score: Callable[[Workspace], float] | None = None
    oracle: tuple[str, ...] = ()
    told: dict[str, Any] = field(default_factory=dict)


class Workspace:
    """The repository inside a sandbox: run, read, write, diff, apply, reset.

    ``path`` is the repository's folder inside; relative paths are relative to it. ``fork`` starts a sandbox of a
    snapshot, or of the one that all began with, for :meth:`reset`, :meth:`rewind` and :meth:`branch`. ``program`` is
    the shell that commands are for, if the task names one.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        path: str = "/testbed",
        *,
        fork: Callable[[Snapshot | None], Sandbox] | None = None,
        drop: Callable[[Snapshot], None] | None = None,
        program: str | None = None,
        occasion: Occasion | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.path = path
        self.occasion = occasion or Occasion()
        self._fork, self._drop = fork, drop
        self._program = program

    # -- working in it -----------------------------------------------------------------------------

    def run(self, command: str, *, timeout: float | None = None, output_limit: int = OUTPUT_LIMIT) -> ExecResult:
        """Run a shell command in the repository's folder, its environment activated. See :meth:`Sandbox.exec`."""
        argv = shell_argv(command, self._program)
        return self.sandbox.exec(argv, cwd=self.path, timeout=timeout, output_limit=output_limit)

    def shell(self) -> Shell:
        """A persistent shell in the repository's folder."""
        return self.sandbox.shell(cwd=self.path, program=self._program)

    def read(self, path: str) -> str:
        """A file as text. Raises :class:`FileNotFoundError` and the like."""
        return self.read_bytes(path).decode("utf-8", "surrogateescape")

    def read_bytes(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        return self.sandbox.read(self._absolute(path), limit=limit)

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file, making its folders."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self.sandbox.write(self._absolute(path), data)

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.path}/{path}"

    # -- the difference from the base --------------------------------------------------------------

    def diff(self) -> str:
        """Everything changed since the base as one git diff: new, deleted and binary files too, ignored ones not.

        Made from our own copy of the base: commits, stashes or damage in the repository's ``.git`` change nothing.
        Raises :class:`PatchError` if it is larger than ``PATCH_LIMIT``.
        """
        # 1: something in it cannot be added, such as a repository without a commit; the rest is.
        add = 'git add -A --ignore-errors -- . >/dev/null 2>"$0" || [ $? -eq 1 ] || { cat "$0" >&2; exit 9; }'
        script = f'{_UNLOCK}; {add}; exec git diff --cached "$@" HEAD'
        options = (
            "--binary",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        )
        result = self._git_shell(script, f"{HOME}/add.err", *options, output_limit=PATCH_LIMIT)
        if result.truncated:
            raise PatchError(f"the patch is larger than {PATCH_LIMIT >> 20} MiB")
        self._check(result, "git diff")
        return result.stdout.decode("utf-8", "surrogateescape")

    def changed(self) -> list[str]:
        """Paths that differ from the base, sorted; ignored files not among them."""
        script = f"{_UNLOCK}; git add -A -- . >/dev/null 2>&1; exec git diff --cached --name-only --no-renames -z HEAD"
        return _paths(self._check(self._git_shell(script, "sh"), "git diff --name-only"))

    def base_files(self) -> list[str]:
        """Paths of the base, sorted."""
        return _paths(
            self._check(self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", "HEAD"), "git ls-tree")
        )

    def restore(self, paths: Sequence[str]) -> None:
        """Put ``paths`` back as they are in the base; what the base does not have is deleted."""
        if not paths:
            return
        known, gone = self.base_files(), set(paths)
        folders = tuple(f"{path}/" for path in gone.difference(known))
        # Removed first: a folder in a file's place, or a symlink, must not survive or lead the checkout astray.
        self._check(self._exec(("xargs", "-0", "rm", "-rf", "--"), stdin=_zero(paths)), "rm")
        script = "git read-tree HEAD && exec git checkout-index -f -q -z --stdin"
        back = [path for path in known if path in gone or path.startswith(folders)]
        self._check(self._git_shell(script, "sh", stdin=_zero(back)), "git checkout-index")

    def reset(self) -> None:
        """A fresh fork of the base: every process ended, every file as it was.

        Without ``fork`` the files alone are put back.
        """
        if self._fork is None:
            self._put_back("HEAD")
            return
        self.sandbox.close()
        self.sandbox = self._fork(None)

    def snapshot(self) -> Snapshot:
        """The present files as a snapshot; see :meth:`~pytest_swegym.sandbox.base.Sandbox.snapshot`."""
        return self.sandbox.snapshot()

    def rewind(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this workspace or of one branched from it: processes end, all files are as then.

        Raises :class:`SandboxError` if this workspace cannot be forked.
        """
        fork = self._forker()
        self.sandbox.close()
        self.sandbox = fork(snapshot)

    def branch(self, snapshot: Snapshot | None = None, *, occasion: Occasion | None = None) -> Workspace:
        """Another workspace that goes on from ``snapshot`` (default: from now). Raises as :meth:`rewind`."""
        fork = self._forker()
        sandbox = fork(self.snapshot() if snapshot is None else snapshot)
        given = self.occasion if occasion is None else occasion
        return Workspace(sandbox, self.path, fork=self._fork, drop=self._drop, program=self._program, occasion=given)

    @property
    def forks(self) -> bool:
        """Whether it can be forked: it was not made of a single sandbox."""
        return self._fork is not None

    def drop(self, snapshot: Snapshot) -> None:
        """Give up a snapshot that nothing is to start from any more; what was started from it lives on."""
        if self._drop is not None:
            self._drop(snapshot)

    def _forker(self) -> Callable[[Snapshot | None], Sandbox]:
        if self._fork is None:
            raise SandboxError("this workspace was made of a single sandbox: it cannot be forked")
        return self._fork

    def tree(self) -> str:
        """The present files' name: the id of their git tree, equal for equal content; ignored files do not count."""
        return self._tree()

    def _put_back(self, tree: str) -> None:
        script = 'git read-tree "$0" && git checkout-index -f -a -q && exec git clean -fdq'
        self._check(self._git_shell(script, tree), "git clean")

    def _tree(self) -> str:
        """The present state as a tree object of our own git folder."""
        return self._check(
            self._git_shell(f"{_UNLOCK}; git add -A -- . >&2 && exec git write-tree", "sh"), "git add"
        ).output.strip()

    # -- applying ----------------------------------------------------------------------------------

    def apply(self, patch: str) -> str:
        """Apply a unified diff by the documented chain; returns the name of the step that worked.

        Raises :class:`PatchError` with git's own message if none did; the tree is then as it was before.
        """
        if not patch.strip():
            raise PatchError("the patch is empty")
        data = patch.encode("utf-8", "surrogateescape")
        if len(data) > PATCH_LIMIT:
            raise PatchError(f"the patch is larger than {PATCH_LIMIT >> 20} MiB")
        data = data if data.endswith(b"\n") else data + b"\n"
        name, argv = APPLY_CHAIN[0]
        result = self._exec(argv, stdin=data)
        if result.exit_code == 0:
            return name
        message = result.output.strip()[-2000:]
        # git refuses paths into .git and out of the tree; patch(1) would not.
        chain = () if "invalid path" in message else APPLY_CHAIN[1:]
        before = self._tree() if chain else ""
        for name, argv in chain:
            if self._exec(argv, stdin=data).exit_code == 0:
                return name
            self._put_back(before)
        if self._exec(("git", "apply", "--check", "--reverse", "-"), stdin=data).exit_code == 0:
            raise PatchError("the patch is already applied (it applies in reverse)")
        raise PatchError(f"{APPLY_CHAIN[0][0]}: {message}")

    # -- the whole tree ----------------------------------------------------------------------------

    def pack(self) -> bytes:
        """The whole folder as a tar archive: ``.git``, ignored files and empty folders too, nothing outside of it.

        Raises :class:`PatchError` if it is larger than ``TREE_LIMIT`` or cannot be read.
        """
        # Twice the limit: headers and padding come on top of what is in the files. No more is read, of no sparse file.
        argv = ("sh", "-c", _PACK, "sh", str(2 * TREE_LIMIT))
        result = self.sandbox.exec(argv, cwd=self.path, timeout=300, output_limit=4 * TREE_LIMIT)
        if result.truncated or len(result.stdout) == 2 * TREE_LIMIT:
            raise PatchError(f"the folder is larger than {TREE_LIMIT >> 20} MiB")
        message, _, code = result.stderr.decode("utf-8", "replace").strip().rpartition("\n")
        # 1: a file changed while it was read.
        if result.exit_code or result.timed_out or code not in ("0", "1"):
            raise PatchError(f"the folder cannot be read: {message.strip()[-2000:] or code}")
        try:
            return clean_tree(result.stdout, TREE_LIMIT)
        except ValueError as error:
            raise PatchError(f"the folder cannot be handed in: {error}") from None

    def unpack(self, tree: bytes) -> None:
        """Put a tree of :meth:`pack` in the folder's place.

        Raises :class:`PatchError` if it cannot be, :class:`SandboxError` if no file can be written at all.
        """
        argv = ("sh", "-c", _UNPACK, "sh", self.path)
        result = self.sandbox.exec(argv, stdin=tree, timeout=300, env={"LC_ALL": "C"})
        if result.exit_code != 0 or result.timed_out:
            self._check(self.sandbox.exec(("sh", "-c", _ROOM, "sh", f"{HOME}/room"), timeout=60), "writing a file")
            message = result.stderr.decode("utf-8", "replace").strip()[-500:]
            raise PatchError(f"what was handed in cannot be unpacked: {message}")

    # -- git inside --------------------------------------------------------------------------------

    def _git(self, *arguments: str, stdin: bytes = b"") -> ExecResult:
        return self._exec(("git", *arguments), stdin=stdin)

    def _git_shell(
        self, script: str, *arguments: str, stdin: bytes = b"", output_limit: int = OUTPUT_LIMIT
    ) -> ExecResult:
        return self._exec(("sh", "-c", script, *arguments), stdin=stdin, output_limit=output_limit)

    def _exec(self, argv: Sequence[str], *, stdin: bytes = b"", output_limit: int = OUTPUT_LIMIT) -> ExecResult:
        env = git_env(self.path)
        return self.sandbox.exec(argv, cwd=self.path, env=env, stdin=stdin, output_limit=output_limit, timeout=300)

    @staticmethod
    def _check(result: ExecResult, what: str) -> ExecResult:
        if result.exit_code != 0 or result.timed_out:
            raise SandboxError(
                f"{what} failed in the sandbox (exit {result.exit_code}): {result.output.strip()[-2000:]}"
            )
        return result

    def close(self) -> None:
        """End the sandbox. Twice is fine."""
        self.sandbox.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _paths(result: ExecResult) -> list[str]:
    return sorted(path for path in result.stdout.decode("utf-8", "surrogateescape").split("\0") if path)


def _zero(paths: Sequence[str]) -> bytes:
    return b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
