from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.sandbox.output import Capture


@given(pieces=st.lists(st.binary(max_size=40), max_size=30), limit=st.integers(0, 100))
def test_keeps_everything_or_both_ends(pieces: list[bytes], limit: int) -> None:
    capture = Capture(limit)
    for piece in pieces:
        capture.add(piece)
    whole = b"".join(pieces)
    kept = capture.value()
    if len(whole) <= limit:
        assert kept == whole
        assert not capture.truncated
        return
    note = b"\n[... %d bytes dropped ...]\n" % (len(whole) - limit)
    assert capture.truncated
    first = limit - limit // 2
    assert kept == whole[:first] + note + whole[len(whole) - limit // 2 :]


def test_a_long_output_takes_little_memory() -> None:
    capture = Capture(1000)
    for _ in range(2000):
        capture.add(b"x" * 2**16)
    assert len(capture._tail) < 2**18
    assert len(capture.value()) < 1100


def test_value_can_be_asked_twice_and_between() -> None:
    capture = Capture(4)
    capture.add(b"abcdef")
    assert capture.value() == capture.value()
    capture.add(b"gh")
    assert capture.value() == b"ab\n[... 4 bytes dropped ...]\ngh"
