"""What a sandbox hands out as its tree cannot be anything but a tree."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym._support.trees import clean_tree
from pytest_swegym._support.trees import make_tree


LIMIT = 2**20


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for member, content in members:
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=0o755)


def listed(data: bytes) -> dict[str, tuple[bytes, int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        return {
            m.name: (m.type, m.mode, (f.read() if (f := file.extractfile(m)) else b"") if m.isreg() else b"")
            for m in file
        }


def test_files_folders_links_and_modes_are_kept_and_nothing_else() -> None:
    data = archive(
        folder("."),
        folder("./empty"),
        entry("./run", b"#!/bin/sh\n", mode=0o4755, uid=7, uname="root"),
        entry("./link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("./same", type=tarfile.LNKTYPE, linkname="./run"),
        entry("./null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        entry("./pipe", type=tarfile.FIFOTYPE),
    )
    assert listed(clean_tree(data, LIMIT)) == {
        "empty": (tarfile.DIRTYPE, 0o755, b""),
        "run": (tarfile.REGTYPE, 0o755, b"#!/bin/sh\n"),
        "link": (tarfile.SYMTYPE, 0o644, b""),
        "same": (tarfile.REGTYPE, 0o755, b"#!/bin/sh\n"),
    }
    with tarfile.open(fileobj=io.BytesIO(clean_tree(data, LIMIT))) as file:
        assert {(member.uid, member.uname) for member in file} == {(0, "")}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([entry("/etc/x", b"1")], "'/etc/x' leads out of it"),
        ([entry("../x", b"1")], "'../x' leads out of it"),
        ([entry("a", type=tarfile.SYMTYPE, linkname="/etc"), entry("a/x", b"1")], "'a/x' lies in no folder"),
        ([entry("a", b"1"), entry("a", b"2")], "'a' is in it twice"),
        ([entry("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "'/etc/passwd' leads out of it"),
        ([entry("a", type=tarfile.LNKTYPE, linkname="b")], "'a' is a link to something that is not in it"),
        ([entry("a", b"1" * (LIMIT + 1))], "larger than 1 MiB"),
        (
            [
                entry("a", b"1" * (LIMIT // 2)),
                *(entry(f"b{n}", type=tarfile.LNKTYPE, linkname="a") for n in range(3)),
            ],
            "larger than 1 MiB",
        ),
    ],
)
def test_what_is_no_tree_is_refused(members: list[tuple[tarfile.TarInfo, bytes]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clean_tree(archive(*members), LIMIT)


@pytest.mark.parametrize("spoil", [lambda data: b"no tar" * 200, lambda data: data[:700], lambda data: b""])
def test_a_damaged_archive_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="no readable archive"):
        clean_tree(spoil(archive(entry("a", b"1" * 2000))), LIMIT)


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_tree_or_refused(data: bytes) -> None:
    try:
        found = clean_tree(data, LIMIT)
    except ValueError:
        return
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in listed(found))


def test_texts_become_files_and_programs() -> None:
    assert listed(make_tree({"a/b": "hé", "run": "#!/bin/sh\n"})) == {
        "a/b": (tarfile.REGTYPE, 0o644, "hé".encode()),
        "run": (tarfile.REGTYPE, 0o755, b"#!/bin/sh\n"),
    }
