from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym.sandbox.docker_stream import STDERR
from pytest_swegym.sandbox.docker_stream import STDOUT
from pytest_swegym.sandbox.docker_stream import Frames
from pytest_swegym.sandbox.docker_stream import Stream


def frame(kind: int, data: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    frames=st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40)), max_size=12),
    cuts=st.lists(st.integers(0, 600), max_size=20),
)
def test_frames_cut_anywhere_give_each_stream_its_bytes(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    raw = b"".join(frame(kind, data) for kind, data in frames)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    parser = Frames()
    found = [piece for i in range(len(edges) - 1) for piece in parser.feed(raw[edges[i] : edges[i + 1]])]
    for kind in (STDOUT, STDERR):
        assert b"".join(d for k, d in found if k == kind) == b"".join(d for k, d in frames if k == kind)


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def test_output_of_both_kinds_then_the_end(pair: tuple[Stream, socket.socket]) -> None:
    stream, daemon = pair
    daemon.sendall(frame(STDOUT, b"out") + frame(STDERR, b"err"))
    daemon.close()
    assert stream.receive(5) == [(STDOUT, b"out"), (STDERR, b"err")]
    assert stream.receive(5) == []
    assert stream.receive(5) == []


def test_silence_is_told_from_the_end(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    assert stream.receive(0.01) is None


def test_half_a_frame_is_delivered_when_it_is_there(pair: tuple[Stream, socket.socket]) -> None:
    stream, daemon = pair
    daemon.sendall(frame(STDOUT, b"abcdef")[:11])
    assert stream.receive(5) == [(STDOUT, b"abc")]
    daemon.sendall(b"def")
    assert stream.receive(5) == [(STDOUT, b"def")]


def test_more_than_the_socket_holds_is_sent_while_output_is_read(pair: tuple[Stream, socket.socket]) -> None:
    """Neither side waits for the other for ever, as with ``cat`` and a large stdin."""
    stream, daemon = pair
    data = bytes(range(256)) * 20_000

    def echo() -> None:
        while piece := daemon.recv(65536):
            daemon.sendall(frame(STDOUT, piece))
        daemon.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=echo)
    thread.start()
    stream.send(data[:1000])
    stream.send(data[1000:], last=True)
    back = bytearray()
    while pieces := stream.receive(30):
        back += b"".join(piece for _, piece in pieces)
    thread.join()
    assert back == data


def test_a_reader_that_went_away_is_the_end_of_output(pair: tuple[Stream, socket.socket]) -> None:
    stream, daemon = pair
    daemon.close()
    stream.send(b"x" * 10_000_000, last=True)
    assert stream.receive(5) == []
