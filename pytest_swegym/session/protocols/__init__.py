"""How text becomes an action: one small file per way of speaking."""

from __future__ import annotations

import importlib

from pytest_swegym._support.text import did_you_mean
from pytest_swegym.errors import ConfigError
from pytest_swegym.session.protocols.base import Protocol


#: Names of protocols, and where each is.
PROTOCOLS = {
    "json": "pytest_swegym.session.protocols.json:JsonProtocol",
    "execute": "pytest_swegym.session.protocols.execute:ExecuteProtocol",
    "execute-plan": "pytest_swegym.session.protocols.execute:PlanProtocol",
    "patch": "pytest_swegym.session.protocols.patch:PatchProtocol",
    "edits": "pytest_swegym.session.protocols.edits:EditsProtocol",
    "tools": "pytest_swegym.session.protocols.tools:ToolsProtocol",
}


def load_protocol(name: str) -> type[Protocol]:
    """The protocol called ``name``, or a class of the user's as ``module:attr``. Raises :class:`ConfigError`."""
    from pytest_swegym._support.loading import load
    from pytest_swegym._support.loading import looks_like_name

    if name in PROTOCOLS:
        module, _, attr = PROTOCOLS[name].partition(":")
        found = getattr(importlib.import_module(module), attr)
    elif looks_like_name(name):
        found = load(name, what="protocol")
    else:
        near = did_you_mean(name, PROTOCOLS)
        raise ConfigError(f"unknown protocol {name!r}; choose from {', '.join(PROTOCOLS)}, or give 'module:attr'{near}")
    if not (isinstance(found, type) and issubclass(found, Protocol)):
        raise ConfigError(f"protocol {name!r} is no class of pytest_swegym.session.Protocol")
    return found


__all__ = ["PROTOCOLS", "Protocol", "load_protocol"]
