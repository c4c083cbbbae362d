"""Credentials in URLs never come through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym._support.redact import bare_urls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pa%40ss@host/simple/", "https://host/simple/"),
        ("clone of 'https://tok@git.example/x.git' failed", "clone of 'https://git.example/x.git' failed"),
        ("https://u:p@one/ and ssh://git@two/x", "https://one/ and ssh://two/x"),
        ("https://host/f?token=abc&x=1#sha256=00", "https://host/f?token=***&x=1#sha256=00"),
        ("https://host/a@b", "https://host/a@b"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_credentials_are_left_out_and_nothing_else(text: str, shown: str) -> None:
    assert bare_urls(text) == shown


_WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8)


@given(user=_WORD, password=_WORD, path=_WORD)
def test_no_password_survives(user: str, password: str, path: str) -> None:
    assert bare_urls(f"error at https://{user}:P-{password}@host/{path}: no") == f"error at https://host/{path}: no"
