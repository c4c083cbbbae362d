"""What an agent is shown of a repository: files -> reader -> selector -> compressor -> text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.observers.asking import Asker
from pytest_swegym.agents.observers.codemap import CodeMap
from pytest_swegym.agents.observers.embedding import Embedder
from pytest_swegym.agents.observers.files import File
from pytest_swegym.agents.observers.files import list_files
from pytest_swegym.agents.observers.ranking import by_words
from pytest_swegym.agents.observers.ranking import fused
from pytest_swegym.agents.observers.ranking import is_source
from pytest_swegym.agents.observers.ranking import source_first
from pytest_swegym.agents.observers.readers import VERSION
from pytest_swegym.agents.observers.readers import Forms
from pytest_swegym.agents.observers.readers import skeleton
from pytest_swegym.agents.observers.showing import shown
from pytest_swegym.agents.observers.store import Store
from pytest_swegym.errors import ConfigError
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


#: Files that a model is asked to pick from.
_LISTED = 400
#: Characters of a file from which on a model sums up its skeleton.
_LONG = 6000
_PICK = "Which files of this repository must be read, or changed, to solve this task?\n\n"
_SHORTER = (
    "Shorten this file for somebody who has to solve the task below: keep, word for word, the code that matters for "
    "it with its names and line order, and say in a few words what the rest does.\n\nTask:\n"
)
#: Characters of the task, where a model is asked about files.
_TASK = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The ``text`` that is shown (empty: nothing), and ``about`` it (JSON only): reader, selector, compressor; paths of
    the ``files`` shown, ``of`` how many, and of those ``cut`` short; how many are ``left_out`` for lack of room, and
    were ``read``; ``notes`` of what went otherwise; and whether all of it was ``kept`` from an earlier time."""

    text: str = ""
    about: dict[str, Any] = field(default_factory=dict)


def observe(
    task: TaskSpec,
    workspace: Workspace,
    config: AgentConfig,
    client: ModelClient | None = None,
    *,
    store: Store | None = None,
) -> Observed:
    """What an agent is shown of the workspace's files, as ``config.observe`` has it.

    Raises :class:`ConfigError` for what cannot work, :class:`SandboxError`, and as the client does.
    """
    wanted = config.observe
    if wanted.reader == "none":
        return Observed()
    oracle = workspace.occasion.oracle if wanted.reader == "oracle" else ()
    if wanted.reader == "oracle" and not oracle:
        raise ConfigError(
            "observe.reader=oracle shows the files that the known solution changes: this solver is not told them, or "
            "the task has no known solution; choose another reader"
        )
    store = store or Store()
    query = f"{task.title}\n{task.problem_statement}".strip()
    tree = workspace.tree()
    key = content_key("observed", VERSION, tree, asdict(wanted), config.base_url, config.model, query, oracle)
    kept = store.text([key]).get(key)
    if kept is not None:
        told = json.loads(kept)
        return Observed(text=told["text"], about={**told["about"], "read": 0, "kept": True})
    observed = _Observer(config, client, store, query).look(workspace, tree, oracle)
    if not observed.about["notes"]:  # what went wrong may go right the next time
        store.put_text({key: json.dumps({"text": observed.text, "about": observed.about})})
    return observed


