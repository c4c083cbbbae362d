"""What an install stage inside a sandbox is told of the package index."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.errors import SourceError
from pytest_swegym.sources import ca_bundle
from pytest_swegym.sources import index_environment


def test_pip_and_uv_are_told_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://two.example/simple file:///here")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "three.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("no_proxy", "localhost")
    found = index_environment("/inside/ca.pem")
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://one.example/simple/"
    assert found["PIP_EXTRA_INDEX_URL"] == found["UV_INDEX"] == "https://two.example/simple/"
    assert found["PIP_CERT"] == found["SSL_CERT_FILE"] == "/inside/ca.pem"
    assert found["PIP_TRUSTED_HOST"] == found["UV_INSECURE_HOST"] == "three.example"
    assert found["https_proxy"] == found["HTTPS_PROXY"] == "http://proxy.example:1"
    assert found["NO_PROXY"] == "localhost"
    assert "http_proxy" not in found
    assert ca_bundle() == tmp_path / "ca.pem"
    assert index_environment()["PIP_CERT"] == str(tmp_path / "ca.pem")


def test_without_settings_there_is_no_certificate() -> None:
    assert ca_bundle() is None
    assert "PIP_CERT" not in index_environment("/inside/ca.pem")


def test_a_certificate_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", "/absent.pem")
    with pytest.raises(SourceError, match=r"/absent\.pem does not exist"):
        ca_bundle()


def test_a_login_from_netrc_is_put_into_the_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine one.example login me password p@ss\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://own:word@one.example/more")
    found = index_environment()
    assert found["PIP_INDEX_URL"] == "https://me:p%40ss@one.example/simple/"
    assert found["PIP_EXTRA_INDEX_URL"] == "https://own:word@one.example/more/"


def test_no_index_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "true")
    found = index_environment()
    assert (found["PIP_NO_INDEX"], found["UV_NO_INDEX"]) == ("1", "1")
    assert "PIP_INDEX_URL" not in found


def test_pips_proxy_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://general.example:1")
    monkeypatch.setenv("PIP_PROXY", "http://pips.example:1")
    assert index_environment()["HTTPS_PROXY"] == "http://pips.example:1"
