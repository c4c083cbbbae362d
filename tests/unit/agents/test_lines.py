"""Which commands of a person go on in the next line."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.agents.lines import unfinished


@pytest.mark.parametrize(
    "command",
    ["echo 'a", 'echo "a', "a \\", "a \\\\\\", "cat <<X", "cat <<'X'\na", "cat <<-X\n  a", "cat > f <<EOF\nit's\nEOFx"],
)
def test_goes_on(command: str) -> None:
    assert unfinished(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ls",
        "echo 'a\nb'",
        "a \\\\",
        "cat <<X\nit's\nX",
        "cat <<-X\n\tit's\n\tX",
        "ls # it's",
        "a \\\nb",
        "cat <<< x",
        "echo $((1<<n))",
        "grep '<<EOF' a",
    ],
)
def test_is_whole(command: str) -> None:
    assert not unfinished(command)


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))
def test_what_is_quoted_is_whole(text: str) -> None:
    assert not unfinished(f"echo {shlex.quote(text)}")
    assert unfinished(f"echo {shlex.quote(text)} '")
