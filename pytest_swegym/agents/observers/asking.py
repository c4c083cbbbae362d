"""What observers ask a model for: names out of a list, and a text made shorter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.observers.readers import VERSION
from pytest_swegym.agents.observers.store import Store
from pytest_swegym.errors import ContextTooLong


#: Characters of a text that a model is asked about; tokens that it answers with.
_TEXT, _REPLY = 24_000, 400
#: How often a text is halved that is too long for the model.
_HALVES = 5
_LIST = re.compile(r"\[[^\[\]]*\]")
_ORDER = "Answer with a JSON list of names, the most likely first, and nothing else."


@dataclass(kw_only=True)
class Asker:
    """Asks the model; ``notes`` says what went otherwise than asked for."""

    client: ModelClient
    config: AgentConfig
    store: Store
    notes: list[str] = field(default_factory=list)

    def short(self, task: str, text: str, *, about: str) -> str:
        """What the model makes of ``text`` for ``task``; kept, and so asked for once only. ``about`` names the text."""
        return self.shorts(task, {about: text})[about]

    def shorts(self, task: str, texts: Mapping[str, str]) -> dict[str, str]:
        """The same for several texts by their names."""
        keys = {name: self._key(task, name, text) for name, text in texts.items()}
        kept = self.store.text(keys.values())
        for name, text in texts.items():
            if keys[name] not in kept:
                made = self._fitting(f"{task}\n\n{name}:\n", text[:_TEXT])
                kept[keys[name]] = made
                self.store.put_text({keys[name]: made})
        return {name: kept[key] for name, key in keys.items()}

    def pick(self, task: str, choices: Mapping[str, str], most: int) -> list[str]:
        """The names of ``choices`` (with what is said of each) that the model picks for ``task``, at most so many.

        An answer that names none of them goes back to the model; empty after as many tries as the configuration has.
        """
        listed = "\n".join(f"{name}: {said}" if said else name for name, said in choices.items())
        key = self._key("pick", f"{most} {task}", listed)
        kept = self.store.text([key]).get(key)
        if kept is not None:
            return [name for name in json.loads(kept) if name in choices]
        said: list[Mapping[str, str]] = []
        for _ in range(self.config.invalid_replies + 1):
            answer = self._fitting(f"{task}\n\nPick at most {most} of these:\n", listed, f"\n\n{_ORDER}", said)
            picked = _names(answer, choices)[:most]
            if picked:
                self.store.put_text({key: json.dumps(picked)})
                return picked
            wrong = f"None of the names in the list is in your answer. {_ORDER}"
            said = [{"role": "assistant", "content": answer}, {"role": "user", "content": wrong}]
        return []

    def _fitting(self, before: str, text: str, after: str = "", said: Sequence[Mapping[str, str]] = ()) -> str:
        """The model's answer; a text that is too long for it is halved until it fits."""
        halves = 0
        while True:
            messages = [{"role": "user", "content": f"{before}{text}{after}"}, *said]
            try:
                return self.client.chat(messages, temperature=0.0, reply_tokens=_REPLY).text.strip()
            except ContextTooLong:
                halves += 1
                if halves > _HALVES:
                    raise
                text = text[: len(text) // 2]

    def _key(self, *parts: str) -> str:
        return content_key("asked", VERSION, self.config.base_url, self.config.model, *parts)


def _names(answer: str, choices: Mapping[str, str]) -> list[str]:
    """The known names in an answer: those of its JSON lists, else of its lines."""
    found: list[str] = []
    for listed in _LIST.findall(answer):
        try:
            values = json.loads(listed)
        except ValueError:
            continue
        found += [value for value in values if isinstance(value, str)]
    known = [name for name in found if name in choices]
    if not known:
        lines = (line.strip().lstrip("-*0123456789.) ").strip("`\"', ") for line in answer.split("\n"))
        known = [line for line in lines if line in choices]
    return list(dict.fromkeys(known))
