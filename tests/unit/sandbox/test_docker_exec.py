from __future__ import annotations

from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.sandbox.docker_exec import Marked


MARK = "0123456789abcdef"
END = b"\x1d" + MARK.encode() + b" 7 1\x1d"
#: Output that looks much like a mark.
TRICKY = st.lists(
    st.sampled_from([b"\x1d", MARK.encode(), b" 7", b" 7 1", b"a", b"\x1e", END[:9], END[:-1]]), max_size=12
).map(b"".join)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(i, len(data)) for i in at), len(data)]
    return [data[edges[i] : edges[i + 1]] for i in range(len(edges) - 1)]


@given(output=TRICKY, after=st.binary(max_size=20), at=st.lists(st.integers(0, 200), max_size=10))
def test_output_ends_at_the_mark_wherever_it_is_cut(output: bytes, after: bytes, at: list[int]) -> None:
    assume((output + END).find(END) == len(output))
    marked = Marked(MARK)
    found = b"".join(marked.add(piece) for piece in cut(output + END + after, at))
    assert (found, marked.numbers, marked.rest()) == (output, (7, 1), b"")


@given(output=TRICKY, at=st.lists(st.integers(0, 200), max_size=10))
def test_output_without_a_mark_is_all_there(output: bytes, at: list[int]) -> None:
    assume(END not in output)
    marked = Marked(MARK)
    found = b"".join(marked.add(piece) for piece in cut(output, at)) + marked.rest()
    assert (found, marked.numbers) == (output, None)


def test_what_cannot_begin_the_mark_is_not_held_back() -> None:
    marked = Marked(MARK)
    assert marked.add(b"prompt \x1e") == b"prompt \x1e"
    assert marked.add(b"\x1dother") == b"\x1dother"
    assert marked.add(b"x\x1d0123") == b"x"
