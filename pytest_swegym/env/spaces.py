"""The spaces of actions and observations: any text, and what is seen in parts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory

from pytest_swegym.session import Command
from pytest_swegym.session import Edit
from pytest_swegym.session import Edits
from pytest_swegym.session import Observation
from pytest_swegym.session import Patch
from pytest_swegym.session import Protocol
from pytest_swegym.session import Submit


#: Stands for "none" and "without limit" in numbers that cannot say so.
NONE = -1
_COUNT = 2**31
_MOST = 1e18
_LOOKS = ("pwd", "ls", "git status --short", "true")
_NEW_FILE = """diff --git a/sample.txt b/sample.txt
new file mode 100644
--- /dev/null
+++ b/sample.txt
@@ -0,0 +1 @@
+sample
"""


class AnyText(spaces.Text):
    """Every text. A sample is one of ``samples``."""

    def __init__(self, samples: Sequence[str] = ("",), *, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(_COUNT, min_length=0, seed=seed)
        self.samples = tuple(samples)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        return self.samples[int(self.np_random.integers(len(self.samples)))]

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyText) and self.samples == other.samples

    __hash__ = None  # type: ignore[assignment]  # as every space

    def __repr__(self) -> str:
        return "AnyText()"


@create_shared_memory.register(AnyText)
def _no_shared_memory(space: AnyText, n: int = 1, ctx: Any = None) -> Any:
    """gymnasium keeps text in shared memory as letters and digits of a fixed length: this is neither."""
    raise CustomSpaceError("texts of any length need vector_kwargs={'shared_memory': False}")


def action_space(protocol: Protocol) -> AnyText:
    """Any text; its samples are actions that do no harm."""
    try:
        return AnyText([protocol.write(Command(command=command)) for command in _LOOKS])
    except ValueError:  # a protocol without commands
        return AnyText([_change(protocol)])


def _change(protocol: Protocol) -> str:
    for action in (Patch(patches=(_NEW_FILE,)), Edits(edits=(Edit(path="sample.txt", old="", new="sample\n"),))):
        with contextlib.suppress(ValueError):
            return protocol.write(action)
    return protocol.write(Submit())


def observation_space(kind: str) -> spaces.Space[Any]:
    """``text`` is the text of the protocol; ``dict`` all of an observation."""
    if kind == "text":
        return AnyText()
    remaining: dict[str, spaces.Space[Any]] = {
        "steps": spaces.Discrete(_COUNT, start=NONE),
        "seconds": spaces.Box(NONE, _MOST, (), np.float64),
        "output": spaces.Discrete(2**62, start=NONE),
        "cost": spaces.Box(NONE, _MOST, (), np.float64),
    }
    texts = ("text", "output", "notice", "diff", "tree", "state")
    return spaces.Dict(
        {
            **{name: AnyText() for name in texts},
            "exit_code": spaces.Discrete(_COUNT, start=NONE),
            "timed_out": spaces.Discrete(2),
            "truncated": spaces.Discrete(2),
            "step": spaces.Discrete(_COUNT, start=NONE),
            "remaining": spaces.Dict(remaining),
        }
    )


def observed(kind: str, seen: Observation) -> Any:
    """An observation as an element of its space; what is ``None`` is -1, the state of the tools is JSON."""
    if kind == "text":
        return seen.text
    left = seen.remaining
    remaining = {
        "steps": _whole(left.steps),
        "seconds": _amount(left.seconds),
        "output": _whole(left.output),
        "cost": _amount(left.cost),
    }
    return {
        **{name: getattr(seen, name) for name in ("text", "output", "notice", "diff", "tree")},
        "state": json.dumps(seen.state, sort_keys=True),
        "exit_code": _whole(seen.exit_code),
        "timed_out": int(seen.timed_out),
        "truncated": int(seen.truncated),
        "step": seen.step,
        "remaining": remaining,
    }


def _whole(value: int | None) -> int:
    return NONE if value is None else value


def _amount(value: float | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(NONE if value is None else value, dtype=np.float64)
