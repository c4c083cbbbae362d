"""What the package exports."""

from __future__ import annotations

import pytest

import pytest_swegym


def test_every_name_is_there_and_sorted() -> None:
    assert pytest_swegym.__all__ == sorted(pytest_swegym.__all__)
    for name in pytest_swegym.__all__:
        assert getattr(pytest_swegym, name).__name__.rpartition(".")[2] == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pytest_swegym.Nothing
