"""Unpacking: what went in comes out, byte for byte, and nothing lands outside."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from pytest_swegym.errors import SourceError
from pytest_swegym.sources.unpack import unpack


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def tree(folder: Path) -> dict[str, tuple[str, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.fsencode(os.readlink(path)))
        elif path.is_file():
            found[name] = ("program" if path.stat().st_mode & stat.S_IXUSR else "file", path.read_bytes())
    return found


_PART = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)
_NAME = _PART.filter(lambda part: part not in (".", "..") and part.lower() != ".git")
_PATHS = st.lists(_NAME, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(_PATHS, st.tuples(st.booleans(), st.binary(max_size=300)), min_size=1, max_size=6).filter(
    lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files)
)


@settings(max_examples=60, deadline=None)
@given(files=TREES, form=st.sampled_from(["w", "w:gz", "w:bz2", "w:xz", "zip"]), top=st.booleans())
def test_what_went_in_comes_out(files: dict[str, tuple[bool, bytes]], form: str, top: bool) -> None:
    # A second top entry keeps the tree from having a single top folder that would be left out.
    files = (
        {f"pkg-1.0/{name}": value for name, value in files.items()} if top else {**files, "\N{SNOWMAN}!": (False, b"")}
    )
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "a"
        if form == "zip":
            with zipfile.ZipFile(archive, "w") as zipped:
                for path, (program, data) in files.items():
                    info = zipfile.ZipInfo(path)
                    info.external_attr = (0o100755 if program else 0o100644) << 16
                    zipped.writestr(info, data)
        else:
            tar(archive, *((entry(p, mode=0o755 if x else 0o600), d) for p, (x, d) in files.items()), mode=form)
        unpack(archive, Path(name) / "out", what="it")
        prefix = "pkg-1.0/" if top else ""
        wanted = {p.removeprefix(prefix): ("program" if x else "file", d) for p, (x, d) in files.items()}
        assert tree(Path(name) / "out") == wanted


OUTSIDE: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "dots": [(entry("../evil"), b"x")],
    "dots inside": [(entry("a/../../evil"), b"x")],
    "absolute": [(entry("/tmp/swegym-evil"), b"x")],
    "absolute link": [(entry("a"), b""), (entry("l", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "link upwards": [(entry("a"), b""), (entry("d/l", tarfile.SYMTYPE, "../../x"), b"")],
    "write through a link": [(entry("d", tarfile.SYMTYPE, ".."), b""), (entry("d/evil"), b"x")],
    "link in place of a file": [(entry("f"), b"x"), (entry("f", tarfile.SYMTYPE, "../evil"), b"")],
    "chained links": [
        (entry("a"), b""),
        (entry("deep/er/root", tarfile.SYMTYPE, "../.."), b""),
        (entry("deep/er/out", tarfile.SYMTYPE, "root/../x"), b""),
    ],
    "hard link out": [(entry("a"), b""), (entry("h", tarfile.LNKTYPE, "../../etc/passwd"), b"")],
    "hard link to nothing": [(entry("a"), b""), (entry("h", tarfile.LNKTYPE, "absent"), b"")],
    "device": [(entry("null", tarfile.CHRTYPE), b"")],
    "pipe": [(entry("p", tarfile.FIFOTYPE), b"")],
    "file as folder": [(entry("a"), b""), (entry("a/b"), b"")],
}  # fmt: skip


@pytest.mark.parametrize("members", OUTSIDE.values(), ids=list(OUTSIDE))
def test_a_hostile_tar_is_refused_and_leaves_nothing(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    (tmp_path / "in").mkdir()
    archive = tar(tmp_path / "bad.tar.gz", *members)
    with pytest.raises(SourceError, match=r"^bad\.tar\.gz "):
        unpack(archive, tmp_path / "in" / "out", what="bad.tar.gz")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.tar.gz", "in", "out"]
    assert not Path("/tmp/swegym-evil").exists()


@pytest.mark.parametrize("name", ["../evil", "/tmp/swegym-evil", "a/../../evil"])
def test_zip_slip_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(SourceError, match="not a path inside it"):
        unpack(tmp_path / "bad.zip", tmp_path / "out", what="bad.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_links_and_hard_links_inside_are_kept(tmp_path: Path) -> None:
    members = [
        (entry("p/real/data"), b"content"),
        (entry("p/same", tarfile.LNKTYPE, "p/real/data"), b""),
        (entry("p/link", tarfile.SYMTYPE, "real/data"), b""),
        (entry("p/folder", tarfile.SYMTYPE, "real"), b""),
        (entry("p/samelink", tarfile.LNKTYPE, "p/link"), b""),
        (entry("p/dangling", tarfile.SYMTYPE, "real/absent"), b""),
    ]
    unpack(tar(tmp_path / "a.tar.gz", *members), tmp_path / "out", what="a")
    assert tree(tmp_path / "out") == {
        "real/data": ("file", b"content"),
        "same": ("file", b"content"),
        "link": ("link", b"real/data"),
        "folder": ("link", b"real"),
        "samelink": ("link", b"real/data"),
        "dangling": ("link", b"real/absent"),
    }


def test_a_zip_keeps_links(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("p/file", "x")
        info = zipfile.ZipInfo("p/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "file")
    unpack(tmp_path / "a.zip", tmp_path / "out", what="a")
    assert tree(tmp_path / "out") == {"file": ("file", b"x"), "link": ("link", b"file")}


def test_of_two_members_with_one_name_the_later_wins(tmp_path: Path) -> None:
    members = [(entry("p/a"), b"old"), (entry("p/a"), b"new"), (entry("p/b"), b"")]
    unpack(tar(tmp_path / "a.tar", *members, mode="w"), tmp_path / "out", what="a")
    assert (tmp_path / "out" / "a").read_bytes() == b"new"


def test_git_data_in_an_archive_is_left_out(tmp_path: Path) -> None:
    members = [
        (entry("p/.git/config"), b"x"),
        (entry("p/sub/.GIT/hooks/post-checkout"), b"x"),
        (entry("p/.gitignore"), b"y"),
    ]
    unpack(tar(tmp_path / "a.tar", *members, mode="w"), tmp_path / "out", what="a")
    assert tree(tmp_path / "out") == {".gitignore": ("file", b"y")}


def test_a_top_folder_that_holds_its_own_name_is_lifted(tmp_path: Path) -> None:
    unpack(
        tar(tmp_path / "a.tar", (entry("top/top/top-"), b"x"), (entry("top/top-"), b"y"), mode="w"),
        tmp_path / "o",
        what="a",
    )
    assert tree(tmp_path / "o") == {"top/top-": ("file", b"x"), "top-": ("file", b"y")}


def zip_of(path: Path, *files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files):
            archive.writestr(f"f{number}", data)
    return path


def tar_of(path: Path, *files: bytes) -> Path:
    return tar(path, *((entry(f"f{n}"), data) for n, data in enumerate(files)))


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_bytes_and_members_are_capped(tmp_path: Path, make: Callable[..., Path]) -> None:
    with pytest.raises(SourceError, match="too large unpacked"):
        unpack(make(tmp_path / "big", bytes(100_000)), tmp_path / "one", what="bomb", max_bytes=90_000)
    with pytest.raises(SourceError, match="too large unpacked"):
        unpack(make(tmp_path / "many", *[b""] * 11), tmp_path / "two", what="bomb", max_members=10)


def test_a_header_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = entry("a")
    info.pax_headers = {"comment": "x" * 3_000_000}
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(SourceError, match="a header made to fill memory"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", what="bomb")


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_every_cut_of_an_archive_is_an_error_or_whole(tmp_path: Path, make: Callable[..., Path]) -> None:
    whole = make(tmp_path / "whole", os.urandom(2000), b"second").read_bytes()
    for number, size in enumerate(range(0, len(whole) - 8, 97)):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(SourceError, match=r"^it "):
            unpack(tmp_path / "cut", tmp_path / str(number), what="it")


@settings(max_examples=80, deadline=None)
@given(
    data=st.binary(max_size=600), magic=st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0"])
)
def test_noise_is_an_error_that_names_it(data: bytes, magic: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "noise").write_bytes(magic + data)
        said = "noise "
        try:
            unpack(Path(name) / "noise", Path(name) / "out", what="noise")
        except SourceError as error:
            said = str(error)
        assert said.startswith("noise ")
        assert list((Path(name) / "out").iterdir()) == []


def test_a_folder_that_is_not_empty_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(SourceError, match="is not empty"):
        unpack(tar(tmp_path / "a.tar", (entry("a"), b""), mode="w"), tmp_path, what="a")
    assert (tmp_path / "mine").read_text() == "keep"
