"""Downloads: verified, resumed, cached, and clear about what went wrong."""

from __future__ import annotations

import gzip
import random
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.packages import find_sdist
from pytest_swegym.sources.pipconf import read_settings
from pytest_swegym.sources.transport import download


Index = Any
DATA = random.Random(7).randbytes(300_000)


def get(index: Index, sha256: str, **options: Any) -> Path:
    url = index.url.replace("/simple/", "/files/x-1.tar.gz")
    return download(url, sha256, read_settings(), what="sdist of x 1", **options)


def left() -> list[str]:
    return sorted(path.name for path in cache_dir("sdists").iterdir())


def test_a_file_is_downloaded_once(index: Index) -> None:
    sha256 = index.add("x-1.tar.gz", DATA)
    assert get(index, sha256).read_bytes() == DATA
    assert get(index, sha256, offline=True).read_bytes() == DATA
    assert index.requested("/files/") == [""]
    assert left() == [sha256]


def test_a_cut_download_goes_on_where_it_stopped(index: Index) -> None:
    sha256 = index.add("x-1.tar.gz", DATA)
    index.faults = ["cut", "cut"]
    assert get(index, sha256).read_bytes() == DATA
    assert index.requested("/files/") == ["", "bytes=150000-", "bytes=225000-"]


def test_a_later_run_goes_on_where_one_stopped(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = index.add("x-1.tar.gz", DATA)
    monkeypatch.setenv("PIP_RETRIES", "0")
    index.faults = ["cut"]
    with pytest.raises(SourceError, match=r"sdist of x 1: http://.* was cut 1 times"):
        get(index, sha256)
    assert get(index, sha256).read_bytes() == DATA
    assert index.requested("/files/")[-1] == "bytes=150000-"


def test_what_was_left_of_another_file_is_thrown_away(index: Index) -> None:
    sha256 = index.add("x-1.tar.gz", DATA)
    (cache_dir("sdists") / f"{sha256}.part").write_bytes(b"something else")
    assert get(index, sha256).read_bytes() == DATA
    assert left() == [sha256]


def test_a_wrong_digest_is_refused_and_not_kept(index: Index) -> None:
    index.add("x-1.tar.gz", DATA)
    with pytest.raises(SourceError, match=r"has sha256 [0-9a-f]{64}, expected 0{64}; it was not kept"):
        get(index, "0" * 64)
    assert left() == []


def test_a_damaged_cached_file_is_fetched_again(index: Index) -> None:
    sha256 = index.add("x-1.tar.gz", DATA)
    get(index, sha256).write_bytes(DATA[:-1])
    assert get(index, sha256).read_bytes() == DATA


def test_offline_says_so(index: Index) -> None:
    with pytest.raises(SourceError, match="sdist of x 1 is not in the cache, and offline is set"):
        get(index, "0" * 64, offline=True)
    assert index.seen == []


def test_a_server_that_labels_a_tar_gz_as_encoded_changes_nothing(index: Index) -> None:
    data = gzip.compress(DATA)
    index.labelled_gzip = True
    assert get(index, index.add("x-1.tar.gz", data)).read_bytes() == data


@pytest.mark.parametrize(("fault", "said"), [("500", "500 Server Error"), ("404", "404 Client Error")])
def test_a_server_that_refuses_is_quoted(index: Index, fault: str, said: str) -> None:
    index.faults = ["500"] * 3 if fault == "500" else []
    with pytest.raises(SourceError, match=said):
        get(index, "0" * 64)


def test_credentials_go_to_their_own_host_only(index: Index, make_index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that lies on another host than its page is asked for without the page's login."""
    other = make_index()
    sha256 = other.add("x-1.tar.gz", DATA)
    other.login = ("me", "word")
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", "://me:word@"))
    with pytest.raises(SourceError, match="401 Client Error"):
        get(other, sha256)


def test_pips_proxy_is_used(index: Index, make_index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = make_index()
    proxy.add("x-1.tar.gz", DATA)
    monkeypatch.setenv("PIP_PROXY", proxy.url.removesuffix("/simple/"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple/")
    with pytest.raises(SourceError, match="no sdist of x 3"):
        find_sdist("x", "3")
    assert proxy.seen[0][0] == "http://index.invalid/simple/x/"


@pytest.fixture
def tls(make_index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Index, Path]:
    """An index behind a certificate that nobody knows, and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program to make a certificate")
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    extra = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(pem)]
    subprocess.run([*make, *extra], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    index = make_index(context)
    index.add("x-1.tar.gz", DATA)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    return index, pem


def test_an_unknown_certificate_is_refused(tls: tuple[Index, Path]) -> None:
    with pytest.raises(SourceError, match=r"(?i)certificate"):
        find_sdist("x", "1")
    assert tls[0].seen == []


@pytest.mark.parametrize("setting", ["PIP_CERT", "PIP_TRUSTED_HOST", "SSL_CERT_FILE"])
def test_pips_certificate_settings_hold(tls: tuple[Index, Path], monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv(setting, "localhost" if setting == "PIP_TRUSTED_HOST" else str(tls[1]))
    found = find_sdist("x", "1")
    path = download(found.url, found.sha256, read_settings(), what="sdist of x 1")
    assert path.read_bytes() == DATA


def test_pips_certificate_wins_over_the_general_ones(tls: tuple[Index, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", str(tls[1]))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/absent.pem")
    assert find_sdist("x", "1").filename == "x-1.tar.gz"


def test_a_certificate_file_that_is_not_there_is_named(
    tls: tuple[Index, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", "/absent.pem")
    with pytest.raises(SourceError, match=r"/absent\.pem"):
        find_sdist("x", "1")
