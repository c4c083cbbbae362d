"""Names of the user's own code: ``module:attr`` and ``path/to/file.py:attr``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import LoadError


def looks_like_name(text: str) -> bool:
    """Whether ``text`` has the form ``module:attr`` or ``file.py:attr``."""
    module, colon, attr = text.rpartition(":")
    return bool(colon and module and all(part.isidentifier() for part in attr.split(".")))


def load(name: str, *, what: str = "object", root: Path | None = None) -> Any:
    """The object called ``module:attr`` (dotted attributes allowed) or ``file.py:attr`` (relative to ``root``).

    ``what`` names the thing in errors. Raises :class:`LoadError`; an exception inside the module is its cause.
    """
    if not looks_like_name(name):
        raise LoadError(f"{what} {name!r}: expected 'module:attr' or 'path/to/file.py:attr'")
    module_name, _, attr = name.rpartition(":")
    try:
        found: Any = _module(module_name, root or Path.cwd())
    except Exception as error:
        raise LoadError(
            f"{what} {name!r}: could not import {module_name!r}: {type(error).__name__}: {error}"
        ) from error
    for part in attr.split("."):
        if not hasattr(found, part):
            names = (
                ", ".join(n for n in vars(found) if not n.startswith("_"))[:200] if hasattr(found, "__dict__") else ""
            )
            raise LoadError(f"{what} {name!r}: {module_name!r} has no {attr!r}; it has: {names}")
        found = getattr(found, part)
    return found


def _module(name: str, root: Path) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = (root / name).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    alias = f"_swegym_file_{path.stem}_{content_key(str(path))}"
    if alias in sys.modules:
        return sys.modules[alias]
    spec = importlib.util.spec_from_file_location(alias, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
    return module
