"""Finding releases on a package index: order, faults, credentials, and the memory that works with no network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.packages import Release
from pytest_swegym.sources.packages import find_sdist
from pytest_swegym.sources.packages import releases


Index = Any
SECRET = "s3cr3t-w0rd"


def test_the_sdist_of_a_version_is_found(index: Index) -> None:
    digest = index.add("thing-1.0.tar.gz", b"one")
    index.add("thing-1.0-py3-none-any.whl", b"wheel")
    index.add("thing-1.0.post1.tar.gz", b"other")
    found = find_sdist("thing", "1.0.0")
    assert (found.filename, found.sha256) == ("thing-1.0.tar.gz", digest)


def test_of_two_forms_tar_gz_is_preferred(index: Index) -> None:
    index.add("thing-1.0.zip", b"zip")
    index.add("thing-1.0.tar.gz", b"tar")
    assert find_sdist("thing", "1.0").filename == "thing-1.0.tar.gz"


def test_releases_tell_which_have_an_sdist(index: Index) -> None:
    index.add("thing-1.10.tar.gz", b"a")
    index.add("thing-1.9.tar.gz", b"b")
    index.add("thing-2.0-py3-none-any.whl", b"c")
    index.yanked.add("thing-1.9.tar.gz")
    assert releases("thing") == [
        Release(version="1.9", sdist=True, yanked=True),
        Release(version="1.10", sdist=True),
        Release(version="2.0", sdist=False),
    ]


def test_a_missing_version_names_the_nearest(index: Index) -> None:
    for version in ("0.1", "0.9", "1.1", "1.2", "7.0"):
        index.add(f"thing-{version}.tar.gz", version.encode())
    index.add("thing-1.0-py3-none-any.whl", b"w")
    with pytest.raises(SourceError, match=r"only wheels.*0\.1, 0\.9, 1\.1, 1\.2, 7\.0"):
        find_sdist("thing", "1.0")
    with pytest.raises(SourceError, match=r"no such version.*the nearest that have one: 1\.1, 1\.2, 7\.0"):
        find_sdist("thing", "8")


def test_an_unknown_package_is_named(index: Index) -> None:
    with pytest.raises(SourceError, match="no package 'nothing' on http://127"):
        find_sdist("nothing", "1")
    with pytest.raises(SourceError, match="no package 'nothing' on http://127"):
        releases("nothing")


def test_a_yanked_file_is_used_with_a_warning(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    index.add("thing-1.0.tar.gz", b"x")
    index.yanked.add("thing-1.0.tar.gz")
    assert find_sdist("thing", "1.0").filename == "thing-1.0.tar.gz"
    assert "thing-1.0.tar.gz was yanked: broken & late" in caplog.text


def test_an_index_without_sha256_is_refused(index: Index) -> None:
    index.add("thing-1.0.tar.gz", b"x")
    index.digests["thing-1.0.tar.gz"] = "md5=00"
    with pytest.raises(SourceError, match=r"no sha256 for thing-1\.0\.tar\.gz"):
        find_sdist("thing", "1.0")


def test_indexes_are_asked_in_order(
    index: Index, make_index: Callable[[], Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = make_index()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {more.url}")
    index.add("thing-1.0.tar.gz", b"first")
    more.add("thing-1.0.tar.gz", b"second")
    extra = more.add("thing-2.0.tar.gz", b"only here")
    assert find_sdist("thing", "1.0").url.startswith(index.url.removesuffix("simple/"))
    assert find_sdist("thing", "2.0").sha256 == extra


def test_a_broken_index_is_not_passed_over(
    index: Index, make_index: Callable[[], Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = make_index()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", more.url)
    more.add("thing-1.0.tar.gz", b"somebody else's thing")
    index.faults = ["500"] * 3
    with pytest.raises(SourceError, match="cannot be asked for 'thing': 500 Server Error"):
        find_sdist("thing", "1.0")
    assert more.seen == []


def test_a_passing_fault_is_tried_again(index: Index) -> None:
    index.add("thing-1.0.tar.gz", b"x")
    index.faults = ["500", "500"]
    assert find_sdist("thing", "1.0").filename == "thing-1.0.tar.gz"


def test_an_index_that_is_away_is_named(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/simple/ cannot be asked for 'thing'"):
        find_sdist("thing", "1.0")


def test_credentials_are_sent_and_never_shown(
    index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    index.login = ("me", SECRET)
    index.add("thing-1.0.tar.gz", b"x")
    index.add("bad-1.0.tar.gz", b"x")
    index.digests["bad-1.0.tar.gz"] = ""
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", f"://me:{SECRET}@"))
    found = find_sdist("thing", "1.0")
    messages = [repr(found)]
    for name, version in (("thing", "9"), ("nothing", "1"), ("bad", "1.0")):
        with pytest.raises(SourceError) as caught:
            find_sdist(name, version)
        messages.append(str(caught.value))
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", f"://you:{SECRET}@"))
    with pytest.raises(SourceError, match="401") as refused:
        find_sdist("thing", "1.0.1")
    messages.append(str(refused.value))
    stored = b"".join(path.read_bytes() for path in cache_dir().rglob("*") if path.is_file())
    assert stored
    assert SECRET not in "".join(messages) + caplog.text + stored.decode("utf-8", "replace")


def test_netrc_logs_in(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.login = ("me", SECRET)
    index.add("thing-1.0.tar.gz", b"x")
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert find_sdist("thing", "1.0").filename == "thing-1.0.tar.gz"


def test_an_answer_is_remembered_for_when_there_is_no_network(index: Index) -> None:
    index.add("thing-1.0.tar.gz", b"x")
    with pytest.raises(SourceError, match="never looked up before, and offline is set"):
        find_sdist("thing", "1.0", offline=True)
    found = find_sdist("thing", "1.0")
    asked = len(index.seen)
    assert find_sdist("thing", "1.0", offline=True) == found
    assert find_sdist("thing", "1.0") == found
    assert len(index.seen) == asked


def test_a_damaged_memory_is_asked_for_again(index: Index) -> None:
    index.add("thing-1.0.tar.gz", b"x")
    found = find_sdist("thing", "1.0")
    for path in cache_dir("sdists").glob("*.json"):
        path.write_text('{"filename": "cut')
    assert find_sdist("thing", "1.0") == found
