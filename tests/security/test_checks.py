"""Answers to tasks of checks that want a reward for nothing, or their loss to be the machinery's fault."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from pytest_swegym.episode import Attempt
from pytest_swegym.errors import SandboxClosed
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


ME = "git config user.name me; git config user.email me@localhost"
#: Each check passes only if the answer's own code ran, or if git was led to lie.
FORGE: dict[str, Any] = {
    "instance_id": "forge",
    "repo": "empty:",
    "submission": "tree",
    "problem_statement": "Nothing of this can be had honestly.",
    "files": {"a.txt": "a\n"},
    "setup": f"git init -q . && {ME} && git add -A && git commit -qm first",
    "checks": [
        {"name": "ran", "run": "touch a.txt; git add -A; cat /var/tmp/ran", "stdout": "ran"},
        {
            "name": "lied",
            "run": "id=$(git rev-parse --verify -q HEAD) || exit\n"
            "git cat-file commit HEAD | git hash-object -t commit --stdin | grep -qx $id || echo x",
            "stdout": "x",
        },
        {
            "name": "imports",
            "run": "python3 -I hidden/run.py",
            "files": {"hidden/run.py": "import json\n"},
            "stdout": "x",
        },
    ],
    "timeout": 60,
    "pids": 64,
}
#: A task whose answer is a patch.
PATCH: dict[str, Any] = {
    "instance_id": "seven",
    "repo": "empty:",
    "runner": "checks",
    "problem_statement": "Write a.sh, which prints 7.",
    "files": {"README": "Read me.\n"},
    "checks": [{"name": "seven", "run": "sh a.sh", "stdout": "7"}],
    "pids": 64,
}
FILTER = "clean = echo ran > /var/tmp/ran; cat"
ATTRIBUTES = "echo 'a.txt filter=f' > .gitattributes; "
FORGERIES = {
    "settings in a folder with a line break in its name": (
        ATTRIBUTES + "mkdir -p \"$(printf 'x\\ny')\"; mv .git \"$(printf 'x\\ny/repo')\"; "
        "printf 'gitdir: x\\ny/repo\\n' > .git; printf '[filter \"f\"]\\n" + FILTER + "\\n' >> x*/repo/config"
    ),
    "settings in a shared folder without HEAD": (
        ATTRIBUTES + "mkdir c; mv .git/config .git/objects .git/refs c; echo ../c > .git/commondir; "
        'printf \'[filter "f"]\\n' + FILTER + "\\n' >> c/config"
    ),
    "HEAD as a dangling link": (
        ATTRIBUTES + "rm .git/HEAD; ln -s refs/heads/none .git/HEAD; "
        'printf \'[filter "f"]\\n' + FILTER + "\\n' >> .git/config"
    ),
    "an old spelling of a setting, twice, and locked": (
        ATTRIBUTES
        + "printf '[filter.F]\\n"
        + FILTER
        + '\\n[FILTER "f"]\\n'
        + FILTER
        + "\\n"
        + FILTER
        + "\\n' >> .git/config;"
        " touch .git/config.lock"
    ),
    "a hook, a monitor, an included file": (
        "printf '#!/bin/sh\\necho ran > /var/tmp/ran\\n' > .git/hooks/post-index-change; chmod +x .git/hooks/*; "
        "cp .git/hooks/post-index-change run; git config core.fsmonitor ./run; "
        + ATTRIBUTES
        + 'git config include.path ../more; printf \'[filter "f"]\\n'
        + FILTER
        + "\\n' > more"
    ),
    "a commit that another stands in for": "git replace --edit HEAD; true",
    "more settings than anybody reads": (
        ATTRIBUTES + 'for n in $(seq 9000); do echo "[filter \\"$n$(printf %0100d 0)\\"]"; echo \'clean = x\'; done'
        ' >> .git/config; printf \'[filter "f"]\\n' + FILTER + "\\n' >> .git/config"
    ),
    "modules of its own": "echo 'print(\"x\")' > json.py; mkdir hidden; cp json.py hidden; cp json.py sitecustomize.py",
}


@pytest.fixture(scope="module")
def bubblewrap() -> Iterator[Lab]:
    yield from started("bubblewrap")


@pytest.fixture(scope="module")
def docker(docker_image: str) -> Iterator[Lab]:
    yield from started("docker")


def started(name: str) -> Iterator[Lab]:
    backend = make_backend(name)
    if reason := backend.available():
        (pytest.fail if required(name) else pytest.skip)(f"{name}: {reason}")
    lab = Lab(backend)
    yield lab
    lab.close()


def played(lab: Lab, fields: dict[str, Any], solve: Callable[[TaskSpec, Workspace], Any]) -> AttemptRecord:
    task = Task.from_dict(fields)
    return Attempt(task, solve, lab, reward=lambda spec, grade: compute_reward("fraction", grade)).record()


def shell(script: str) -> Callable[[TaskSpec, Workspace], None]:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        with suppress(SandboxClosed):
            workspace.run(script, timeout=30)

    return solve


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_what_an_answer_plants_runs_nowhere_and_wins_nothing(bubblewrap: Lab, forgery: str) -> None:
    forgery = forgery.replace("git replace --edit HEAD", "GIT_EDITOR='sed -i s/first/other/' git replace --edit HEAD")
    record = played(bubblewrap, FORGE, shell(forgery))
    assert record.verdict in (Verdict.UNRESOLVED, Verdict.INVALID_PATCH), record.error
    assert record.reward == 0.0
    assert Outcome.PASSED not in record.fail_to_pass.values()


#: What a solver may do to the sandbox that its answer is read from.
BROKEN = {
    "our folder removed": "rm -rf /.swegym",
    "the copy of the base locked": "touch /.swegym/base.git/index.lock",
    "its settings damaged": "echo '[' > /.swegym/base.git/config",
    "its objects exchanged": "rm -rf /.swegym/base.git/objects; ln -s /proc /.swegym/base.git/objects",
    "the folder removed": 'rm -rf "$PWD"',
    "a file in the folder's place": 'rm -rf "$PWD"; touch "$PWD"',
    "the folder closed": "chmod 000 .",
    "all processes used": "exec dash -c 'while :; do sleep 100 & done'",
    "everything killed, and nothing said": "kill -9 -1",
    "everything killed a little later": "(sleep 0.2; kill -9 -1) & sleep 0.1",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_sandbox_hides_no_loss(bubblewrap: Lab, broken: str) -> None:
    for fields in (PATCH, FORGE):
        record = played(bubblewrap, fields, shell(broken))
        assert record.verdict not in (Verdict.INFRA_ERROR, Verdict.RESOLVED), record.error
        assert record.reward == 0.0


def test_what_was_done_before_the_sandbox_broke_still_counts(bubblewrap: Lab) -> None:
    for broken in ("rm -rf /.swegym", BROKEN["its objects exchanged"], BROKEN["all processes used"]):
        record = played(bubblewrap, PATCH, shell(f"echo 'echo 7' > a.sh; {broken}"))
        assert record.resolved, record.error
        assert "+echo 7" in record.patch


def forged_archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "y" * 5000
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("x" * 300))
    return out.getvalue()


def test_programs_exchanged_in_a_container_hide_no_loss(docker: Lab) -> None:
    def forge(task: TaskSpec, workspace: Workspace) -> None:
        workspace.write("/tmp/forged.tar", forged_archive())
        workspace.run("t=$(command -v tar); rm $t; printf '#!/bin/sh\\ncat /tmp/forged.tar\\n' > $t; chmod +x $t")

    record = played(docker, FORGE, forge)
    assert record.verdict is Verdict.INVALID_PATCH, record.error
    record = played(docker, PATCH, shell("rm -f /bin/sh"))
    assert (record.verdict, record.reward) == (Verdict.SOLVER_ERROR, 0.0), record.error


def test_a_machinery_that_fails_by_itself_is_still_an_infra_error(bubblewrap: Lab) -> None:
    class Broken(Lab):
        def workspace(self, *given: Any, **named: Any) -> Workspace:
            made = super().workspace(*given, **named)
            if self.broken:
                made.run("rm -rf /.swegym/base.git")
            return made

        broken = False

    lab = Broken(bubblewrap.backend)
    lab.prepare(Task.from_dict(PATCH))
    lab.broken = True
    assert played(lab, PATCH, lambda task, workspace: None).verdict is Verdict.INFRA_ERROR
