"""Which folders there are, in which order, and what the whole is called."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swegym.errors import ToolError
from pytest_swegym.tools import Toolset
from pytest_swegym.tools import shipped
from pytest_swegym.tools.folder import SHIPPED


Folder = Callable[..., Path]
NONE = "tools: {}\n"


def order(*names: Path | str, root: Path | None = None) -> list[str]:
    return [folder.name for folder in Toolset.load([str(name) for name in names], root).folders]


def test_the_core_is_first_and_what_is_required_comes_before() -> None:
    assert order("windowed_edit", "search") == ["registry", "windowed", "windowed_edit", "search", "support"]
    assert order() == order("registry") == ["registry", "support"]
    assert order("edit_anthropic", "windowed_edit_linting") == order("edit", "windowed_edit")


def test_a_folder_is_relative_to_the_root_and_a_shipped_name_goes_first(folder: Folder, tmp_path: Path) -> None:
    folder(name="mine")
    folder(NONE, name="search")
    assert order("mine", root=tmp_path) == ["registry", "mine", "support"]
    assert "find_file" in Toolset.load(["search"], tmp_path).tools
    assert "find_file" not in Toolset.load(["./search"], tmp_path).tools


def test_a_folder_comes_after_those_beside_it_that_it_requires(folder: Folder) -> None:
    first = folder("requires: [second, support]\ntools: {}\n", name="first")
    folder("requires: [third]\ntools: {}\n", name="second")
    folder(NONE, name="third")
    assert order(first) == ["registry", "third", "second", "support", "first"]


def test_a_folder_comes_after_the_one_whose_module_it_imports(folder: Folder) -> None:
    script = {"edit": "#!/usr/bin/env python3\nfrom panes import Pane\n"}
    config = "tools:\n  edit:\n    docstring: x\n"
    user = folder(config, name="a_user", bin=script)
    library = folder(NONE, name="z_library", files={"lib/panes.py": "class Pane: pass\n"})
    assert order(user, library) == ["registry", "z_library", "a_user", "support"]


def test_a_core_of_the_users_own_is_left_out(folder: Folder) -> None:
    own = folder(NONE, name="registry", bin={"_read_env": "#!/bin/sh\n"})
    loaded = Toolset.load([str(own)])
    assert [found.path for found in loaded.folders] == [SHIPPED / "registry", SHIPPED / "support"]


def test_support_is_always_there_unless_another_folder_brings_it(folder: Folder) -> None:
    assert "support" in Toolset.load(["search"]).tools
    own = folder("tools:\n  support:\n    docstring: mine\n", name="mine", bin={"support": "#!/bin/sh\n"})
    assert Toolset.load([str(own)]).tools["support"].docstring == "mine"


def test_a_circle_is_an_error(folder: Folder) -> None:
    folder("requires: [b]\ntools: {}\n", name="a")
    folder("requires: [c]\ntools: {}\n", name="b")
    with pytest.raises(ToolError, match="in a circle: a -> b -> c -> a"):
        order(folder("requires: [a]\ntools: {}\n", name="c").parent / "a")


def test_wrong_folders_are_named(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"unknown tools 'serch'; choose from: bash, .*search.*, or give a folder"):
        Toolset.load(["serch"])
    with pytest.raises(ToolError, match="nowhere': there is no such folder"):
        Toolset.load(["./nowhere"], tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolError, match=r"empty': has no config\.yaml"):
        Toolset.load(["empty"], tmp_path)
    with pytest.raises(ToolError, match=r"tools\.greet: has no bin/greet, and no install\.sh that may bring it"):
        Toolset.load([str(folder(name="bare", bin={}))])
    with pytest.raises(ToolError, match="requires: 'other' is neither given, nor shipped, nor a folder beside"):
        Toolset.load([str(folder("requires: [other]\ntools: {}\n", name="alone"))])
    with pytest.raises(ToolError, match="its name may have letters"):
        Toolset.load([str(folder(name="my tools"))])
    with pytest.raises(ToolError, match="and be none of before, bin, docs, ended"):
        Toolset.load([str(folder(name="docs"))])


def test_two_of_a_name_are_an_error(folder: Folder) -> None:
    one, two = folder(name="one"), folder(name="two")
    with pytest.raises(ToolError, match="two tool folders bring 'greet': 'one' and 'two'; leave one out"):
        order(one, two)
    with pytest.raises(ToolError, match="two tool folders are called 'one': "):
        order(one, folder(name="deeper/one"))
    assert order(one, one) == ["registry", "one", "support"]
    helper = folder(NONE, name="helper", bin={"find_file": ""})
    with pytest.raises(ToolError, match="two tool folders bring 'find_file': 'search' and 'helper'"):
        order("search", helper)


def test_nothing_leads_out_of_a_folder(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = folder()
    (root / "lib").mkdir()
    (root / "lib" / "in").symlink_to("../config.yaml")
    assert Toolset.load([str(root)]).folders[1].files["lib/in"][0] == (root / "config.yaml").read_bytes()
    for target in ("../../secret", "/etc/passwd", ".."):
        (root / "lib" / "out").symlink_to(target)
        with pytest.raises(ToolError, match="lib/out"):
            Toolset.load([str(root)])
        (root / "lib" / "out").unlink()
    os.mkfifo(root / "lib" / "pipe")
    with pytest.raises(ToolError, match="lib/pipe: it may have plain files only"):
        Toolset.load([str(root)])


def test_the_key_is_of_the_content_wherever_it_lies(folder: Folder) -> None:
    here, there = folder(), folder(name="elsewhere/mine")
    key = Toolset.load([str(here)]).key
    assert Toolset.load([str(there)]).key == key
    (there / "bin" / "__pycache__").mkdir()
    (there / "bin" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (there / "bin" / "greet").chmod(0o600)
    assert Toolset.load([str(there)]).key == key
    (there / "bin" / "greet").write_text("#!/bin/sh\necho hi\n")
    assert Toolset.load([str(there)]).key != key


def test_all_shipped_tools_go_together_and_make_functions_of_openai() -> None:
    loaded = Toolset.load(shipped())
    wanted = {"bash", "find_file", "search_dir", "search_file", "str_replace_editor", "open", "goto", "scroll_up"}
    wanted |= {"scroll_down", "create", "edit", "filemap", "submit", "forfeit", "diff_state", "tests", "support"}
    assert set(loaded.tools) == wanted
    schemas = json.loads(json.dumps(loaded.schemas()))
    assert len(schemas) == len(wanted)
    for schema in schemas:
        function = schema["function"]
        parameters = function["parameters"]
        assert schema["type"] == "function"
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"])
        assert function["description"]
        assert set(function) == {"name", "description", "parameters"}
        assert parameters["type"] == "object"
        assert set(parameters["required"]) <= set(parameters["properties"])
        for argument in parameters["properties"].values():
            assert argument["type"] in ("string", "integer", "number", "boolean", "array", "object")
            assert argument["description"]
            assert ("items" in argument) == (argument["type"] == "array")


def test_the_docs_say_what_every_tool_does_and_takes() -> None:
    docs = Toolset.load(["search"]).docs()
    assert "search_file <search_term> [<file>]" in docs
    assert "file (string, optional): the file to search; the open file if not given" in docs
    assert "command (string, required, one of view, create, str_replace" in Toolset.load(["edit"]).docs()


def blocks(language: str) -> list[str]:
    page = (Path(__file__).resolve().parents[3] / "docs" / "tools.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_manual_work(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (python,) = blocks("python")
    exec(compile(python, "tools.md", "exec"), {})
    assert "find_file <file_name> [<dir>]" in capsys.readouterr().out
    greet, note = blocks("yaml")
    loaded = Toolset.load(
        [str(folder(greet, name="a", bin={"greet": ""})), str(folder(note, name="b", bin={"note": ""}))]
    )
    assert [found.name for found in loaded.folders] == ["registry", "windowed", "a", "b", "support"]
    assert loaded.command("greet", {"name": "x", "times": 2}) == "greet x 2"
    assert loaded.typed("note plan\nfirst\nend_of_note") == "note plan << 'end_of_note'\nfirst\nend_of_note"


def test_a_string_may_have_several_names() -> None:
    assert [found.name for found in Toolset.load("search, edit").folders] == order("search", "edit")


def scripts(kind: str) -> list[Path]:
    files = [path for path in SHIPPED.rglob("*") if path.is_file() and path.name != "config.yaml"]
    python = [path for path in files if path.suffix == ".py" or path.read_text().startswith("#!/usr/bin/env python3\n")]
    return sorted(python if kind == "python" else set(files) - set(python))


@pytest.mark.parametrize("path", scripts("python"), ids=lambda path: path.name)
def test_shipped_python_is_for_old_versions_as_well(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.NamedExpr))]


@pytest.mark.parametrize("path", scripts("shell"), ids=lambda path: path.name)
def test_shipped_shell_needs_no_bash(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert not re.search(r"\[\[|\blocal\b|\bfunction \w+ *\{|<<<|\bdeclare\b|&>", text.replace("function quoted(", ""))
