"""The pytest plugin. ``-p no:swegym`` turns all of it off."""

from __future__ import annotations


pytest_plugins = (
    "pytest_swegym.plugin.options",
    "pytest_swegym.plugin.collection",
    "pytest_swegym.plugin.marks",
    "pytest_swegym.plugin.solving",
    "pytest_swegym.plugin.fixtures",
    "pytest_swegym.plugin.session",
    "pytest_swegym.plugin.reporting",
    "pytest_swegym.plugin.events",
    "pytest_swegym.plugin.loggers",
    "pytest_swegym.plugin.monitor",
    "pytest_swegym.plugin.page",
    "pytest_swegym.plugin.workers",
)
