"""How an agent works: its model, its budgets, what it reads before it acts. ``--swegym-agent``, as one value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import is_dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import get_type_hints

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.redact import keep_secret
from pytest_swegym._support.text import did_you_mean
from pytest_swegym._support.toml import read_toml
from pytest_swegym.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """What an agent is shown of the repository before it acts. ``reader`` says in which form (``none``: nothing),
    ``selector`` which ``files`` (most that are shown) fit the task, ``compressor`` how they are made shorter;
    ``embedding_model`` is the endpoint's model for ``embedding`` and ``hybrid``. ``max_chars`` caps all of it."""

    reader: str = "none"
    selector: str = "bm25"
    compressor: str = "none"
    files: int = 5
    max_chars: int = 60_000
    embedding_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """How ``best_of:N`` chooses: by the task's visible ``tests``, by ``vote`` of equal patches, by a ``model`` that
    judges, or by the ``graded`` reward itself (an upper bound, for training only). ``parallel`` run at once."""

    select: str = "tests"
    parallel: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Genetic:
    """SEGym's population of prompts: its size stays ``population``; the shares are of it. ``start`` is a file of
    prompts (a JSON list of texts) to begin with, or the ``population.json`` of an earlier attempt. ``parallel`` play at
    once."""

    population: int = 4
    generations: int = 3
    elite: float = 0.25
    mutation: float = 0.5
    crossover: float = 0.25
    start: str = ""
    parallel: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """An agent. Keys are ``--swegym-agent=KEY=VALUE``; those of the parts are ``observe.reader`` and so on.

    ``api_key_env`` and ``basic_auth_env`` (``user:password``) name variables of the environment: no secret is written
    here. ``invalid_replies`` is how often in a row a reply that is no action goes back to the model; ``retries`` how
    often a failed request is made again. Budgets, 0 for none: ``max_cost``, ``max_tokens`` (sent and received),
    ``max_requests``, ``max_seconds``. Prices are per million tokens. ``context_tokens`` is the model's window, 0 if
    the server is to say; ``compaction`` is ``trim`` (oldest outputs first), ``summary`` (by the model) or ``off``.
    ``reply_tokens`` is the longest reply, 0 for the server's default; ``body`` a JSON object that is added to requests.
    """

    model: str = ""
    base_url: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    basic_auth_env: str = ""
    organization: str = ""
    protocol: str = "tools"
    system: str = ""
    temperature: float = -1.0
    reply_tokens: int = 0
    body: str = ""
    timeout: float = 600.0
    retries: int = 4
    invalid_replies: int = 3
    max_cost: float = 0.0
    max_tokens: int = 0
    max_requests: int = 0
    max_seconds: float = 0.0
    price_input: float = 0.0
    price_cached: float = 0.0
    price_output: float = 0.0
    context_tokens: int = 0
    compaction: str = "trim"
    observe: Observe = field(default_factory=Observe)
    best_of: BestOf = field(default_factory=BestOf)
    genetic: Genetic = field(default_factory=Genetic)

    @property
    def identity(self) -> str:
        """Changes when anything does."""
        return content_key(asdict(self))


#: Values that are one of a few words.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "compaction": ("trim", "summary", "off"),
    "observe.reader": ("none", "raw", "ast", "skeleton", "oracle", "codemap"),
    "observe.selector": ("bm25", "embedding", "hybrid", "model", "all"),
    "observe.compressor": ("none", "summary"),
    "best_of.select": ("tests", "vote", "model", "graded"),
}


def read_config(words: Sequence[str], *, root: Path | None = None) -> AgentConfig:
    """The words of ``--swegym-agent`` in their order: ``KEY=VALUE``, or a ``.toml`` file, relative to ``root``.

    Raises :class:`ConfigError`, naming the word or the file and key, and what there is.
    """
    config = AgentConfig()
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            config = _with(config, key.strip(), value.strip(), f"--swegym-agent={key}")
        elif word.endswith(".toml"):
            path = (root or Path.cwd()) / Path(word).expanduser()
            for key, given in _flat(read_toml(path)):
                config = _with(config, key, _text(given), f"{path}: {key}")
        else:
            raise ConfigError(f"--swegym-agent={word}: write KEY=VALUE, or the name of a .toml file")
    return config


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and key != "body":
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> Any:
    """A table is written as JSON, as ``body`` is on the command line."""
    return json.dumps(value) if isinstance(value, Mapping) else value


def _with(config: AgentConfig, key: str, value: Any, where: str) -> AgentConfig:
    part, dot, name = key.partition(".")
    if dot and is_dataclass(getattr(config, part, None)):
        inner = getattr(config, part)
        return replace(config, **{part: replace(inner, **{name: _value(inner, name, key, value, where)})})
    return replace(config, **{key: _value(config, key, key, value, where)})


def _value(owner: Any, name: str, key: str, value: Any, where: str) -> Any:
    kinds = get_type_hints(type(owner))
    if name not in kinds or is_dataclass(kinds[name]):
        known = _keys()
        raise ConfigError(f"{where}: there is no {key!r}{did_you_mean(key, known)}; choose from: {', '.join(known)}")
    kind = kinds[name]
    try:
        made = kind(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: expected {'text' if kind is str else 'a number'}, got {value!r:.80}") from None
    if kind is not str and ((made < 0 and key != "temperature") or made != made):
        raise ConfigError(f"{where}: expected a number of at least 0, got {value!r:.80}")
    if key in CHOICES and made not in CHOICES[key]:
        near = did_you_mean(made, CHOICES[key])
        raise ConfigError(f"{where}: {made!r} is not known{near}; choose from: {', '.join(CHOICES[key])}")
    if key == "base_url":
        check_address(made, where)
    return made


def check_address(url: str, where: str = "base_url") -> None:
    """Raises :class:`ConfigError` if a server's address is none of the web's; empty is fine."""
    if url and not url.lower().startswith(("http://", "https://")):
        # The address itself is not shown: it may hold a password.
        raise ConfigError(f"{where}: write it with http:// or https:// in front, such as http://127.0.0.1:8000/v1")


def _keys() -> list[str]:
    config = AgentConfig()
    found = []
    for each in fields(config):
        inner = getattr(config, each.name)
        found += [f"{each.name}.{one.name}" for one in fields(inner)] if is_dataclass(inner) else [each.name]
    return found


def secret(variable: str) -> str:
    """The value of a variable of the environment that holds a secret; empty if it is not set.

    From now on no trajectory and no record shows it, nor the password in a ``user:password``.
    """
    value = os.environ.get(variable, "") if variable else ""
    for each in (value, value.partition(":")[2]):
        keep_secret(each)
    return value
