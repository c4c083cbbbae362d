"""A workspace on real sandboxes: what becomes a patch, how patches go in, what the solver's git knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_swegym.errors import PatchError
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.workspace import Workspace


@pytest.fixture
def workspace(lab: Lab, prepared: Prepared) -> Iterator[Workspace]:
    with lab.workspace(prepared.task.spec, prepared.snapshot) as workspace:
        yield workspace


def test_nothing_changed_is_no_patch(workspace: Workspace) -> None:
    assert workspace.diff() == ""
    assert workspace.changed() == []


def test_every_kind_of_edit_survives_the_way_into_a_fresh_fork(
    lab: Lab, prepared: Prepared, workspace: Workspace
) -> None:
    edits = (
        "printf 'new' > 'new file.txt'; mkdir -p deep/er; printf 'x\\n' > deep/er/ünï.txt; rm run.sh; "
        "printf 'one\\r\\nTWO\\r\\nno end' > crlf.txt; printf '\\000\\001binary' > data.bin; chmod +x calc.py; "
        "rm link; ln -s tests link; git mv tests/test_calc.py tests/test_moved.py; mkdir ignored; echo x > ignored/x; "
        "mkdir -p __pycache__; echo x > __pycache__/a.pyc"
    )
    assert workspace.run(edits).exit_code == 0
    patch = workspace.diff()
    listing = "find . -path ./.git -prune -o -not -name '*.pyc' -not -path './ignored*' -not -name __pycache__ -print"
    listing += " | sort; cat crlf.txt data.bin 'new file.txt' | od -c; ls -ld calc.py link | cut -c1-10; readlink link"
    with lab.workspace(prepared.task.spec, prepared.snapshot) as fresh:
        assert fresh.apply(patch) == "git apply"
        assert fresh.run(listing).output == workspace.run(listing).output
        assert fresh.diff() == patch
    assert "ignored/" not in patch
    assert ".pyc" not in patch


def test_commits_stashes_and_a_lost_git_folder_change_nothing(workspace: Workspace) -> None:
    workspace.write("calc.py", "changed = 1\n")
    before = workspace.diff()
    config = "git config user.name x; git config user.email x@x; "
    assert workspace.run(config + "git add -A; git commit -qm mine; git checkout -q -b other").exit_code == 0
    assert workspace.diff() == before
    assert workspace.run("rm -rf .git").exit_code == 0
    assert workspace.diff() == before


def test_the_solvers_git_knows_one_commit_and_nothing_else(workspace: Workspace) -> None:
    assert workspace.run("git log --all --oneline | wc -l").output.strip() == "1"
    assert workspace.run("git remote; git tag; git stash list; git reflog --all").output == ""
    assert workspace.run("git status --porcelain").output == ""
    unreachable = workspace.run("git fsck --unreachable --no-reflogs --lost-found 2>/dev/null | wc -l")
    assert unreachable.output.strip() == "0"
    assert workspace.run("cat .git/objects/info/alternates").exit_code != 0


def test_patches_apply_by_the_chain_or_say_why(workspace: Workspace) -> None:
    good = (
        "--- a/calc.py\n+++ b/calc.py\n@@ -1,4 +1,4 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n \n \n"
    )
    assert workspace.apply(good[:-1]) == "git apply"  # without the final newline
    assert "a + b" in workspace.read("calc.py")
    workspace.write("mine.txt", "unsaved work")
    with pytest.raises(PatchError, match="already applied"):
        workspace.apply(good)
    assert workspace.changed() == ["calc.py", "mine.txt"]
    workspace.reset()
    fuzzy = good.replace(" def add(a, b):\n", " def other(a, b):\n")
    assert workspace.apply(fuzzy) == "patch --fuzz=5"
    assert "a + b" in workspace.read("calc.py")


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("", "the patch is empty"),
        (" \n\n", "the patch is empty"),
        ("not a diff at all\n", "No valid patches|unrecognized|garbage"),
        ("--- a/gone.py\n+++ b/gone.py\n@@ -1 +1 @@\n-x\n+y\n", "gone.py: No such file"),
        ("--- a/calc.py\n+++ b/calc.py\n@@ -1,3 +1,3 @@\n nothing\n-like\n+this\n here\n", "patch failed: calc.py:1"),
        ("--- a/calc.py\n+++ b/calc.py\n@@ -1,9 +1,2 @@\n-cut", "corrupt patch"),
        ("--- a/../../etc/x\n+++ b/../../etc/x\n@@ -0,0 +1 @@\n+x\n", "invalid path|No such file"),
        ("--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+evil\n", "invalid path"),
    ],
)
def test_bad_patches_keep_gits_message_and_leave_the_tree(workspace: Workspace, patch: str, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        workspace.apply(patch)
    assert workspace.diff() == ""


def test_restore_puts_back_and_deletes(workspace: Workspace) -> None:
    workspace.run("echo x > added.py; rm -rf tests; echo file > tests; rm link; ln -s /etc link; echo y >> calc.py")
    workspace.restore(["added.py", "tests", "tests/test_calc.py", "tests/__init__.py", "link"])
    assert workspace.changed() == ["calc.py"]
    assert workspace.run("readlink link").output == "calc.py\n"


def test_a_folder_that_is_restored_comes_back_whole(workspace: Workspace) -> None:
    workspace.run("echo x >> tests/test_calc.py; echo new > tests/new")
    workspace.restore(["tests"])
    assert workspace.changed() == []


def test_a_reset_is_a_fresh_fork(workspace: Workspace) -> None:
    workspace.run("echo x > calc.py; echo y > /tmp/left; sleep 100 &")
    workspace.reset()
    assert workspace.diff() == ""
    assert workspace.run("ls /tmp/left").exit_code != 0


def test_text_that_is_not_utf8_survives(workspace: Workspace) -> None:
    workspace.write("latin.txt", b"caf\xe9\n")
    text = workspace.read("latin.txt")
    workspace.write("copy.txt", text)
    assert workspace.read_bytes("copy.txt") == b"caf\xe9\n"
    patch = workspace.diff()
    workspace.reset()
    workspace.apply(patch)
    assert workspace.read_bytes("copy.txt") == b"caf\xe9\n"
