"""Secrets out of texts: well-known forms of keys, credentials in URLs, and values that are known to be secret."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_swegym._support.text import map_texts


#: Registered values that are shorter are not looked for: they would be found in innocent text.
SHORTEST = 8
_LEFT = "[redacted: "

#: The user part of a URL, as far as the last ``@`` before the path; quotes and blanks end a URL in running text.
_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#'\"<>]*@")
_QUERY = re.compile(
    r"(?P<name>[?&][^=&\s]*(?:token|secret|password|key|signature)[^=&\s]*=)[^&\s'\"<>#]+", re.IGNORECASE
)


def bare_urls(text: object) -> str:
    """``text`` with the credentials of every URL in it left out, so that what is left can still be asked for."""
    return _QUERY.sub(r"\g<name>***", _USER.sub(r"\g<scheme>", str(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One form of secret. ``needles``, in lower case: without one of them nothing is searched. The pattern's group
    ``secret`` is replaced if ``real`` says so; it never gives back what it took, so that the time stays linear."""

    kind: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    real: Callable[[re.Match[str]], bool]


def _mixed(value: str) -> bool:
    """Whether ``value`` looks drawn by chance, as keys do: words, names, placeholders and repetitions do not."""
    digits = sum(char.isdigit() for char in value)
    cases = any(char.islower() for char in value) + any(char.isupper() for char in value)
    told = value.lower()
    if len(set(value)) < 8 or any(word in told for word in ("example", "placeholder", "redacted", "xxxx", "your")):
        return False
    return cases > 0 and (digits >= 4 or (digits > 0 and cases == 2))


def _drawn(found: re.Match[str]) -> bool:
    return _mixed(found["secret"])


def _always(found: re.Match[str]) -> bool:
    return True


def _basic(found: re.Match[str]) -> bool:
    """The credentials of HTTP's basic scheme are those two words in base64."""
    try:
        return b":" in base64.b64decode(found["secret"], validate=True)
    except ValueError:
        return False


def _assigned(found: re.Match[str]) -> bool:
    """A value that was given to a secret's name: not the name, call or expression that it comes from."""
    value = found["secret"]
    return len(value) >= 12 and found.string[found.end() : found.end() + 1] not in ("(", "[", "{") and _mixed(value)


def _password(found: re.Match[str]) -> bool:
    """A password in a URL: not a short word, as in examples, nor one that says so, nor the variable of a template."""
    value, user = found["secret"], found["user"]
    named = any(word in value.lower() for word in ("pass", "pwd", "token", "secret", "redacted"))
    word = value.isalpha() and len(value) < 8 and value in (value.lower(), value.upper())
    return _mixed(value) or not (named or word or value == user or any(char in value for char in "${}%*"))


def _rule(
    kind: str, needles: str, pattern: str, real: Callable[[re.Match[str]], bool] = _drawn, *, flags: int = 0
) -> _Rule:
    return _Rule(kind=kind, needles=tuple(needles.split()), pattern=re.compile(pattern, flags), real=real)


def _key(kind: str, needles: str, pattern: str) -> _Rule:
    """A key that stands alone and begins with its maker's mark."""
    return _rule(kind, needles, rf"(?<![A-Za-z0-9_-])(?P<secret>{pattern})")


