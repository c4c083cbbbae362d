"""The shipped tools in real sandboxes, and tool folders of a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.session import Session
from pytest_swegym.session import load_protocol
from pytest_swegym.task import EnvironmentSpec
from pytest_swegym.task import Task
from pytest_swegym.tools import ENDED
from pytest_swegym.tools import HOME
from pytest_swegym.tools import Toolset
from pytest_swegym.tools import shipped
from pytest_swegym.workspace import Workspace


Own = Callable[[dict[str, str]], tuple[Toolset, Snapshot]]

on_bubblewrap = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True)
#: What the shell scripts need besides a shell; no Python.
PROGRAMS = "sh awk cat cut find git grep head mv rm sed sort tr wc cp"


class Player:
    """Calls tools in one shell, as a session does."""

    def __init__(self, tools: Toolset, workspace: Workspace) -> None:
        self.tools, self.workspace = tools, workspace
        self._shell = workspace.shell()

    def type(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        result = self._shell.run(self.tools.typed(command), timeout=60)
        return result.exit_code, result.stdout.decode("utf-8", "surrogateescape")

    def __call__(self, tool: str, /, **arguments: Any) -> str:
        """The output of a tool that does not fail."""
        code, output = self.type(self.tools.command(tool, arguments))
        assert code == 0, output
        return output

    def fails(self, tool: str, /, **arguments: Any) -> str:
        code, output = self.type(self.tools.command(tool, arguments))
        assert code == 1, output
        return output

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for command in self.tools.state_commands:
            found.update(json.loads(self.type(command)[1]))
        return found


@pytest.fixture(scope="session")
def tools() -> Toolset:
    return Toolset.load(shipped())


@pytest.fixture(scope="module")
def tooled(lab: Lab, task: Task, tools: Toolset) -> Prepared:
    return Lab(lab.backend, tools=tools).prepare(task)


@pytest.fixture
def play(lab: Lab, tooled: Prepared, tools: Toolset) -> Iterator[Player]:
    """A player in a fresh fork with every shipped tool."""
    with lab.workspace(tooled.task.spec, tooled.solving) as workspace:
        yield Player(tools, workspace)


@on_bubblewrap
def test_search(play: Player) -> None:
    assert play("find_file", file_name="*.py").split("\n")[0] == 'Found 3 matches for "*.py" in /testbed:'
    assert "/testbed/tests/test_calc.py\n" in play("find_file", file_name="test_*", dir="tests")
    assert play("find_file", file_name="nothing*") == 'No matches found for "nothing*" in /testbed\n'
    play.workspace.write(".hidden/a b/x.cfg", "x")
    assert "No matches" in play("find_file", file_name="x.cfg")
    assert play("find_file", file_name="x.cfg", dir=".hidden").endswith("\n/testbed/.hidden/a b/x.cfg\n")
    assert "there is no folder nowhere" in play.fails("find_file", file_name="x", dir="nowhere")
    found = play("search_dir", search_term="calc.t")
    assert found == 'Found 1 matches for "calc.t" in 1 files of /testbed:\ntests/test_calc.py:7:' + (
        "        self.assertEqual(calc.twice(3), 6)\n"
    )
    assert "calc.py:1:def add(a, b):" in play("search_dir", search_term="(a")
    assert "calc.py:1:def add(a, b):" in play("search_dir", search_term="add(")
    assert "No matches" in play("search_dir", search_term="[(")
    assert "no file is open" in play.fails("search_file", search_term="def")
    assert "there is no file gone.py" in play.fails("search_file", search_term="def", file="gone.py")
    play("open", path="calc.py")
    play.type("cd tests")
    assert play("search_file", search_term="def").endswith("/testbed/calc.py:\n1:def add(a, b):\n5:def twice(a):\n")
    assert play("search_file", search_term="-", file="test_calc.py").startswith("No matches")


@on_bubblewrap
def test_the_window_moves_over_the_open_file(play: Player) -> None:
    play.type("seq 1 250 > long.txt")
    assert "no file is open" in play.fails("goto", line_number=3)
    shown = play("open", path="long.txt")
    assert shown.startswith("[File: /testbed/long.txt (250 lines)]\n1:1\n")
    assert shown.endswith("100:100\n(150 more lines below)\n")
    assert "(98 more lines above)\n99:99\n" in play("scroll_down")
    for _ in range(2):
        assert play("scroll_down").split("\n")[1:3] == ["(150 more lines above)", "151:151"]
    assert "(52 more lines above)\n53:53\n" in play("scroll_up")
    play.type("cd /; _write_env WINDOW 12")
    assert play("goto", line_number=100).split("\n")[1:3] == ["(97 more lines above)", "98:98"]
    assert "there is no line 251" in play.fails("goto", line_number=251)
    assert "there is no line 0" in play.fails("open", path="/testbed/long.txt", line_number=0)
    assert "is a folder" in play.fails("open", path="/testbed")
    assert "No such file" in play.fails("open", path="gone")
    assert play.state()["open_file"] == "/testbed/long.txt"


@on_bubblewrap
def test_an_edit_that_breaks_python_is_refused_and_shown(play: Player) -> None:
    assert play("create", filename="new/mod.py") == "[File: /testbed/new/mod.py (0 lines)]\n"
    assert "exists already" in play.fails("create", filename="calc.py")
    text = "def f():\n    end = 'end_of_edit'\n    return end\n"
    assert "3:    return end\n" in play("edit", start_line=1, end_line=1, replacement_text=text)
    assert play.workspace.read("new/mod.py") == text
    refused = play.fails("edit", start_line=3, end_line=3, replacement_text="    return (end")
    assert "- line 3: " in refused
    assert "3:    return (end\n" in refused
    assert refused.endswith("3:    return end\n")
    assert play.workspace.read("new/mod.py") == text
    code, shown = play.type("edit 3:3\n    return 2\nend_of_edit\necho after")
    assert (code, shown.split("\n")[-3:]) == (0, ["3:    return 2", "after", ""])
    assert "2 lines" in play("edit", start_line=2, end_line=2, replacement_text="")
    assert "whose lines are 1 to 2" in play.fails("edit", start_line=2, end_line=9, replacement_text="x")
    assert play.type("echo x | edit one:2")[0] == 1
    assert "(1 lines)" in play.type("edit 2:2\nend_of_edit")[1]
    assert "the new lines are missing" in play.type("edit 1:1\ntrue")[1]
    play.type("printf 'def broken(:\\n  pass\\n' > broken.py; open broken.py")
    assert "had wrong syntax before" in play("edit", start_line=2, end_line=2, replacement_text="  return 1")


@on_bubblewrap
def test_line_ends_and_bytes_stay_as_they_are(play: Player) -> None:
    play("open", path="crlf.txt")
    play("edit", start_line=2, end_line=2, replacement_text="2\nzwei")
    assert play.workspace.read_bytes("crlf.txt") == b"one\r\n2\r\nzwei\r\nno end"
    play("str_replace_editor", command="str_replace", path="crlf.txt", old_str="one\n2\n", new_str="1\n2\n")
    play("str_replace_editor", command="insert", path="crlf.txt", insert_line=4, new_str="end")
    assert play.workspace.read_bytes("crlf.txt") == b"1\r\n2\r\nzwei\r\nno end\r\nend\r\n"
    play.workspace.write("latin.txt", b"caf\xe9\nx\n")
    play("str_replace_editor", command="str_replace", path="latin.txt", old_str="x", new_str="\u00fc")
    assert play.workspace.read_bytes("latin.txt") == b"caf\xe9\n\xc3\xbc\n"
    play("str_replace_editor", command="undo_edit", path="latin.txt")
    assert play.workspace.read_bytes("latin.txt") == b"caf\xe9\nx\n"


@on_bubblewrap
def test_the_editor_of_texts(play: Player) -> None:
    def edit(command: str, path: str = "/testbed/calc.py", **arguments: Any) -> str:
        return play("str_replace_editor", command=command, path=path, **arguments)

    def refuses(command: str, path: str = "/testbed/calc.py", **arguments: Any) -> str:
        return play.fails("str_replace_editor", command=command, path=path, **arguments)

    base = play.workspace.read("calc.py")
    assert edit("view").startswith("     1\tdef add(a, b):\n     2\t    return a - b\n")
    assert edit("view", view_range=[5, -1]) == "     5\tdef twice(a):\n     6\t    return a * 2\n"
    assert "must lie within the file's lines, 1 to 6" in refuses("view", view_range=[5, 9])
    assert edit("view", path=".").startswith("/testbed\n/testbed/calc.py\n/testbed/crlf.txt\n")
    assert "     2\t    return -a\n" in edit("str_replace", old_str="a - b", new_str="-a")
    assert edit("str_replace", old_str="    return -a\n", new_str="-- dashes --file_text\n")
    assert "is not in /testbed/calc.py as it stands" in refuses("str_replace", old_str="a - b", new_str="x")
    assert "more than once, at lines 1, 5; give more" in refuses("str_replace", old_str="def", new_str="x")
    assert "needs old_str" in refuses("str_replace", new_str="x")
    assert "     1\t# top\n" in edit("insert", insert_line=0, new_str="# top")
    assert "0 to 7" in refuses("insert", insert_line=8, new_str="x")
    for _ in range(3):
        edit("undo_edit")
    assert play.workspace.read("calc.py") == base
    assert "there is no edit of /testbed/calc.py to undo" in refuses("undo_edit")
    assert edit("create", path="a/b.txt", file_text="$HOME 'x' \"y\"\n`z`") == "Created /testbed/a/b.txt.\n"
    assert play.workspace.read("a/b.txt") == "$HOME 'x' \"y\"\n`z`"
    assert "exists already" in refuses("create", path="a/b.txt", file_text="")
    assert edit("undo_edit", path="a/b.txt") == "Removed /testbed/a/b.txt again.\n"


@on_bubblewrap
def test_a_map_of_a_file(play: Player) -> None:
    long = "".join(f"    x{n} = {n}\n" for n in range(6))
    play.workspace.write("big.py", f'def long(a):\n    """Kept."""\n{long}\n\nasync def short():\n    return 1\n')
    mapped = play("filemap", file_path="big.py")
    assert mapped == (
        '     1 def long(a):\n     2     """Kept."""\n       ... lines 3-8 left out ...\n     9 \n    10 \n'
        "    11 async def short():\n    12     return 1\n"
    )
    play.workspace.write("bad.py", "def (")
    assert "cannot be parsed as Python" in play.fails("filemap", file_path="bad.py")
    assert "No such file" in play.fails("filemap", file_path="gone.py")


@on_bubblewrap
def test_the_visible_tests_run_and_the_hidden_ones_are_not_there(play: Player) -> None:
    play.type("cd /")
    assert "Ran 1 test" in play("tests")
    assert "Ran 1 test" in play("tests", args=["tests.test_calc.TestCalc.test_twice"])
    assert "has no attribute 'test_add'" in play.fails("tests", args=["tests.test_calc.TestCalc.test_add"])
    play.type("_write_env TEST_COMMAND ''")
    assert "no tests that can be seen" in play.fails("tests")


@on_bubblewrap
def test_support_prints_what_the_configuration_says(play: Player, tools: Toolset) -> None:
    assert play("support", name="str_replace_editor") == tools.tools["str_replace_editor"].docs()
    listed = play("support").splitlines()
    assert [line.split(":")[0] for line in listed[:-1]] == sorted(tools.tools)
    assert "there is no tool cat; choose from: bash create" in play.fails("support", name="cat")
    assert "there is no tool ../state.json" in play.fails("support", name="../state.json")


@on_bubblewrap
def test_the_diff_is_that_of_the_workspace(play: Player) -> None:
    assert play("diff_state") == ""
    assert play.state() == {"diff": "", "open_file": ""}
    play.workspace.write("calc.py", 'x = "\\t"\n')
    play.workspace.write("new.txt", "t\tab \u00e9\n")
    play.type("git add -A; git -c user.name=x -c user.email=x commit -qm mine")
    assert play("diff_state") == play.workspace.diff()
    assert play.state()["diff"] == play.workspace.diff()
    play.workspace.write("huge.txt", "line\n" * 20_000)
    assert play.state()["diff"].endswith("\n[cut: run diff_state for all of it]\n")
    play.type("rm huge.txt; printf '\\351\\001' > latin.txt")
    assert "\n+\x01\n" in play.state()["diff"]


@on_bubblewrap
def test_nothing_of_the_tools_enters_the_patch(play: Player) -> None:
    calls: dict[str, dict[str, Any]] = {
        "bash": {"command": "ls"},
        "find_file": {"file_name": "calc.py"},
        "search_dir": {"search_term": "def"},
        "open": {"path": "calc.py"},
        "search_file": {"search_term": "def"},
        "goto": {"line_number": 2},
        "scroll_down": {},
        "scroll_up": {},
        "filemap": {"file_path": "calc.py"},
        "tests": {},
        "diff_state": {},
        "support": {},
        "str_replace_editor": {"command": "view", "path": "calc.py"},
        "submit": {},
        "forfeit": {},
    }
    editing = {"create", "edit"}
    assert set(calls) | editing == set(play.tools.tools)
    for name, arguments in calls.items():
        play(name, **arguments)
    play.state()
    assert play.workspace.diff() == ""
    assert play.type("git status --porcelain")[1] == ""
    assert json.loads(play.workspace.read(f"{HOME}/state.json"))["CURRENT_FILE"] == "/testbed/calc.py"


@on_bubblewrap
def test_without_python_the_tools_of_the_shell_work_and_the_others_say_why_not(play: Player) -> None:
    play.type(f'mkdir /tmp/few; for p in {PROGRAMS}; do ln -s "$(command -v $p)" /tmp/few/$p; done')
    play.type(f"export PATH={HOME}/bin:/tmp/few; hash -r")
    assert "/testbed/calc.py" in play("find_file", file_name="calc.py")
    assert "calc.py:1:" in play("search_dir", search_term="add")
    assert "1:def add" in play("search_file", search_term="add", file="calc.py")
    play.workspace.write("new.txt", "x\n")
    assert "+x" in play("diff_state")
    assert "+x" in play.state()["diff"]
    assert "find_file" in play("support")
    play("submit")
    assert play.workspace.read(ENDED) == "submit\n"
    for call in ("open calc.py", "filemap calc.py", "str_replace_editor view calc.py"):
        assert play.type(call) == (127, f"{call.split()[0]}: needs Python 3, which is not installed here\n")


@pytest.mark.filterwarnings("ignore:.*NO isolation")
def test_tools_find_themselves_where_paths_are_others(tools: Toolset, task: Task) -> None:
    backend = make_backend("unsafe-host")
    try:
        snapshot = tools.install(backend, backend.base(EnvironmentSpec(python=">=3.8")), task.spec)
        with backend.start(snapshot) as sandbox:
            sandbox.write("/testbed/calc.py", b"def add(a, b):\n    return a - b\n")
            call = 'open calc.py && search_file "return" && tests tests; submit'
            result = sandbox.exec(["sh", "-c", call], cwd="/testbed", env={"PYTHONDONTWRITEBYTECODE": "1"})
            assert "2:    return a - b\n" in result.output
            assert "No module named 'tests'" in result.output
            assert sandbox.read(ENDED) == b"submit\n"
    finally:
        backend.close()


def test_tools_work_on_every_backend_and_are_not_where_patches_are_graded(
    play: Player, lab: Lab, tooled: Prepared, tools: Toolset
) -> None:
    assert "1:def add" in play("open", path="calc.py")
    assert "1:def add" in play("search_file", search_term="add")
    play("str_replace_editor", command="str_replace", path="calc.py", old_str="a - b", new_str="a + b")
    assert "Ran 1 test" in play("tests")
    play("forfeit")
    assert play.workspace.read(ENDED) == "forfeit\n"
    assert play("diff_state") == play.workspace.diff()
    again = tools.install(lab.backend, tooled.snapshot, tooled.task.spec)
    assert again == tooled.solving
    with lab.workspace(tooled.task.spec, tooled.snapshot) as grading:
        assert grading.run(f"command -v submit || ls {HOME}").exit_code != 0


@on_bubblewrap
def test_a_session_ends_by_a_tool_and_tells_the_tools_state(lab: Lab, tooled: Prepared, tools: Toolset) -> None:
    spec = tooled.task.spec
    protocol = load_protocol("tools")(tools)
    with lab.workspace(spec, tooled.solving) as workspace, Session(spec, workspace, protocol) as session:
        session.begin()
        call = {"name": "open", "arguments": json.dumps({"path": "calc.py", "line_number": "5"})}
        seen = session.step(json.dumps({"function": call})).observation
        assert "5:def twice(a):" in seen.text
        assert seen.state["open_file"] == "/testbed/calc.py"
        edit = "edit 2:2\n    return a + b\nend_of_edit"
        seen = session.step(json.dumps({"name": "bash", "arguments": {"command": edit}})).observation
        assert "+    return a + b" in seen.diff
        assert seen.state["diff"] == seen.diff
        wrong = session.step(json.dumps({"name": "goto", "arguments": {}}))
        assert "goto: line_number is required" in wrong.observation.text
        assert not wrong.done
        assert session.step('{"name": "bash", "arguments": {"command": "submit"}}').ending == "submit"


# -- folders of a user's own -----------------------------------------------------------------------

NOTES = """\
tools:
  note:
    signature: |
      note <title>
      <text>
      end_of_note
    docstring: Keep a note.
    end_name: end_of_note
    arguments:
      - {name: title, type: string, description: its title, required: true}
      - {name: text, type: string, description: its text, required: true}
  made:
    docstring: Made by the install script.
