"""A search that goes deep: snapshots of forks of snapshots, more than an overlay has room for, dropped as it goes."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.sandbox import Sandbox
from pytest_swegym.sandbox import Snapshot
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.registry import required
from pytest_swegym.task import EnvironmentSpec


DEEP = 100
# Each generation adds a file, changes one and removes one; folders go and come back, so that old content must not.
STEP = """
set -e; cd /srv
echo {n} > last; echo {n} > f{n}; rm -f f{gone}
case {n} in
  *0) rm -rf d; mkdir d; echo {n} > d/only ;;
  *5) rm -rf d; echo {n} > d ;;
  *7) rm -f d; ln -s f{n} d ;;
  *9) rm -rf d; mkdir -p d/sub; echo {n} > d/sub/f; chmod 0500 d/sub; chmod 0700 d/sub ;;
esac
"""
SHOW = """
find . | sort | while read -r p; do
  if [ -L $p ]; then readlink $p; elif [ -f $p ]; then echo $p `cat $p`; else echo $p; fi
done
"""


def show(fork: Sandbox) -> str:
    return fork.exec(["sh", "-c", SHOW], cwd="/srv", timeout=60).output


@pytest.fixture(scope="module")
def backend() -> Iterator[BubblewrapBackend]:
    backend = make_backend("bubblewrap")
    assert isinstance(backend, BubblewrapBackend)
    reason = backend.available()
    if reason is not None:
        pytest.fail(reason) if required("bubblewrap") else pytest.skip(reason)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def base(backend: BubblewrapBackend) -> Snapshot:
    return backend.base(EnvironmentSpec(python=">=3.8"))


def expected(number: int) -> list[str]:
    """What a folder has after so many generations, done by hand."""
    files = [f"./f{n} {n}" for n in range(max(number - 3, 0), number + 1)]
    last = next(n for n in range(number, -1, -1) if n % 10 in (0, 5, 7, 9))
    d = {0: ["./d", f"./d/only {last}"], 5: [f"./d {last}"], 7: [f"f{last}"],
         9: ["./d", "./d/sub", f"./d/sub/f {last}"]}[last % 10]  # fmt: skip
    return sorted([".", *files, f"./last {number}", *d])


def test_a_chain_of_hundreds_has_the_right_content_and_little_of_it_stays(
    backend: BubblewrapBackend, base: Snapshot
) -> None:
    moment, kept = base, {}
    for number in range(DEEP):
        with backend.start(moment) as fork:
            script = STEP.format(n=number, gone=number - 4)
            result = fork.exec(["sh", "-c", script], timeout=60)
            assert result.exit_code == 0, (number, result.output)
            following = fork.snapshot()
        if moment is not base and moment not in kept.values():
            backend.drop(moment)
        if number in (16, 33, 70):
            kept[number] = following
        moment = following
    kept[DEEP - 1] = moment
    for number, snapshot in kept.items():
        with backend.start(snapshot) as fork:
            assert sorted(show(fork).splitlines()) == expected(number)
    folders = {Path(layer).parent for snapshot in kept.values() for layer in snapshot.ref["layers"]}
    left = {path for path in Path(moment.ref["layers"][-1]).parents[1].glob("snapshot-*") if any(path.iterdir())}
    assert left <= folders


PATHS = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/z", "b/x"])
CHANGES = st.lists(st.tuples(st.sampled_from(["write", "remove", "folder", "link"]), PATHS), max_size=4)


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(generations=st.lists(CHANGES, min_size=17, max_size=18))
def test_merged_layers_show_what_the_chain_showed(
    backend: BubblewrapBackend, base: Snapshot, tmp_path: Path, generations: list[list[tuple[str, str]]]
) -> None:
    """The same changes, done in a chain of forks and in one folder."""
    plain = Path(tempfile.mkdtemp(dir=tmp_path))
    moment = base
    for number, changes in enumerate(generations):
        script = "".join(_change(kind, path, number) for kind, path in changes)
        subprocess.run(["sh", "-c", script], cwd=plain, check=True)
        with backend.start(moment) as fork:
            assert fork.exec(["sh", "-ec", script], cwd="/srv", timeout=60).exit_code == 0
            moment = fork.snapshot()
    with backend.start(moment) as fork:
        assert show(fork) == subprocess.check_output(["sh", "-c", SHOW], cwd=plain, text=True)


def _change(kind: str, path: str, number: int) -> str:
    parent = os.path.dirname(path) or "."
    command = {
        "write": f"echo {number} > {path}",
        "remove": "true",
        "folder": f"mkdir {path}",
        "link": f"ln -s {number} {path}",
    }[kind]
    room = f"if [ ! -d {parent} ] || [ -L {parent} ]; then rm -rf {parent.split('/')[0]}; mkdir -p {parent}; fi"
    return f"{room if parent != '.' else ':'}\nrm -rf {path}\n{command}\n"


def test_shells_that_nobody_closes_leave_no_descriptors(backend: BubblewrapBackend, base: Snapshot) -> None:
    backend.start(base).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with backend.start(base) as sandbox:
            sandbox.shell().run("true", timeout=60)
            sandbox.shell().run("exit 3", timeout=60)
            assert sandbox.shell().run("sleep 60", timeout=0.1).timed_out
    # Resets as quick as these have one sandbox more started ahead, which waits some seconds for its taker.
    deadline = time.monotonic() + 30
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= before