_GAP = r"(?:\\[nr]|\n[+\- ]|[\s\"'])"
_PEM = (
    r"(?P<secret>-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_GAP}{{1,4}}[A-Za-z-]{{1,20}}: [^\n\\]{{0,100}}){{0,4}}(?:{_GAP}{{1,8}}[A-Za-z0-9+/]{{16,}}={{0,2}})+"
    rf"(?:{_GAP}{{1,8}}[A-Za-z0-9+/]{{1,16}}={{0,2}}(?![A-Za-z0-9]))?"
    rf"(?:{_GAP}{{0,8}}-----END [A-Z ]{{0,20}}PRIVATE KEY(?: BLOCK)?-----)?)"
)
_NAMES = r"token|secret|passwd|password|api[_-]?key|access[_-]?key(?:[_-]id)?|secret[_-]key|private[_-]key|credentials"
#: The name's end is enough, and the value goes on to what cannot stand in one: neither is looked at twice.
_ASSIGNMENT = (
    rf"(?<![A-Za-z0-9])(?:{_NAMES})(?:\\?[\"'])?[ \t]{{0,4}}(?::=|[=:])[ \t]{{0,4}}(?:\\?[\"'])?"
    r"(?P<secret>[A-Za-z0-9_.~+/@#%^&!?-]+={0,2})"
)
_RULES = (
    _rule("private key", "private", _PEM, _always),
    _key("JSON web token", "eyj", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{8,}"),
    _key("Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    _key("OpenAI key", "sk-", r"sk-[A-Za-z0-9_-]{20,}"),
    _key("Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    _key("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    _key("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    _key("GitLab token", "glpat- gldt- glrt- glcbt- glptt-", r"gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}"),
    _key("AWS key", "akia asia", r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _key("Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _key("Slack token", "xapp-", r"xapp-[A-Za-z0-9-]{20,}"),
    _rule("Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/services/(?P<secret>[A-Za-z0-9/]{20,})"),
    _key("Google key", "aiza", r"AIza[0-9A-Za-z_-]{35,}"),
    _key("Google token", "ya29.", r"ya29\.[0-9A-Za-z_-]{20,}"),
    _key("Stripe key", "sk_ rk_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _key("PyPI token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    _key("npm token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    _rule(
        "credentials", "bearer", r"(?<![A-Za-z0-9])bearer[ \t]{1,4}(?P<secret>[A-Za-z0-9._~+/-]{16,}={0,2})",
        flags=re.IGNORECASE,
    ),
    _rule(
        "credentials", "basic",
        r"authorization(?:\\?[\"'])?[ \t]{0,4}[:=,][ \t]{0,4}(?:\\?[\"'])?"
        r"basic[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{8,}={0,2})",
        _basic, flags=re.IGNORECASE,
    ),
    _rule("credentials", "://", r"://(?P<user>[^\s/?#'\"<>@:\[\]]*):(?P<secret>[^\s/?#'\"<>@\[\]]+)@", _password),
    _rule(
        "secret", "token secret passw key credentials", _ASSIGNMENT, _assigned, flags=re.IGNORECASE
    ),
)  # fmt: skip


class _Kept:
    """The values that are known to be secret, in this process."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._lock = threading.Lock()
        self.pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        shown = _placeholder("secret")
        with self._lock:
            self._values |= {each for each in (value, quote(value, safe="")) if each not in shown}
            longest_first = sorted(self._values, key=lambda each: (-len(each), each))
            self.pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


_KEPT = _Kept()


def keep_secret(value: str) -> None:
    """From now on :func:`redact` takes ``value`` out of every text, in this process. Nothing happens for a value of
    less than :data:`SHORTEST` characters: what stands for "no key" at a local server is in innocent text as well."""
    if len(value) >= SHORTEST:
        _KEPT.add(value)


def redact(text: str) -> str:
    """``text`` with ``[redacted: KIND]`` for each secret in it; nothing else changes. Doing it twice changes nothing
    more. The time is linear in the length."""
    if _KEPT.pattern is not None:
        text = _KEPT.pattern.sub(_placeholder("secret"), text)
    folded = text.lower()
    for rule in _RULES:
        if any(needle in folded for needle in rule.needles):
            text = rule.pattern.sub(lambda found, rule=rule: _replaced(found, rule), text)  # type: ignore[misc]
    return text


def redacted(value: Any) -> Any:
    """A JSON value with every text in it redacted, but for the keys of tables."""
    return map_texts(value, redact)


def _replaced(found: re.Match[str], rule: _Rule) -> str:
    if not rule.real(found):
        return found[0]
    start, end = (place - found.start() for place in found.span("secret"))
    return found[0][:start] + _placeholder(rule.kind) + found[0][end:]


def _placeholder(kind: str) -> str:
    return f"{_LEFT}{kind}]"
