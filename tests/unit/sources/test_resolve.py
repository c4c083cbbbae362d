"""What ``repo`` may say, and what is said when it says something else."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.errors import SourceError
from pytest_swegym.errors import SpecError
from pytest_swegym.errors import SwegymError
from pytest_swegym.sources import Source
from pytest_swegym.sources import make_source


Check = Callable[[Path], str]


def tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("repo", "kind", "description"),
    [
        ("sdist:some_Thing==1.0.0rc8", "SdistSource", "sdist of some_Thing 1.0.0rc8"),
        ("owner/name", "GitSource", "owner/name"),
        ("https://user:pass@host.example/o/n.git", "GitSource", "https://host.example/o/n.git"),
        ("git+https://host.example/o/n", "GitSource", "https://host.example/o/n"),
        ("git@host.example:o/n.git", "GitSource", "git@host.example:o/n.git"),
        ("ssh://git@host.example/o/n.git", "GitSource", "ssh://host.example/o/n.git"),
        ("https://h.example/n-1.tar.gz#sha256=" + "0" * 64, "ArchiveSource", "https://h.example/n-1.tar.gz"),
        ("/data/n-1.zip", "ArchiveSource", "/data/n-1.zip"),
        ("data/n-1.tar.xz", "ArchiveSource", "/root-of-tasks/data/n-1.tar.xz"),
    ],
)
def test_each_form_is_known_without_touching_anything(repo: str, kind: str, description: str) -> None:
    source = make_source(repo, root=Path("/root-of-tasks"))
    assert isinstance(source, Source)
    assert (type(source).__name__, source.description) == (kind, description)


@pytest.mark.parametrize(
    ("repo", "base_commit", "said"),
    [
        ("sdist:thing", None, "expected sdist:NAME==VERSION, one exact version"),
        ("sdist:thing>=1", None, "expected sdist:NAME==VERSION"),
        ("sdist:thing==1.*", None, "expected sdist:NAME==VERSION"),
        ("sdist:thing==not-a-version", None, "expected sdist:NAME==VERSION"),
        ("sdist:thing==1", "abc", "base_commit: 'sdist:thing==1' has no commits"),
        (
            "https://u:pw@h.example/a.zip",
            None,
            "'https://h.example/a.zip': an archive from the network needs '#sha256=HEX'",
        ),
        ("./a.zip#md5=00", None, "after '#' expected sha256= and 64 hexadecimal digits"),
        ("svn://host/x", None, "expected sdist:NAME==VERSION, owner/name, a git URL"),
        ("ext::sh -c touch% /tmp/x", None, "no folder"),
        ("./absent", None, "no folder .*/absent; expected sdist"),
        ("absent", None, "no folder"),
        ("owner/name", "--upload-pack=touch /tmp/x", "'--upload-pack=touch /tmp/x' is not a commit"),
        ("owner/name", " ", "' ' is not a commit"),
    ],
)
def test_a_wrong_repo_names_field_and_forms(repo: str, base_commit: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        make_source(repo, base_commit, root=tmp_path)
    assert caught.value.field == ("base_commit" if base_commit else "repo")
    assert "pw" not in str(caught.value)


def test_owner_name_needs_a_template_with_a_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_GIT_URL", "https://host.example/")
    with pytest.raises(SpecError, match=r"must contain '{repo}'"):
        make_source("owner/name")


@given(repo=st.text(min_size=1), base_commit=st.none() | st.text())
def test_any_text_is_a_source_or_a_named_error(repo: str, base_commit: str | None) -> None:
    try:
        found: object = make_source(repo, base_commit, root=Path("/nowhere"))
    except SwegymError as error:
        found = error
    assert isinstance(found, (Source, SpecError))


def test_an_archive_on_this_machine(tmp_path: Path, check_sealed: Check) -> None:
    data = tarball({"n-1/a.py": b"a\r\n", "n-1/.gitignore": b"*.py\n"})
    (tmp_path / "n-1.tar.gz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    source = make_source(f"./n-1.tar.gz#sha256={digest.upper()}", root=tmp_path)
    source.checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert (tmp_path / "out" / "a.py").read_bytes() == b"a\r\n"
    assert source.key() == make_source("./n-1.tar.gz", root=tmp_path).key()


def test_an_archive_with_another_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n-1.tar.gz").write_bytes(tarball({"a": b""}))
    source = make_source(f"./n-1.tar.gz#sha256={'0' * 64}", root=tmp_path)
    with pytest.raises(SourceError, match=r"n-1\.tar\.gz has sha256 [0-9a-f]{64}, expected 0000"):
        source.checkout(tmp_path / "out")
    with pytest.raises(SourceError, match=r"absent\.zip: no such file"):
        make_source("./absent.zip", root=tmp_path).key()


def test_an_archive_from_a_server(index: Any, tmp_path: Path, check_sealed: Check) -> None:
    digest = index.add("n-1.tar.gz", tarball({"n-1/a.py": b"a"}))
    repo = index.url.replace("/simple/", "/files/n-1.tar.gz") + f"#sha256={digest}"
    make_source(repo).checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    make_source(repo, offline=True).checkout(tmp_path / "again")
    assert index.requested("/files/") == [""]


def test_an_archive_is_asked_for_with_the_login_of_its_url(index: Any, tmp_path: Path) -> None:
    digest = index.add("n-1.tar.gz", tarball({"n-1/a.py": b"a"}))
    index.login = ("me", "s3cr3t")
    url = index.url.replace("/simple/", "/files/n-1.tar.gz").replace("://", "://me:s3cr3t@")
    source = make_source(f"{url}#sha256={digest}")
    source.checkout(tmp_path / "out")
    assert (tmp_path / "out" / "a.py").exists()
    assert "s3cr3t" not in repr(source) + source.description


def test_an_sdist_from_an_index(index: Any, tmp_path: Path, check_sealed: Check) -> None:
    index.add(
        "thing-1.0.tar.gz", tarball({"thing-1.0/setup.py": b"raise SystemExit('never run here')", "thing-1.0/a": b""})
    )
    source = make_source("sdist:thing==1.0")
    source.checkout(tmp_path / "out")
    check_sealed(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".git", "a", "setup.py"]
    offline = make_source("sdist:thing==1.0", offline=True)
    assert offline.key() == source.key()
    offline.checkout(tmp_path / "again")


def test_a_damaged_sdist_is_named_and_leaves_nothing(index: Any, tmp_path: Path) -> None:
    index.add("thing-1.0.tar.gz", tarball({"thing-1.0/a": bytes(5000)})[:-20])
    with pytest.raises(SourceError, match=r"^sdist of thing 1\.0 cannot be unpacked"):
        make_source("sdist:thing==1.0").checkout(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_making_a_source_writes_nothing() -> None:
    before = sorted(cache_dir().rglob("*"))
    for repo in ("sdist:thing==1.0", "owner/name", "https://host.invalid/x.git"):
        make_source(repo)
    assert [path for path in sorted(cache_dir().rglob("*")) if path.is_file()] == before
