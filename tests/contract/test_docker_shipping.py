"""Saved images that go to another daemon: here to the same one, which has forgotten them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.errors import SandboxError
from pytest_swegym.sandbox import shipping
from pytest_swegym.sandbox.docker import DockerBackend
from pytest_swegym.task import EnvironmentSpec


def test_image_arrives_as_it_was(docker_image: str, tmp_path: Path) -> None:
    backend, key, file = DockerBackend(), f"{'5' * 23}f", tmp_path / "parcel"
    try:
        sandbox = backend.start(backend.base(EnvironmentSpec(image=docker_image)))
        sandbox.write("/opt/told", b"told")
        saved = backend.save(sandbox, key, env={"WHO": "me"}, python="/usr/bin/python3")
        assert backend.parcels(saved) == [key]
        assert key in backend.kept()
        with file.open("wb") as out:
            out.writelines(backend.pack(key))
        assert backend.evict(key, unused_for=-1)
        assert backend.find(key) is None
        with pytest.raises(SandboxError, match="no snapshot"):
            next(backend.pack(key))
        with pytest.raises(SandboxError, match="no parcel"):
            backend.unpack(key, [b"{}\n"])
        with file.open("rb") as given:
            found = backend.unpack(key, iter(lambda: given.read(shipping.CHUNK), b""))
        assert found == saved
        with backend.start(found) as fork:
            assert fork.exec(["sh", "-c", "cat /opt/told; echo $WHO"]).output == "toldme\n"
    finally:
        backend.evict(key, unused_for=-1)
        backend.close()
