"""Snapshots that go to another machine: another cache, in these tests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox import shipping
from pytest_swegym.sandbox.base import Backend
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.registry import required
from pytest_swegym.sandbox.sharing import Shipper
from pytest_swegym.task import EnvironmentSpec


LOWER, UPPER = "a" * 24, "b" * 24
MAKE = """
set -e
mkdir -p /opt/a /opt/many; printf hello > /opt/a/file; ln /opt/a/file /opt/a/hard; ln -s /etc/passwd /opt/a/link
mkfifo /opt/a/fifo; truncate -s 50M /opt/a/hole; chmod 4711 /opt/a/file; touch -d @1577836800.123456789 /opt/a/file
rm /etc/passwd; rm -rf /usr/local; mkdir /usr/local
"""
LOOK = """
stat -c '%h %a %s %Y' /opt/a/file; readlink /opt/a/link; stat -c '%F %b %s' /opt/a/fifo /opt/a/hole
ls -A /usr/local /opt/second; ls /etc/passwd 2>/dev/null; echo "$WHO"; test /opt/a/file -ef /opt/a/hard && echo same
"""


class Places:
    """Two machines: each is a cache of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch = folder, patch

    def at(self, name: str) -> Backend:
        self._patch.setenv("SWEGYM_CACHE", str(self._folder / name))
        return make_backend("bubblewrap")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    reason = make_backend("bubblewrap").available()
    if reason is not None:
        (pytest.fail if required("bubblewrap") else pytest.skip)(f"bubblewrap: {reason}")
    with pytest.MonkeyPatch.context() as patch:
        yield Places(tmp_path_factory.mktemp("caches"), patch)


@pytest.fixture(scope="module")
def packed(places: Places) -> dict[str, list[bytes]]:
    """Two layers that one machine made, the second on the first."""
    backend = places.at("here")
    base = backend.base(EnvironmentSpec())
    sandbox = backend.start(base)
    assert sandbox.exec(["sh", "-c", MAKE]).exit_code == 0
    lower = backend.save(sandbox, LOWER, env={"WHO": "me"}, python=base.python)
    sandbox = backend.start(lower)
    sandbox.exec(["sh", "-c", "rm -rf /opt/many; mkdir /opt/second; touch /opt/second/x"])
    upper = backend.save(sandbox, UPPER, env=lower.env, python=base.python)
    assert isinstance(backend, Shipper)
    assert backend.parcels(upper) == [LOWER, UPPER]
    found = {key: list(backend.pack(key)) for key in backend.parcels(upper)}
    backend.close()
    return found


def looked_at(backend: Backend, snapshot: Snapshot) -> str:
    with backend.start(snapshot) as sandbox:
        return sandbox.exec(["sh", "-c", LOOK]).output


def test_layers_arrive_with_all_that_matters(places: Places, packed: dict[str, list[bytes]]) -> None:
    here = places.at("here")
    made = here.find(UPPER)
    assert made is not None
    wanted = looked_at(here, made)
    assert wanted.split()[:4] == ["2", "4711", "5", "1577836800"]
    assert wanted.endswith("me\nsame\n")
    assert "/etc/passwd" not in wanted.split("link", 1)[-1].split("\n", 2)[-1]
    here.close()
    there = places.at("there")
    assert isinstance(there, Shipper)
    assert there.find(UPPER) is None
    spec = EnvironmentSpec()
    assert there.platform(spec) == there.base(spec).key
    for key, chunks in packed.items():
        snapshot = there.unpack(key, chunks)
        assert there.unpack(key, iter(())) == snapshot  # it is here already
    assert looked_at(there, snapshot) == wanted
    assert {LOWER, UPPER} <= set(there.kept())
    there.close()


def test_lower_layers_come_first(places: Places, packed: dict[str, list[bytes]]) -> None:
    there = places.at("empty")
    there.base(EnvironmentSpec())
    assert isinstance(there, Shipper)
    with pytest.raises(SandboxError, match="does not have"):
        there.unpack(UPPER, packed[UPPER])
    with pytest.raises(SandboxError, match="no snapshot"):
        next(there.pack(UPPER))
    assert there.find(UPPER) is None


def changed(chunks: list[bytes], **fields: Any) -> list[bytes]:
    said = json.loads(chunks[0])
    ref = {**said["snapshot"]["ref"], **fields.pop("ref", {})}
    snapshot = {**said["snapshot"], "ref": ref, **fields.pop("snapshot", {})}
    return [json.dumps({**said, "snapshot": snapshot, **fields}).encode() + b"\n", *chunks[1:]]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"key": "c" * 24}, "no parcel"),
        ({"format": "other"}, "no parcel"),
        ({"root": "neither"}, "was made by"),
        ({"ref": {"binds": {"/etc": "/etc"}}}, "does not have"),
        ({"ref": {"toolchain": False}}, "does not have"),
        ({"ref": {"layers": ["../../etc/fs"]}}, "damaged"),
        ({"ref": {"layers": [f"{LOWER}/fs"]}}, "does not have"),
        ({"ref": {"layers": "x"}}, "damaged"),
        ({"ref": {"layers": [f"{'c' * 24}/fs", f"{LOWER}/fs"]}}, "does not have"),
        ({"snapshot": {"env": 3}}, "damaged"),
    ],
)
def test_parcel_that_says_something_else_is_refused(
    places: Places, packed: dict[str, list[bytes]], fields: dict[str, Any], why: str
) -> None:
    there = places.at("strict")
    there.base(EnvironmentSpec())
    assert isinstance(there, Shipper)
    with pytest.raises(SandboxError, match=why):
        there.unpack(LOWER, changed(packed[LOWER], **fields))
    assert there.find(LOWER) is None
    assert LOWER not in there.kept()


def test_archive_cannot_write_elsewhere_or_be_cut(
    places: Places, packed: dict[str, list[bytes]], tmp_path: Path
) -> None:
    there = places.at("strict")
    there.base(EnvironmentSpec())
    assert isinstance(there, Shipper)
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        link = tarfile.TarInfo("fs/out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(tarfile.TarInfo("fs/a"))
        archive.addfile(link)
        for name in ("fs/out/escaped", "../escaped", f"{tmp_path}/escaped"):
            archive.addfile(tarfile.TarInfo(name))
    whole = b"".join(packed[LOWER])
    said = json.loads(packed[LOWER][0])
    about = {"snapshot": said["snapshot"], "root": said["root"]}
    hostile = shipping.sent("bubblewrap", LOWER, [body.getvalue()], **about)
    broken = {"could not unpack": hostile, "not come whole": [whole[:-1]], "whole|could not": [whole[:5000]]}
    for why, chunks in broken.items():
        with pytest.raises(SandboxError, match=why):
            there.unpack(LOWER, chunks)
    assert list(tmp_path.iterdir()) == []
    assert there.find(LOWER) is None


@given(st.lists(st.binary(max_size=40), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_bytes_of_any_kind_are_no_parcel(chunks: list[bytes]) -> None:
    with pytest.raises(SandboxError, match="no parcel"):
        shipping.received(LOWER, chunks)


@given(st.binary(max_size=60), st.integers(1, 7))
def test_body_comes_whole_however_it_is_cut(body: bytes, size: int) -> None:
    def cut(data: bytes) -> list[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    data = b"".join(shipping.sent("bubblewrap", LOWER, [body]))
    said, rest = shipping.received(LOWER, cut(data))
    assert said["key"] == LOWER
    assert b"".join(rest) == body
    with pytest.raises(SandboxError, match="whole"):
        b"".join(shipping.received(LOWER, cut(data[:-1]))[1])
