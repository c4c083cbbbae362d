"""Tasks of checks, trees and judges in real sandboxes: what is handed in counts, and nothing that an answer plants."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.authoring.validate import validate
from pytest_swegym.authoring.validation import Status
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.errors import GradingError
from pytest_swegym.errors import UnrunnableTask
from pytest_swegym.grading import TeacherSession
from pytest_swegym.grading import compute_reward
from pytest_swegym.lab import Lab
from pytest_swegym.results import ResultStore
from pytest_swegym.results.cache import GradeCache
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import AttemptRecord
from pytest_swegym.task import Grade
from pytest_swegym.task import Outcome
from pytest_swegym.task import Task
from pytest_swegym.task import TaskSpec
from pytest_swegym.task import Verdict
from pytest_swegym.workspace import Workspace


ME = "git config user.name me; git config user.email me@localhost; "
#: A history to go on with, a file to keep, and a program whose output hidden input decides.
HISTORY: dict[str, Any] = {
    "instance_id": "double",
    "repo": "empty:",
    "submission": "tree",
    "workdir": "/tmp",
    "shell": "/bin/sh",
    "problem_statement": "Write double.sh, which doubles each number it reads; commit it, and keep notes/.",
    "files": {"README": "Read me.\n", "bin/hello": "#!/bin/sh\necho hello\n"},
    "setup": f"git init -q . && {ME}git add -A && git commit -qm first && mkdir notes",
    "checks": [
        {"name": "doubles", "run": "xargs -n 1 sh double.sh", "stdin": "3\n21\n", "stdout": "6\n42"},
        {"name": "another input", "run": "sh double.sh $(cat hidden/n)", "stdout": "14", "files": {"hidden/n": "7"}},
        {"name": "committed", "run": "git log --format=%s; git status --short", "stdout": "second\nfirst"},
        {"name": "stays", "run": "pwd; ./bin/hello; ls -d notes", "stdout": "/tmp\nhello\nnotes", "keeps": True},
    ],
    "solution": "echo 'echo $(($1 * 2))' > double.sh && git add -A && git commit -qm second",
    "timeout": 60,
}


@pytest.fixture(scope="module")
def double() -> Task:
    return Task.from_dict(HISTORY)


def attempt(lab: Lab, task: Task, solver: Any, reward: str = "fraction") -> Attempt:
    return Attempt(task, solver, lab, reward=lambda spec, grade: compute_reward(reward, grade))


def played(lab: Lab, task: Task, solver: Any, reward: str = "fraction") -> tuple[AttemptRecord, Grade]:
    made = attempt(lab, task, solver, reward)
    record = made.record()
    assert record.verdict is not Verdict.INFRA_ERROR, record.error
    return record, made.grade()


def shell(script: str) -> Callable[[TaskSpec, Workspace], None]:
    def solve(task: TaskSpec, workspace: Workspace) -> None:
        result = workspace.run(script)
        assert result.exit_code == 0, result.output

    return solve


SOLVED = HISTORY["solution"]


def test_a_tree_is_handed_in_with_its_history_and_empty_folders(lab: Lab, double: Task, tmp_path: Path) -> None:
    made = attempt(lab, double, load_solver("gold"))
    record, grade = made.record(), made.grade()
    assert record.resolved, record.reasons
    assert record.reward == 1.0
    assert "+echo $(($1 * 2))" in record.patch
    assert made.tree is not None
    assert set(grade.tests) == {"doubles", "another input", "committed", "stays"}
    assert b"--- doubles: PASSED" in grade.log
    folder = ResultStore(root=tmp_path).write(record, grade, made.tree)
    with gzip.open(folder / "tree.tar.gz") as file, tarfile.open(fileobj=file) as archive:
        names = set(archive.getnames())
    assert {"notes", ".git/HEAD", "double.sh"} <= names


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_nothing_and_nearly_right_score_less(lab: Lab, double: Task) -> None:
    empty, _ = played(lab, double, load_solver("empty"))
    assert (empty.verdict, empty.reward) == (Verdict.UNRESOLVED, 0.25)
    near, _ = played(lab, double, shell(SOLVED.replace("* 2", "+ 3") + "; rmdir notes"))
    assert near.fail_to_pass == {
        "doubles": Outcome.FAILED, "another input": Outcome.FAILED, "committed": Outcome.PASSED,
    }  # fmt: skip
    assert near.pass_to_pass == {"stays": Outcome.FAILED}


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_a_patch_answers_as_well_and_a_bad_one_is_invalid(lab: Lab, double: Task, tmp_path: Path) -> None:
    patch = "--- /dev/null\n+++ b/double.sh\n@@ -0,0 +1 @@\n+echo $(($1 * 2))\n"
    record, grade = played(lab, double, lambda task, workspace: patch)
    assert record.fail_to_pass["doubles"] is Outcome.PASSED
    assert record.fail_to_pass["committed"] is Outcome.FAILED
    assert (record.tree, grade.apply_method) == ("", "git apply")
    predictions = tmp_path / "p.jsonl"
    predictions.write_text(json.dumps({"instance_id": "double", "model_patch": "no diff"}))
    assert played(lab, double, load_solver(f"predictions:{predictions}"))[0].verdict is Verdict.INVALID_PATCH


#: What an answer may leave, and the checks that it must not win.
PLANTED = {
    "shims beside it": "printf '#!/bin/sh\\necho 6; echo 42' > sh; chmod +x sh; cp sh xargs; cp sh git",
    "settings that run programs": (
        "git config core.fsmonitor 'echo second; echo first; kill $PPID'; git config filter.f.clean 'kill -9 $PPID'; "
        "git config diff.external false; git config core.pager 'echo second'; git config include.path ../more; "
        "printf '[core]\\n\\tbare = true\\n' > more; echo '* filter=f' > .gitattributes; "
        "printf '#!/bin/sh\\nkill $PPID\\n' > .git/hooks/post-index-change; chmod +x .git/hooks/*"
    ),
    "a program that leaves another": (
        "echo '(while :; do echo \"echo 6; echo 42; echo 14\" > /tmp/double.sh; done) & kill $PPID' > double.sh"
    ),
    "a program that writes to everybody": (
        "echo 'for f in /proc/[0-9]*/fd/1; do printf \"6\\n42\\n\" > $f; done 2>/dev/null; exit 0' > double.sh"
    ),
    "a flood": "echo 'head -c 3000000 /dev/zero; echo 6; echo 42' > double.sh",
    "a link in a hidden file's way": "ln -s /etc hidden; ln -s /etc/passwd double.sh",
    "a folder in a hidden file's way": "mkdir -p hidden/n; echo 'echo 14' > hidden/n/x",
    "a file where a hidden folder comes": "echo 14 > hidden",
}


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED.keys())
def test_what_an_answer_plants_wins_nothing(lab: Lab, double: Task, planted: str) -> None:
    record, _ = played(lab, double, shell(planted))
    assert record.verdict is Verdict.UNRESOLVED
    assert set(record.fail_to_pass.values()) == {Outcome.FAILED}
    assert record.pass_to_pass == {"stays": Outcome.PASSED}


@pytest.mark.parametrize("name", ["settings that run programs", "a link in a hidden file's way"])
def test_a_right_answer_is_not_harmed_by_what_lies_beside_it(lab: Lab, double: Task, name: str) -> None:
    script = SOLVED + "; " + PLANTED[name].replace("ln -s /etc/passwd double.sh", "true").replace("more", "MORE")
    quiet = script + "; printf '%s\\n' MORE .gitattributes hidden >> .git/info/exclude"
    record, grade = played(lab, double, shell(quiet))
    assert record.resolved, grade.log.decode()


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_one_check_sees_nothing_of_another(lab: Lab) -> None:
    checks = [
        {"name": "first", "run": "sh run.sh", "stdout": "x", "files": {"secret": "s"}},
        {"name": "second", "run": "sleep 0.2; ls -A", "stdout": "run.sh"},
    ]
    fields = {**HISTORY, "instance_id": "apart", "setup": "", "files": {}, "solution": "", "checks": checks}
    fields["checks"] = [*checks, {"name": "shell", "run": "cat run.sh | wc -l", "stdout": "1"}]
    script = "echo 'echo x; (sleep 0.1; echo more > more; echo more >> run.sh) & echo y > y' > run.sh"
    record, grade = played(lab, Task.from_dict(fields), shell(script))
    assert record.resolved, grade.log.decode()


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_a_check_that_takes_too_long_fails_and_the_grade_is_not_kept(lab: Lab, double: Task, tmp_path: Path) -> None:
    slow = {**HISTORY["checks"][0], "timeout": 1}
    task = Task.from_dict({**HISTORY, "checks": [slow, HISTORY["checks"][2]]})
    cached = Lab(lab.backend, grades=GradeCache(folder=tmp_path))
    record, grade = played(cached, task, shell("echo 'sleep 60' > double.sh; " + SOLVED.partition("&&")[2]))
    assert record.fail_to_pass["doubles"] is Outcome.FAILED
    assert "did not end within 1 s" in grade.tests["doubles"].message
    assert not list(tmp_path.rglob("*.json.gz"))
    assert played(cached, double, load_solver("gold"))[0].resolved
    assert len(list(tmp_path.rglob("*.json.gz"))) == 1


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_a_tree_that_is_too_large_is_invalid_and_an_odd_one_is_an_answer(lab: Lab, double: Task) -> None:
    large = attempt(lab, double, shell("head -c 70000000 /dev/zero > big")).record()
    assert large.verdict is Verdict.INVALID_PATCH
    assert "larger than 64 MiB" in large.reasons[0]
    assert played(lab, double, shell("mkdir sub && git init -q sub"))[0].verdict is Verdict.UNRESOLVED


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_a_task_that_cannot_tell_right_from_wrong_is_refused(lab: Lab, double: Task) -> None:
    first, *others, last = HISTORY["checks"]
    keeps = [first | {"keeps": True}, *others, last]
    with pytest.raises(GradingError, match="check 'doubles' is to hold before and after, but fails before"):
        lab.prepare(Task.from_dict({**HISTORY, "checks": keeps}))
    with pytest.raises(GradingError, match="every FAIL_TO_PASS test passes before the patch"):
        lab.prepare(Task.from_dict({**HISTORY, "checks": [last | {"keeps": False}]}))
    with pytest.raises(EnvironmentBuildError, match="double needs no-such-program"):
        lab.prepare(Task.from_dict({**HISTORY, "needs": ["sh", "no-such-program"]}))
    with pytest.raises(EnvironmentBuildError, match="double: setup failed: exit code 3"):
        lab.prepare(Task.from_dict({**HISTORY, "setup": "exit 3"}))
    assert lab.prepare(Task.from_dict({**HISTORY, "image": "no/such", "stand_in": True})).environment.startswith("Pyth")


def test_checks_decide_patches_of_a_repository_too(lab: Lab, make_task: Callable[..., Task], repository: Path) -> None:
    fields = {"test_files": {}, "fail_to_pass": [], "pass_to_pass": [], "runner": None}
    add = {"name": "adds", "run": "python3 -c 'import calc; print(calc.add(20, 3))'", "stdout": "23"}
    task = make_task(
        **fields, checks=[add, {"name": "link", "run": "readlink link", "stdout": "calc.py", "keeps": True}]
    )
    record, _ = played(lab, task, load_solver("gold"))
    assert record.resolved
    assert record.tree == ""


# -- prose, and who judges it ------------------------------------------------------------------------

PROSE = {**HISTORY, "instance_id": "prose", "checks": [], "solution": "", "teacher": "SECRET: is there a double.sh?"}


@pytest.fixture
def prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr("pytest_swegym.rows.check_writer.cache_dir", lambda name: tmp_path)
    return Task.from_dict(PROSE)


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_a_judge_looks_at_what_was_handed_in_with_ten_commands(lab: Lab, prose: Task) -> None:
    def judge(text: str, session: TeacherSession) -> str:
        assert text == PROSE["teacher"]
        assert session.task.instance_id == "prose"
        seen = session.run("cat double.sh; exit 3")
        said = [session.run("echo again") for _ in range(11)]
        assert said[8] == "again\n"
        assert said[9:] == ["no commands are left; give the grade now"] * 2
        return "8/10" if "$1" in seen and "(exit code 3)" in seen else "0"

    judged = Lab(lab.backend, judge=judge)
    record, grade = played(judged, prose, shell(SOLVED))
    assert (record.verdict, record.reward, record.score) == (Verdict.UNRESOLVED, 0.8, 0.8)
    assert record.reasons == ("the judge: it gave 8 of 10",)
    assert b"$ cat double.sh; exit 3" in grade.log
    lenient = replace(prose, hidden=replace(prose.hidden, pass_mark=8.0))
    assert played(judged, lenient, shell(SOLVED), "resolved")[0].reward == 1.0


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_no_grade_is_nothing_and_a_judge_that_raises_is_nobodys_wrong_answer(lab: Lab, prose: Task) -> None:
    record, _ = played(Lab(lab.backend, judge=lambda text, session: None), prose, shell(SOLVED))
    assert (record.verdict, record.reward) == (Verdict.UNRESOLVED, 0.0)
    broken = attempt(Lab(lab.backend, judge=lambda text, session: 1 / 0), prose, shell(SOLVED)).record()
    assert broken.verdict is Verdict.INFRA_ERROR
    assert "the judge raised ZeroDivisionError" in broken.reasons[0]
    with pytest.raises(UnrunnableTask, match="nothing but prose says how to check it; give --swegym-judge"):
        Lab(lab.backend).prepare(prose)


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_checks_that_are_written_for_prose_decide(lab: Lab, prose: Task) -> None:
    writing = Lab(lab.backend, check_writer=lambda *texts: HISTORY["checks"][:1])
    assert played(writing, prose, shell(SOLVED))[0].fail_to_pass == {"doubles": Outcome.PASSED}
    assert played(writing, prose, load_solver("empty"))[0].fail_to_pass == {"doubles": Outcome.FAILED}


def test_the_solver_finds_nothing_hidden(lab: Lab) -> None:
    hidden = {"checks": [{**check, "name": f"HIDDEN-WORD {check['name']}"} for check in HISTORY["checks"]]}
    hidden |= {name: f"{HISTORY[name]} # HIDDEN-WORD" for name in ("setup", "solution")}
    task = Task.from_dict({**HISTORY, **hidden, "instance_id": "marked", "teacher": "HIDDEN-WORD"})
    found: list[str] = []

    def look(spec: TaskSpec, workspace: Workspace) -> None:
        found.append(repr(spec))
        everywhere = "env; grep -rsl HIDDEN-WORD /tmp /etc /home /root /var /opt /.swegym; cat /proc/[0-9]*/cmdline"
        found.append(workspace.run(f"w=HIDDEN-; {everywhere.replace('HIDDEN-WORD', '${w}WORD')}").output)

    played(lab, task, look)
    assert len(found) == 2
    assert not [text for text in found if "HIDDEN-WORD" in text]


@pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
def test_its_solution_validates_a_task_and_a_wrong_one_does_not(lab: Lab, double: Task) -> None:
    assert validate(double, lab, repeats=1).status is Status.VALID
    wrong = replace(double, hidden=replace(double.hidden, solution="touch double.sh"))
    assert validate(wrong, lab, repeats=1).status is Status.GOLD_FAILS
    broken = validate(replace(double, hidden=replace(double.hidden, solution="exit 3")), lab, repeats=1)
    assert (broken.status, broken.problem) == (
        Status.GOLD_FAILS,
        "the solution of double ended with exit code 3",
    )
