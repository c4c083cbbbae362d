"""A task declared on a test function; the files beside it declare theirs in TOML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pytest_swegym.plugin.result import SwegymResult


@pytest.mark.swegym(
    instance_id="tinydb__lru_cache",
    repo="sdist:tinydb==4.8.1",
    fixed_by="sdist:tinydb==4.8.2",
    python=">=3.10,<3.14",
    packages=["pytest>=8,<9", "pytest-cov", "pyyaml"],
    install=["pip install -e ."],
    fail_to_pass=["tests/test_utils.py::test_lru_cache_set_update"],
    pass_to_pass=["tests/test_utils.py"],
)
def test_lru_cache_updates(swegym_result: SwegymResult) -> None:
    """LRUCache ignores updates of a cached key.

    ``tinydb.utils.LRUCache`` keeps the stale value when a key that is already cached is written again.
    """
    assert swegym_result.resolved
