"""Which package index, certificates and proxies pip and uv are set to use on this machine.

pip's own files and variables are read here, not asked of ``pip config list``: a virtualenv made by uv has no pip.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from pytest_swegym._support.redact import bare_urls
from pytest_swegym.errors import ConfigError


PYPI = "https://pypi.org/simple/"
_TRUE = ("1", "yes", "y", "true", "on", "t")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """Everything needed to reach the package index. Fields without a repr may hold credentials: never print them."""

    indexes: tuple[str, ...] = field(default=(PYPI,), repr=False)
    skipped: tuple[str, ...] = field(default=(), repr=False)
    cert: str | None = None
    client_cert: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 15.0
    retries: int = 5

    @property
    def shown(self) -> str:
        """The indexes in words, without credentials."""
        return ", ".join(bare_urls(url) for url in self.indexes) or "no index (pip's no-index is set)"


def read_settings(environ: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings that ``pip install`` would use here; uv's variables fill in where pip has none.

    Raises :class:`ConfigError` for a configuration file or a value that cannot be read.
    """
    env = os.environ if environ is None else environ
    pip = _from_files(env)
    pip.update(_from_environment(env))
    urls = _indexes(pip, env)
    cert = pip.get("cert") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE") or env.get("SSL_CERT_FILE")
    return IndexSettings(
        indexes=tuple(url for url in urls if urlsplit(url).scheme in ("http", "https")),
        skipped=tuple(url for url in urls if urlsplit(url).scheme not in ("http", "https")),
        cert=cert or None,
        client_cert=pip.get("client-cert") or None,
        trusted_hosts=tuple(pip.get("trusted-host", "").split()),
        proxy=pip.get("proxy") or None,
        timeout=_number(pip, "timeout", 15.0),
        retries=int(_number(pip, "retries", 5)),
    )


def _indexes(pip: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
    if pip.get("no-index", "").lower() in _TRUE:
        return []
    first = pip.get("index-url") or env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or PYPI
    more = pip.get("extra-index-url") or env.get("UV_INDEX") or env.get("UV_EXTRA_INDEX_URL") or ""
    urls = [_unnamed(url).rstrip("/") + "/" for url in (*first.split(), *more.split())]
    return list(dict.fromkeys(urls))


def _unnamed(url: str) -> str:
    """uv lets an index have a name: ``name=https://...``."""
    name, equals, rest = url.partition("=")
    return rest if equals and "://" in rest and "/" not in name else url


def _number(pip: Mapping[str, str], name: str, default: float) -> float:
    text = pip.get(name) or pip.get(f"default-{name}") or ""
    try:
        return float(text) if text else default
    except ValueError:
        raise ConfigError(f"pip's setting {name!r} must be a number, not {text!r}") from None


def _from_environment(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name[len("PIP_") :].lower().replace("_", "-"): value
        for name, value in env.items()
        if name.startswith("PIP_") and value
    }


def _from_files(env: Mapping[str, str]) -> dict[str, str]:
    """[global] and [install] of pip's files; a later file wins, and [install] wins in any order."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _files(env):
        # RawConfigParser, as in pip: a % in a password is a %.
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(), source=str(path))
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise ConfigError(f"pip's configuration file {path} cannot be read: {bare_urls(error)}") from error
        for name, values in sections.items():
            if parser.has_section(name):
                values.update({key.replace("_", "-"): value for key, value in parser.items(name)})
    return {**sections["global"], **sections["install"]}


def _files(env: Mapping[str, str]) -> list[Path]:
    """pip's documented files that exist, the weakest first; ``PIP_CONFIG_FILE=/dev/null`` means none at all."""
    own = env.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = Path(env.get("HOME") or os.path.expanduser("~"))
    system = [
        Path(folder) / "pip" / "pip.conf" for folder in env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder
    ]
    if sys.platform == "darwin":
        system.insert(0, Path("/Library/Application Support/pip/pip.conf"))
    user = [home / ".pip" / "pip.conf", Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"]
    site = [Path(sys.prefix) / "pip.conf"]
    every = [*system, Path("/etc/pip.conf"), *user, *site, *([Path(own)] if own else [])]
    return [path for path in every if path.is_file()]
