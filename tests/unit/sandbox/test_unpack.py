"""Image archives, friendly and hostile."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.images import base
from pytest_swegym.sandbox.unpack import unpack


Member = tuple[str, str, str]  # path, kind (a letter of the table below), content or target
KINDS = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE}


def layer(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, kind, text in members:
            info = tarfile.TarInfo(path)
            info.type = KINDS[kind]
            info.mode = 0o4755
            content = text.encode() if kind == "f" else b""
            info.size = len(content)
            info.linkname = text if kind in "lh" else ""
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def unpacked(tmp_path: Path, *layers: bytes) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    path = archive_of(tmp_path / "image.tar", {f"{number}.tar": data for number, data in enumerate(layers)})
    with tarfile.open(path) as archive:
        for number in range(len(layers)):
            unpack(archive, f"{number}.tar", root)
    return root


def test_layers_lie_on_each_other(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        layer(("usr/bin/a", "f", "a"), ("usr/bin/b", "f", "b"), ("bin", "l", "usr/bin"), ("full/old", "f", "old")),
        layer(("usr/bin/.wh.a", "f", ""), ("usr/bin/c", "h", "usr/bin/b"), ("full/.wh..wh..opq", "f", ""),
              ("full/new", "f", "new"), ("dev/null", "c", "")),
    )  # fmt: skip
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == [
        "bin", "dev", "full", "full/new", "usr", "usr/bin", "usr/bin/b", "usr/bin/c",
    ]  # fmt: skip
    assert (root / "bin/b").read_text() == "b"
    assert (root / "usr/bin/c").stat().st_nlink == 2
    assert (root / "usr/bin/b").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/../outside", "a/../b"])
def test_a_member_that_leads_upwards_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the image"):
        unpacked(tmp_path, layer((name, "f", "x")))
    assert not (tmp_path / "outside").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    up = "../" * 20
    root = unpacked(
        tmp_path,
        layer(("a", "l", str(victim)), ("a/new", "f", "x"), ("b", "l", up), ("b/.wh.kept", "f", ""),
              ("c", "l", str(victim)), ("c/.wh..wh..opq", "f", ""), ("d", "l", f"{victim}/kept"), ("d", "f", "y"),
              ("e", "l", str(victim)), ("e", "d", ""), ("e/in", "f", "z")),
    )  # fmt: skip
    assert [path.name for path in victim.iterdir()] == ["kept"]
    assert (victim / "kept").read_text() == "kept"
    assert (root / "a/new").read_text() == "x"
    assert not (root / "e").is_symlink()


def test_a_hard_link_reaches_nothing_outside(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with pytest.raises((ValueError, OSError)):
        unpacked(tmp_path, layer(("link", "l", str(tmp_path)), ("stolen", "h", "link/secret")))
    path = archive_of(tmp_path / "i.tar", {"0.tar": layer(("s", "h", "../secret"))})
    with tarfile.open(path) as archive, pytest.raises(ValueError, match="leads out"):
        unpack(archive, "0.tar", tmp_path / "root")
    assert secret.stat().st_nlink == 1


def _no_python(snapshot: Snapshot) -> str:
    return ""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_CACHE", str(tmp_path / "cache"))


def test_a_docker_archive(tmp_path: Path) -> None:
    config = {"config": {"Env": ["PATH=/opt/bin", "A=b=c"]}}
    files = {
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": ["l/layer.tar"]}]).encode(),
        "c.json": json.dumps(config).encode(),
        "l/layer.tar": layer(("etc/passwd", "f", "root:x:0:0::/root:/bin/sh"), ("home", "l", "/root")),
    }
    path = archive_of(tmp_path / "image.tar", files)
    snapshot = base(f"docker-archive:{path}", _no_python)
    assert snapshot.env == {"PATH": "/opt/bin", "A": "b=c"}
    root = Path(snapshot.ref["layers"][-1])
    assert [line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()] == ["root", "swegym"]
    assert (root / "home/swegym").is_dir()
    assert base(str(path), _no_python) == snapshot


def test_an_oci_archive(tmp_path: Path) -> None:
    def described(name: str, data: bytes, files: dict[str, bytes]) -> dict[str, object]:
        files[f"blobs/sha256/{name}"] = data
        return {"digest": f"sha256:{name}"}

    files: dict[str, bytes] = {}
    manifest = {
        "config": described("cc", json.dumps({"config": {}}).encode(), files),
        "layers": [described("11", layer(("f", "f", "low")), files), described("22", layer(("f", "f", "top")), files)],
    }
    other = {**described("00", b"{}", files), "platform": {"architecture": "none"}}
    mine = {**described("aa", json.dumps(manifest).encode(), files), "platform": {"architecture": "amd64"}}
    files["index.json"] = json.dumps({"manifests": [mine, other]}).encode()
    snapshot = base(f"oci-archive:{archive_of(tmp_path / 'oci.tar', files)}", _no_python)
    assert Path(snapshot.ref["layers"][-1], "f").read_text() == "top"


def test_a_rootfs_folder_is_left_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "rootfs"
    (root / "etc").mkdir(parents=True)
    snapshot = base(f"rootfs:{root}", _no_python)
    assert snapshot.ref["layers"][0] == str(root)
    assert sorted(path.name for path in root.rglob("*")) == ["etc"]


@pytest.mark.parametrize("image", ["python:3.11", "swebench/x:latest", "docker.io/library/alpine"])
def test_a_registry_image_is_not_for_this_backend(image: str) -> None:
    with pytest.raises(EnvironmentBuildError, match="use --swegym-sandbox=docker"):
        base(image, _no_python)


@pytest.mark.parametrize("content", [b"", b"no archive", layer(("manifest.json", "f", "[]")), layer(("x", "f", ""))])
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tar"
    path.write_bytes(content)
    with pytest.raises(EnvironmentBuildError, match=r"broken\.tar is not an image archive"):
        base(f"docker-archive:{path}", _no_python)
