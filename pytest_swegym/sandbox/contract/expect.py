"""What a check says when a backend does not keep the contract."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import Snapshot


Check = Callable[[Backend, Snapshot], None]
#: Seconds that a call with a time-out of one second may take. Generous: a busy machine is no broken backend.
PROMPT = 5.0


class ContractError(Exception):
    """A backend does not keep the contract; the message says what was expected, and what was found."""


def equal(what: str, found: Any, expected: Any) -> None:
    """``found`` must equal ``expected``."""
    if found != expected:
        raise ContractError(f"{what}: expected {_short(expected)}, found {_short(found)}")


def true(what: str, condition: object, found: Any = None) -> None:
    """``condition`` must hold; ``found`` is shown if it does not."""
    if not condition:
        raise ContractError(f"expected: {what}; found {_short(found)}")


@contextmanager
def raises(what: str, *kinds: type[BaseException]) -> Iterator[None]:
    """The block must raise one of ``kinds``."""
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        yield
    except kinds:
        return
    except Exception as error:
        raise ContractError(f"{what}: expected {names}, found {type(error).__name__}: {error}") from error
    raise ContractError(f"{what}: expected {names}, found no error")


@contextmanager
def within(what: str, seconds: float) -> Iterator[None]:
    """The block must take no longer."""
    begin = time.monotonic()
    yield
    taken = time.monotonic() - begin
    true(f"{what} within {seconds:g} s", taken <= seconds, f"{taken:.1f} s")


def eventually(what: str, condition: Callable[[], bool], seconds: float = PROMPT) -> None:
    """``condition`` must come to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        true(f"{what} within {seconds:g} s", time.monotonic() < deadline, "it did not come to that")
        time.sleep(0.05)


def sh(sandbox: Sandbox, script: str, **options: Any) -> str:
    """The output of a script that must succeed."""
    result = sandbox.exec(["sh", "-c", script], **{"timeout": 60, **options})
    true(f"the script {script!r} succeeds", result.exit_code == 0, result)
    return result.output


def processes(sandbox: Sandbox, word: str) -> int:
    """How many processes inside have exactly ``word`` among the words of their command line."""
    script = (
        "read -r word; n=0; for f in /proc/[0-9]*/cmdline; do "
        'if { tr "\\000" "\\n" < "$f"; } 2>/dev/null | grep -qxF -e"$word"; then n=$((n+1)); fi; done; echo $n'
    )
    # The word comes on stdin, and reaches grep glued to its option: so no process of ours has it as a word.
    return int(sh(sandbox, script, stdin=word.encode() + b"\n"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:300]} ... {text[-300:]}"