state_command: "_state_notes"
"""
#: An interpreter of another machine, as in folders that were written for one image.
NOTE = """\
#!/root/python3.11/bin/python3
import sys
from notes import keep
keep(sys.argv[1], sys.stdin.read())
"""
LIB = """\
from registry import registry
def keep(title, text):
    registry["NOTES"] = dict(registry.get("NOTES") or {}, **{title: text})
    print("kept", title)
"""
STATE = """\
#!/usr/bin/env python3
import json
from registry import registry
open("/root/state.json", "w").write(json.dumps({"notes": registry.get("NOTES")}))
"""
INSTALL = """\
_write_env WINDOW "$WINDOW"
bundle=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
printf '#!/bin/sh\\necho made by $MAKER\\n' > "$bundle/bin/made"
export PATH="$bundle/bin:$PATH" MAKER="a b" _INNER=1
unexported=1
"""


@pytest.fixture
def own(tmp_path: Path, tooled: Prepared, lab: Lab) -> Own:
    """Install a folder made of ``files``: its tools and the snapshot with them."""

    def install(files: dict[str, str]) -> tuple[Toolset, Snapshot]:
        for path, text in {"config.yaml": "tools: {}\n", **files}.items():
            (tmp_path / "notes" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "notes" / path).write_text(text)
        tools = Toolset.load(["./notes"], tmp_path)
        return tools, tools.install(lab.backend, tooled.snapshot, tooled.task.spec, offline=True)

    return install


@on_bubblewrap
def test_a_folder_of_the_users_own_with_all_that_the_format_has(own: Own, lab: Lab, tooled: Prepared) -> None:
    scripts = {"bin/note": NOTE, "bin/_state_notes": STATE, "lib/notes.py": LIB, "install.sh": INSTALL}
    tools, snapshot = own({"config.yaml": NOTES, **scripts, "bin/made": ""})
    assert snapshot.env["MAKER"] == "a b"
    assert "unexported" not in snapshot.env
    assert "WINDOW" not in snapshot.env
    with lab.workspace(tooled.task.spec, snapshot) as workspace:
        play = Player(tools, workspace)
        assert play("note", title="it's", text="one\nend_of_note\n$two") == "kept it's\n"
        assert play.type("note b\nlines\nend_of_note") == (0, "kept b\n")
        assert play("made") == "made by a b\n"
        assert play.state() == {"notes": {"it's": "one\nend_of_note\n$two\n", "b": "lines\n"}}
        assert play.type("_read_env WINDOW; echo $MAKER; python -c 'import registry'")[1].startswith("100\na b\nTrace")
        assert workspace.diff() == ""


@on_bubblewrap
@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"install.sh": "echo what went wrong\nfalse\n"},
            r"'notes': install\.sh failed: exit code 1(?s:.*)\nwhat went wrong",
        ),
        ({"install.sh": "exit 3\n"}, r"install\.sh failed: exit code 3"),
        ({"install.sh": "exit 0\n"}, "ended the shell that sources it: use return instead of exit"),
        ({"install.sh": "echo x > /testbed/left.txt\n"}, "changed the repository, .* show: left.txt"),
        (
            {"config.yaml": "tools: {absent: {docstring: x}}\n", "install.sh": ":\n"},
            "'notes': there is no command 'absent' after installing",
        ),
    ],
    ids=["fails", "exits", "ends the shell", "changes the repository", "brings no command"],
)
def test_an_install_script_that_fails_is_told_with_its_output(own: Own, files: dict[str, str], message: str) -> None:
    with pytest.raises(EnvironmentBuildError, match=message) as caught:
        own(files)
    assert "PATH=" not in str(caught.value)
