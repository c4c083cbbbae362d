"""A player against its own episode: what it can find out, and what it can do to the end that it deserves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.env import SWEGymEnv
from pytest_swegym.lab import Lab
from pytest_swegym.results.export import chat
from pytest_swegym.results.export import step_rows
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task import Task
from pytest_swegym.tools import Toolset
from pytest_swegym.trajectory import read_trajectory


SUBMIT = json.dumps({"action": "submit"})
#: Every hidden text holds the word that is searched for.
SECRETS: dict[str, Any] = {
    "instance_id": "secrets",
    "repo": "empty:",
    "submission": "tree",
    "problem_statement": "Write probe.sh.",
    "files": {"README": "Read me.\n"},
    "setup": "# SECRET-setup\ngit init -q . && git config user.name m && git config user.email m@m\n"
    "git add -A && git commit -qm first",
    "teacher": "SECRET-teacher",
    "solution": "echo SECRET-solution > probe.sh",
    "checks": [
        {"name": "SECRET-name", "run": "cat hidden/x", "files": {"hidden/x": "SECRET-file"}, "stdout": "SECRET-out"},
        {"name": "clean", "run": "sh probe.sh", "stdout": "clean"},
        {"name": "other", "run": ": SECRET-run; cat", "stdin": "SECRET-in", "contains": ["SECRET-contains"]},
    ],
    "timeout": 60,
    "pids": 64,
}
#: Prints "clean" if the word is nowhere: in no file, no variable, no command line, no object of git, reachable or not.
SEARCH = r"""
if { grep -rlsa --exclude=kmsg 'SEC[R]ET-' /.swegym /dev/shm /etc /home /opt /root /run /testbed /tmp /var .
     grep -lsa 'SEC[R]ET-' /proc/[0-9]*/environ /proc/[0-9]*/cmdline
     for git in /.swegym/base.git .git; do
       git --git-dir=$git cat-file --batch-all-objects --batch
       git --git-dir=$git fsck --lost-found --no-reflogs; git --git-dir=$git reflog
     done | grep -ca 'SEC[R]ET-'
   } 2> /dev/null | grep -v '^0$'
then :; else echo clean; fi
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab(make_backend("bubblewrap"), tools=Toolset.load(["edit", "submit", "diff_state", "support"], root=None))
    yield lab
    lab.close()


def command(text: str) -> str:
    return json.dumps({"action": "command", "command": text})


def test_nothing_hidden_is_seen_by_a_player_or_in_what_is_kept_of_its_play(lab: Lab, tmp_path: Path) -> None:
    with SWEGymEnv(tasks=Task.from_dict(SECRETS), lab=lab, output=tmp_path) as env:
        first, _ = env.reset()
        seen = [first, str(env.session.task), repr(env.session.task)]
        steps = (
            command(SEARCH),
            command("set; support edit; support"),
            json.dumps({"action": "write_file", "path": "probe.sh", "content": SEARCH}),
            command("sh probe.sh"),
            json.dumps({"action": "start", "task_id": "other"}),
            "no action",
            command('echo SEC""RET- > /var/tmp/own'),
            command(SEARCH),
        )
        outputs = []
        for step in steps:
            text, _, _, _, info = env.step(step)
            outputs.append(text)
            seen += [text, json.dumps(env.session.observation.to_dict()), json.dumps(info)]
        assert (outputs[0], outputs[3]) == ("clean\n", "clean\n")
        assert outputs[-1] == "/var/tmp/own\n"  # it does find what is there
        seen.append((tmp_path / "attempts" / "secrets" / "trajectory.jsonl").read_text())
        _, _, _, _, info = env.step(SUBMIT)
        # The same where the answer is graded: of all checks, a program sees its own.
        assert info["grade"].tests["clean"].outcome.value == "passed"
    played = read_trajectory(tmp_path / "attempts" / "secrets" / "trajectory.jsonl")
    seen += [json.dumps(chat(played)["messages"]), *(json.dumps(row["observation"]) for row in played.steps)]
    seen += [json.dumps(played.header), *(row["text"] for row in step_rows(played) if "text" in row)]
    assert [text for text in seen if "SECRET-" in text] == []


#: What a player does in its episode, and how that ends where it is not ended by submitting.
PLAYS = {
    "our folder removed": (["rm -rf /.swegym", "echo hi"], ""),
    "everything killed": (["kill -9 -1"], "sandbox"),
    "all others killed": (
        ["for p in /proc/[0-9]*; do [ ${p#/proc/} = $$ ] || kill -9 ${p#/proc/}; done"],
        "sandbox or not",
    ),
    "the shell replaced": (["exec true", "echo hi"], ""),
    "no word but a folder": (["rm -rf /.swegym/tools/ended; mkdir -p /.swegym/tools/ended", "echo hi"], ""),
    "no word but a pipe": (["mkfifo /.swegym/tools/ended", "echo hi"], ""),
    "no word but a link": (["ln -s /dev/zero /.swegym/tools/ended", "echo hi"], ""),
    "the word written by hand": (["echo submit > /.swegym/tools/ended"], "submit"),
    "more than a patch holds": (["head -c 70000000 /dev/urandom > big", "rm big"], ""),
    "the folder closed": (["chmod 000 ."], ""),
    "the folder removed": (["rm -rf $PWD"], ""),
}


@pytest.mark.parametrize(("commands", "ending"), PLAYS.values(), ids=PLAYS.keys())
def test_no_play_hides_a_loss(lab: Lab, commands: list[str], ending: str) -> None:
    with SWEGymEnv(tasks=Task.from_dict(SECRETS), lab=lab) as env:
        env.reset()
        for text in commands:
            _, _, terminated, truncated, info = env.step(command(text))
        assert info["ending"] in (("", "sandbox") if ending == "sandbox or not" else (ending,))
        assert (terminated or truncated) == bool(info["ending"])
        if not info["ending"]:
            _, _, terminated, truncated, info = env.step(SUBMIT)
        assert terminated or truncated
        assert (info["mask"], info["resolved"], info["reward"]) == (False, False, 0.0), info["infra_error"]