class _Observer:
    def __init__(self, config: AgentConfig, client: ModelClient | None, store: Store, query: str) -> None:
        self._config, self._wanted, self._client, self._store = config, config.observe, client, store
        self._query = query
        self._notes: list[str] = []

    def look(self, workspace: Workspace, tree: str, oracle: Sequence[str]) -> Observed:
        reader, files = self._wanted.reader, list_files(workspace, tree)
        forms = Forms(workspace, self._store)
        chosen = self._chosen(files, forms, oracle)
        texts = self._compressed(chosen)
        if not texts:
            self._notes.append("there is no file to show")
        text, cut, left_out = shown(texts, form=self._form(), most=self._wanted.max_chars)
        about = {
            "reader": reader,
            # These two readers choose by themselves.
            "selector": reader if reader in ("oracle", "codemap") else self._wanted.selector,
            "compressor": self._wanted.compressor,
            "files": list(texts)[: len(texts) - len(left_out)],
            "of": len(files),
            "cut": cut,
            "left_out": len(left_out),
            "read": forms.read,
            "notes": self._notes,
            "tree": tree,
            "kept": False,
        }
        return Observed(text=text, about=about)

    def _form(self) -> str:
        words = {"raw": "whole", "oracle": "whole", "codemap": "whole", "ast": "structure"}
        form = words.get(self._wanted.reader, self._wanted.reader)
        return form if self._wanted.compressor == "none" else "shortened"

    # -- reader and selector ---------------------------------------------------------------------

    def _chosen(self, files: Sequence[File], forms: Forms, oracle: Sequence[str]) -> Mapping[str, str]:
        reader = self._wanted.reader
        if reader == "oracle":
            return forms.of([file for file in files if file.path in oracle], "raw")
        if reader == "codemap":
            texts = forms.of([file for file in files if is_source(file.path)] or files, "raw")
            # Of a long file its definitions say what it is for, at a part of the cost.
            brief = {path: text if len(text) <= _LONG else skeleton(path, text)[:_LONG] for path, text in texts.items()}
            picked = CodeMap(self._asker(), brief).way_down(self._query, self._wanted.files)
            return {path: texts[path] for path in picked}
        if self._wanted.selector == "model":  # it goes by names: nothing else need be read
            picked = self._picked([file.path for file in files], files, forms)
            texts = forms.of([file for file in files if file.path in picked], reader)
            return {path: texts[path] for path in picked if path in texts}
        texts = forms.of(files, reader)
        return {path: texts[path] for path in self._ranked(texts)}

    def _ranked(self, texts: Mapping[str, str]) -> list[str]:
        selector = self._wanted.selector
        if selector == "all":
            return source_first(self._query, sorted(texts))
        if selector == "bm25":
            return self._first(by_words(self._query, texts))
        # What is no source is not worth the calls, unless there is nothing else.
        source = {path: text for path, text in texts.items() if is_source(path)} or texts
        ranked = Embedder(self._model("observe.selector"), self._config, self._store).rank(self._query, source)
        return self._first(ranked if selector == "embedding" else fused([by_words(self._query, source), ranked]))

    def _first(self, ranked: Sequence[str]) -> list[str]:
        return source_first(self._query, ranked)[: self._wanted.files]

    def _picked(self, paths: Sequence[str], files: Sequence[File], forms: Forms) -> list[str]:
        asker = self._asker()
        listed = source_first(self._query, paths)
        if len(listed) > _LISTED:
            listed = source_first(self._query, by_words(self._query, forms.of(files, "skeleton")))[:_LISTED]
        picked = asker.pick(_PICK + self._query[:_TASK], dict.fromkeys(listed, ""), self._wanted.files)
        if not picked:
            self._notes.append("the model picked no file of the repository: chosen by bm25 instead")
            picked = self._first(by_words(self._query, forms.of(files, self._wanted.reader)))
        return picked

    # -- compressor ------------------------------------------------------------------------------

    def _compressed(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        if self._wanted.compressor == "none":
            return texts
        shorter = self._asker().shorts(_SHORTER + self._query[:_TASK], texts)
        # A model that is asked to shorten does not always.
        return {path: short if 0 < len(short) < len(texts[path]) else texts[path] for path, short in shorter.items()}

    # -- the model -------------------------------------------------------------------------------

    def _asker(self) -> Asker:
        what = next(
            name
            for name, of_a_model in (("reader", "codemap"), ("selector", "model"), ("compressor", "summary"))
            if getattr(self._wanted, name) == of_a_model
        )
        return Asker(client=self._model(f"observe.{what}"), config=self._config, store=self._store, notes=self._notes)

    def _model(self, key: str) -> ModelClient:
        if self._client is None:
            word = getattr(self._wanted, key.partition(".")[2])
            raise ConfigError(f"{key}={word} needs a model; choose another one for a solver without")
        return self._client
