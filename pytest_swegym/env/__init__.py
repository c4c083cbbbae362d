"""Tasks as gymnasium environments: ``gymnasium.make("SWEGym-v0", tasks=...)``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING
from typing import Any

from pytest_swegym.env.registration import IDS
from pytest_swegym.env.registration import register


if TYPE_CHECKING:
    from pytest_swegym.env.config import EnvConfig
    from pytest_swegym.env.play import Branch
    from pytest_swegym.env.swegym import SWEGymEnv
    from pytest_swegym.env.vector import ThreadVectorEnv


__all__ = ["IDS", "Branch", "EnvConfig", "SWEGymEnv", "ThreadVectorEnv", "register"]

# Looked up when asked for: whoever wants the ids alone loads no sandboxes.
_MODULES = {"Branch": "play", "EnvConfig": "config", "SWEGymEnv": "swegym", "ThreadVectorEnv": "vector"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"pytest_swegym.env.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register()
