"""What an agent is shown of a real repository in a real sandbox, and what its edits do to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace
from operator import mul
from pathlib import Path
from typing import Any

import pytest
from fake_model import FakeModel
from fake_model import Status
from fake_model import vector
from small_model import SmallModel
from small_model import small_embedder  # noqa: F401

from pytest_swegym.agents.config import read_config
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.observers import Observed
from pytest_swegym.agents.observers import observe
from pytest_swegym.agents.observers.ranking import by_words
from pytest_swegym.agents.observers.ranking import fused
from pytest_swegym.agents.observers.store import Store
from pytest_swegym.episode import Attempt
from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import PatchError
from pytest_swegym.lab import Lab
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.session import Edit
from pytest_swegym.session import Session
from pytest_swegym.session import apply_edits
from pytest_swegym.session import edits_to_diff
from pytest_swegym.session import load_protocol
from pytest_swegym.solvers import load_solver
from pytest_swegym.task import Task
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import read_trajectory
from pytest_swegym.workspace import Occasion
from pytest_swegym.workspace import Workspace


#: What does not depend on the backend: one is enough.
one_backend = pytest.mark.parametrize("lab", ["bubblewrap"], indirect=True, scope="session")
STATEMENT = "The invoice total ignores the discount: `apply_discount` of a customer is never called by `total_price`."
FILES = {
    "shop/__init__.py": "",
    "shop/invoice.py": '"""Invoices."""\n\n\ndef total_price(invoice):\n    """The sum of all lines."""\n'
    "    return sum(line.price for line in invoice.lines)\n",
    "shop/customers/discount.py": "def apply_discount(customer, price):\n    return price * (1 - customer.rate)\n",
    "shop/stock.py": "class Stock:\n    def reorder(self, article):\n        return article.supplier.order(article)\n",
    "web/menu.js": "// The menu of the page.\nexport function openMenu(entries) { return entries.map(render); }\n",
    "tests/test_invoice.py": "from shop.invoice import total_price\n\n\ndef test_total_price_discount():\n    pass\n",
    "README.md": "# Shop\n\nInvoices with a total price and a discount for customers: apply_discount, total_price.\n",
    "vendor/discount.py": "def apply_discount(): pass\n",
    "logo.dat": "\0\1\2 discount",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("shop") / "repo"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "link.py").symlink_to("shop/invoice.py")
    (folder / "out").symlink_to("/etc")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    row = {"instance_id": "shop-1", "repo": str(folder), "problem_statement": STATEMENT, "test_files": {"t.py": ""}}
    return Task.from_dict({**row, "fail_to_pass": ["t.py::test_a"]})


@pytest.fixture(scope="module")
def located(lab: Lab, shop: Task) -> Snapshot:
    return lab.located(shop)[1]


@pytest.fixture
def workspace(lab: Lab, shop: Task, located: Snapshot) -> Iterator[Workspace]:
    with lab.workspace(shop.spec, located) as workspace:
        yield workspace


@dataclass(frozen=True)
class Looker:
    """Looks at the shop with a store of its own, which begins empty, and a model that answers by a script."""

    task: Task
    workspace: Workspace
    store: Store

    def look(self, *words: str, model: FakeModel | None = None, **budget: object) -> Observed:
        asked = [f"observe.{word}" for word in words]
        if model is None:
            return observe(self.task.spec, self.workspace, read_config(asked), store=self.store)
        config = read_config([*model.words(**budget), *asked])
        with closing(ModelClient(config)) as client:
            return observe(self.task.spec, self.workspace, config, client, store=self.store)


@pytest.fixture
def looker(shop: Task, workspace: Workspace, tmp_path: Path) -> Looker:
    return Looker(shop, workspace, Store(tmp_path / "made.sqlite3"))


# -- without a model -----------------------------------------------------------------------------


def test_the_source_files_that_fit_the_task_are_shown(looker: Looker) -> None:
    observed = looker.look("reader=raw", "files=2")
    assert sorted(observed.about["files"]) == ["shop/customers/discount.py", "shop/invoice.py"]
    assert "==> shop/invoice.py (whole) <==\n" + FILES["shop/invoice.py"] in observed.text
    assert observed.about["of"] == 7  # no link, no empty file, nothing of other people's
    assert "logo.dat" not in looker.look("reader=raw", "selector=all").about["files"]


@one_backend
def test_nothing_is_read_twice_and_of_a_changed_tree_only_what_changed(looker: Looker) -> None:
    first = looker.look("reader=skeleton", "selector=all")
    again = looker.look("reader=skeleton", "selector=all")
    assert (first.about["read"], first.about["kept"]) == (7, False)
    assert (again.text, again.about) == (first.text, {**first.about, "read": 0, "kept": True})
    looker.workspace.write("shop/stock.py", "def restock(): pass\n")
    changed = looker.look("reader=skeleton", "selector=all")
    assert (changed.about["read"], changed.about["kept"]) == (1, False)
    assert "def restock()" in changed.text
    assert "def restock()" not in first.text


@one_backend
def test_each_reader_shows_its_form(looker: Looker) -> None:
    skeleton = looker.look("reader=skeleton", "selector=all").text
    assert "def total_price(invoice)  # line 4\n    # The sum of all lines." in skeleton
    assert "class Stock  # line 1\n    def reorder(self, article)  # line 2" in skeleton
    assert "function openMenu(entries)  # line 2\n    # The menu of the page." in skeleton
    assert "sum(line.price" not in skeleton
    structure = looker.look("reader=ast", "selector=all").text
    assert "function total_price [4-6] calls sum" in structure
    places = [structure.index(f"==> {path} (structure) <==") for path in ("web/menu.js", "README.md")]
    assert places == sorted(places)  # what is no source comes last
    assert looker.look("reader=none") == Observed()


@one_backend
def test_the_oracle_is_for_solvers_that_are_told(looker: Looker, lab: Lab, located: Snapshot) -> None:
    with pytest.raises(ConfigError, match=r"observe\.reader=oracle shows the files that the known solution changes"):
        looker.look("reader=oracle")
    with lab.workspace(looker.task.spec, located, occasion=Occasion(oracle=("shop/stock.py",))) as told:
        observed = observe(looker.task.spec, told, read_config(["observe.reader=oracle"]), store=looker.store)
    assert observed.about["files"] == ["shop/stock.py"]
    assert FILES["shop/stock.py"] in observed.text
    with lab.workspace(looker.task.spec, located, occasion=Occasion(oracle=("not/there/yet.py",))) as told:
        nothing = observe(looker.task.spec, told, read_config(["observe.reader=oracle"]), store=looker.store)
    assert (nothing.text, nothing.about["notes"]) == ("", ["there is no file to show"])


@one_backend
def test_no_more_is_shown_than_fits_and_what_is_gone_is_said(looker: Looker) -> None:
    looker.workspace.write("shop/invoice.py", FILES["shop/invoice.py"] + "# total_price apply_discount\n" * 400)
    observed = looker.look("reader=raw", "files=3", "max_chars=1500")
    assert len(observed.text) <= 1500
    assert observed.about["cut"] == ["shop/invoice.py"]
    assert "more characters are not shown]" in observed.text
    assert FILES["shop/customers/discount.py"] in observed.text


# -- with a model --------------------------------------------------------------------------------


@one_backend
@pytest.mark.parametrize("selector", ["embedding", "hybrid"])
def test_vectors_are_asked_for_once_and_of_source_only(looker: Looker, selector: str) -> None:
    words = ("reader=raw", f"selector={selector}", "files=2", "embedding_model=vectors")
    with FakeModel() as model:
        observed = looker.look(*words, model=model)
        asked = [text for batch in model.embedded for text in batch]
        looker.look(*words, model=model)
        assert [text for batch in model.embedded for text in batch] == asked
        looker.workspace.write("shop/stock.py", "def new(): pass\n")
        looker.look(*words, model=model)
        assert [text for batch in model.embedded for text in batch][len(asked) :] == [
            "shop/stock.py\ndef new(): pass\n"
        ]
    assert len(asked) == 5  # the task, and every source file
    task, *parts = asked
    like = {part.partition("\n")[0]: sum(map(mul, vector(task), vector(part))) for part in parts}
    nearest = sorted(like, key=lambda path: -like[path])
    by_both = fused([by_words(task, {path: FILES[path] for path in like}), nearest])
    assert observed.about["files"] == (nearest if selector == "embedding" else by_both)[:2]


@one_backend
def test_a_model_picks_by_name_and_is_asked_again_for_names_that_are_none(looker: Looker) -> None:
    words = ("reader=raw", "selector=model", "files=2")
    with FakeModel(["I think of shop/till.py", 'Sure: ["shop/stock.py", "nowhere.py"]']) as model:
        observed = looker.look(*words, model=model)
        assert observed.about["files"] == ["shop/stock.py"]
        assert observed.about["read"] == 1
        assert "None of the names in the list is in your answer" in model.texts(1)
        assert "README.md" in model.texts(0)
        looker.look(*words, model=model)
        assert len(model.requests) == 2


@one_backend
def test_a_model_that_names_no_file_is_replaced_by_words_and_that_is_noted(looker: Looker) -> None:
    with FakeModel(after="no idea") as model:
        observed = looker.look("reader=raw", "selector=model", "files=2", model=model, invalid_replies=1)
        assert len(model.requests) == 2
    assert sorted(observed.about["files"]) == ["shop/customers/discount.py", "shop/invoice.py"]
    assert observed.about["notes"] == ["the model picked no file of the repository: chosen by bm25 instead"]


def map_answer(request: Mapping[str, Any]) -> str:
    """Sums up, and goes down to the discount."""
    text = request["messages"][0]["content"]
    if "JSON list" not in text:
        return "About " + text.partition("\n\n")[2].partition(":")[0]
    return next(f'["{name}"]' for name in ("shop/", "customers/", "discount.py") if f"\n{name}: " in text)


@one_backend
def test_a_code_map_is_made_once_and_leads_from_the_top_to_a_file(looker: Looker) -> None:
    with FakeModel(after=map_answer) as model:
        observed = looker.look("reader=codemap", "files=2", model=model)
        # Source files, folders with the top one, and two picks: a folder of one file leaves no choice.
        assert len(model.requests) == 4 + 4 + 2
        looker.look("reader=codemap", "files=2", model=model)
        looker.look("reader=codemap", "files=1", model=model)  # other picks, of the same map
        assert len(model.requests) == 10 + 2
        looker.workspace.write("web/menu.js", "export const none = () => 1;\n")
        looker.look("reader=codemap", "files=2", model=model)
        summed = [text for number in range(12, len(model.requests)) if "JSON list" not in (text := model.texts(number))]
    assert observed.about["files"] == ["shop/customers/discount.py"]
    assert FILES["shop/customers/discount.py"] in observed.text
    # What is said of the folder stayed the same, and so what is said of all.
    assert [text.partition("\n\n")[2].partition(":")[0] for text in summed] == ["web/menu.js"]


@one_backend
def test_files_are_shortened_for_the_task_if_that_makes_them_shorter(looker: Looker) -> None:
    def answer(request: Mapping[str, Any]) -> str:
        return "does much" * 99 if "discount.py:" in request["messages"][0]["content"] else "short"

    with FakeModel(after=answer) as model:
        observed = looker.look("reader=raw", "compressor=summary", "files=2", model=model)
        assert STATEMENT in model.texts(0)
    assert "==> shop/invoice.py (shortened) <==\nshort\n" in observed.text
    assert FILES["shop/customers/discount.py"] in observed.text


@one_backend
def test_a_text_that_is_too_long_for_the_model_is_halved(looker: Looker) -> None:
    too_long = Status(400, {"error": {"message": "maximum context length exceeded", "code": "context_length_exceeded"}})
    with FakeModel([too_long, too_long], after="short") as model:
        observed = looker.look("reader=raw", "compressor=summary", "files=1", model=model)
        sent = [len(model.texts(number)) for number in range(3)]
    assert sent[0] > sent[1] > sent[2]
    assert "short" in observed.text


@one_backend
@pytest.mark.parametrize("word", ["reader=codemap", "selector=model", "selector=embedding", "compressor=summary"])
def test_what_needs_a_model_says_so(looker: Looker, word: str) -> None:
    words = ["reader=raw", word] if not word.startswith("reader") else [word]
    with pytest.raises(ConfigError, match=f"observe.{word} needs a model"):
        looker.look(*words)


@one_backend
def test_a_real_model_s_vectors_find_the_file_that_is_quoted(looker: Looker, small_embedder: SmallModel) -> None:  # noqa: F811
    # A part that is longer than it takes at once is embedded by its beginning.
    looker.workspace.write("shop/odd.py", "x = [(1, 2), {3: 4}]; " * 60)
    quoted = replace(looker.task.spec, title="", problem_statement="shop/stock.py\n" + FILES["shop/stock.py"])
    config = read_config(small_embedder.words(observe__reader="raw", observe__selector="embedding", observe__files=5))
    with closing(ModelClient(config)) as client:
        first, again = (observe(quoted, looker.workspace, config, client, store=looker.store) for _ in range(2))
        requests = client.usage.requests
    assert first.about["files"][0] == "shop/stock.py"
    assert len(first.about["files"]) == 5
    assert (again.text, again.about["kept"], requests) == (first.text, True, 2)


# -- edits ---------------------------------------------------------------------------------------


def answer(*edits: tuple[str, str, str]) -> str:
    return json.dumps([dict(zip(("filename", "old_code", "new_code"), edit, strict=True)) for edit in edits])


def test_edits_of_an_answer_are_made_in_the_sandbox_all_or_none(shop: Task, workspace: Workspace) -> None:
    workspace.run("chmod 755 shop/stock.py")
    with Session(shop.spec, workspace, load_protocol("edits")()) as session:
        session.begin()
        made = session.step("I see:\n" + answer(("shop/stock.py", "article.supplier.order(article)", "1"),
                                                ("new/tool.sh", "", "#!/bin/sh\n")))  # fmt: skip
        assert made.observation.exit_code == 0
        assert "shop/stock.py: line 3 matched exactly." in made.observation.text
        assert "+        return 1" in made.observation.text
        before = workspace.tree()
        refused = session.step(answer(("shop/stock.py", "return 1", "return 2"), ("shop/invoice.py", "no such", "")))
        assert "Not edited: edit 2 of 2, shop/invoice.py: old_code is not in it" in refused.observation.text
        for path, why in (("link.py", "link.py is a symbolic link"), ("out/passwd", "out is a symbolic link"),
                          ("../x", "not in the repository"), ("shop", "directory")):  # fmt: skip
            turn = session.step(answer(("README.md", "# Shop", "# Store"), (path, "root", "x")))
            assert why in turn.observation.text
            assert turn.observation.exit_code == 1
        assert workspace.tree() == before
        assert workspace.run("test -x shop/stock.py && test -x new/tool.sh").exit_code == 0
        assert session.step("submit").ending == "submit"


@one_backend
def test_a_file_that_cannot_be_written_leaves_the_others_as_they_were(workspace: Workspace) -> None:
    before = workspace.tree()
    with pytest.raises(PatchError, match="No edit is made"):
        apply_edits(
            workspace,
            [Edit(path="README.md", old="# Shop", new="# Store"), Edit(path="README.md/x", old="", new="a")],
        )
    with pytest.raises(PatchError, match="No edit is made"):
        apply_edits(
            workspace,
            [
                Edit(path="a.py", old="", new="a"),
                Edit(path="README.md", old="# Shop", new=""),
                Edit(path="n" * 300, old="", new="a"),
            ],
        )
    assert workspace.tree() == before


@one_backend
def test_an_agent_that_sees_the_file_and_answers_with_an_edit_solves_a_task(
    lab: Lab, task: Task, tmp_path: Path
) -> None:
    def reply(request: Mapping[str, Any]) -> str:
        seen = request["messages"][1]["content"]
        return answer(("calc.py", "return a-b", "return a + b")) if "==> calc.py (whole) <==" in seen else "submit"

    with FakeModel([reply], after="submit") as model:
        words = model.words(protocol="edits", observe__reader="oracle")
        solver = load_solver("openai", agent=words)
        occasion = Occasion(folder=tmp_path)
        record = Attempt(
            task, solver, lab, reward=lambda spec, grade: float(grade.resolved), occasion=occasion
        ).record()
    assert record.reward == 1.0, record.error
    assert record.extra["oracle"] is True
    trajectory = read_trajectory(tmp_path / TRAJECTORY)
    assert [event["observed"]["files"] for event in trajectory.events if "observed" in event] == [["calc.py"]]
    assert "matched but for white space" in trajectory.steps[0]["observation"]["text"]


@one_backend
def test_edits_as_a_diff_come_to_the_same(workspace: Workspace) -> None:
    workspace.write("crlf.txt", b"one\r\ntwo\r\nno end")
    edits = [
        Edit(path="crlf.txt", old="two\nno end", new="2\n3"),
        Edit(path="shop/stock.py", old="def reorder( self,article )", new="def again(self)"),
        Edit(path="new file.txt", old="", new="text"),
        Edit(path="empty.txt", old="", new=""),
    ]
    before = workspace.tree()
    diff = edits_to_diff(workspace, edits)
    assert workspace.tree() == before
    workspace.apply(diff)
    by_diff = workspace.tree()
    workspace.run("git stash -u -q 2>/dev/null; rm -f 'new file.txt' empty.txt; git checkout -q .")
    workspace.write("crlf.txt", b"one\r\ntwo\r\nno end")
    apply_edits(workspace, edits)
    assert workspace.tree() == by_diff
