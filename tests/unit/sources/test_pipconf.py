"""pip's settings, read as pip reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.sources.pipconf import PYPI
from pytest_swegym.sources.pipconf import read_settings


def home(tmp_path: Path, text: str, **env: str) -> dict[str, str]:
    file = tmp_path / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "none"), **env}


NOTHING = {"PIP_CONFIG_FILE": "/dev/null"}


def test_defaults_are_pips() -> None:
    settings = read_settings(NOTHING)
    assert settings.indexes == (PYPI,)
    assert (settings.timeout, settings.retries, settings.cert) == (15.0, 5, None)


def test_a_user_file_sets_index_certificate_and_proxy(tmp_path: Path) -> None:
    text = """
[global]
index-url = https://u:p%%x@one.example/simple
extra_index_url =
    https://two.example/simple
    file:///opt/wheels
cert = /etc/ca.pem
timeout = 60
proxy = http://proxy.example:3128
trusted-host = three.example
    four.example:8443
[install]
timeout = 90
"""
    settings = read_settings(home(tmp_path, text))
    assert settings.indexes == ("https://u:p%%x@one.example/simple/", "https://two.example/simple/")
    assert settings.skipped == ("file:///opt/wheels/",)
    assert settings.cert == "/etc/ca.pem"
    assert settings.timeout == 90
    assert settings.proxy == "http://proxy.example:3128"
    assert settings.trusted_hosts == ("three.example", "four.example:8443")
    assert "u:p" not in settings.shown + repr(settings)


def test_the_environment_wins_over_files_and_pip_over_uv(tmp_path: Path) -> None:
    env = home(tmp_path, "[global]\nindex-url = https://file.example/\ncert = /file.pem\n")
    settings = read_settings(
        {
            **env,
            "PIP_INDEX_URL": "https://env.example",
            "UV_DEFAULT_INDEX": "https://uv.example",
            "PIP_DEFAULT_TIMEOUT": "7",
        }
    )
    assert settings.indexes == ("https://env.example/",)
    assert settings.timeout == 7
    assert settings.cert == "/file.pem"


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_names_the_index_where_pip_does_not(name: str) -> None:
    settings = read_settings(
        {**NOTHING, name: "https://uv.example/simple", "UV_INDEX": "mine=https://more.example/simple"}
    )
    assert settings.indexes == ("https://uv.example/simple/", "https://more.example/simple/")


def test_no_index_means_none() -> None:
    assert read_settings({**NOTHING, "PIP_NO_INDEX": "1"}).indexes == ()


def test_pip_config_file_is_the_last_file(tmp_path: Path) -> None:
    last = tmp_path / "last.conf"
    last.write_text("[global]\nindex-url = https://last.example/\n")
    env = home(tmp_path, "[global]\nindex-url = https://user.example/\nretries = 9\n", PIP_CONFIG_FILE=str(last))
    assert read_settings(env).indexes == ("https://last.example/",)
    assert read_settings(env).retries == 9


def test_the_general_certificate_variables_count_where_pip_names_none() -> None:
    assert read_settings({**NOTHING, "SSL_CERT_FILE": "/a.pem"}).cert == "/a.pem"
    assert read_settings({**NOTHING, "SSL_CERT_FILE": "/a.pem", "PIP_CERT": "/b.pem"}).cert == "/b.pem"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pip\.conf cannot be read"):
        read_settings(home(tmp_path, "index-url = https://no.section/\n"))


def test_a_bad_number_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'timeout' must be a number, not 'soon'"):
        read_settings({**NOTHING, "PIP_TIMEOUT": "soon"})
