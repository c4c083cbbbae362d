"""How an install command inside a sandbox reaches the index that this machine is set to use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from pytest_swegym.errors import SourceError
from pytest_swegym.sources.pipconf import IndexSettings
from pytest_swegym.sources.pipconf import read_settings
from pytest_swegym.sources.transport import netrc_login


_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def ca_bundle() -> Path | None:
    """The certificate file that pip, or else this machine's environment, is set to trust; ``None`` for the default."""
    cert = read_settings().cert
    if cert is None:
        return None
    if not os.path.isfile(cert):
        raise SourceError(f"the certificate file {cert} does not exist (pip's cert, REQUESTS_CA_BUNDLE, SSL_CERT_FILE)")
    return Path(cert)


def index_environment(ca: str | None = None) -> dict[str, str]:
    """The variables with which pip and uv inside a sandbox use the same index, certificates and proxies as here.

    ``ca`` is where :func:`ca_bundle` was copied to inside the sandbox (default: its path here). The values may hold
    credentials: for install stages only, never for a record or a solver.
    """
    settings = read_settings()
    found = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_DEFAULT_TIMEOUT": f"{settings.timeout:g}",
        "PIP_RETRIES": str(settings.retries),
        "UV_HTTP_TIMEOUT": f"{max(settings.timeout, 30):.0f}",
        "UV_NO_CONFIG": "1",
        **_index_variables(settings),
        **_proxy_variables(settings, os.environ),
    }
    if settings.trusted_hosts:
        found["PIP_TRUSTED_HOST"] = found["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    bundle = ca or ca_bundle()
    if bundle and settings.cert:
        names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
        found.update(dict.fromkeys(names, str(bundle)))
    return found


def _index_variables(settings: IndexSettings) -> dict[str, str]:
    if not settings.indexes:
        return {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1"}
    first, *more = [_with_login(url) for url in settings.indexes]
    found = {"PIP_INDEX_URL": first, "UV_DEFAULT_INDEX": first}
    if more:
        # uv takes the first index that knows a package; pip compares all: the same answer needs pip's way.
        found |= {
            "PIP_EXTRA_INDEX_URL": " ".join(more),
            "UV_INDEX": " ".join(more),
            "UV_INDEX_STRATEGY": "unsafe-best-match",
        }
    return found


def _with_login(url: str) -> str:
    """``url`` with the login that netrc has for it: the file itself stays outside the sandbox."""
    login = None if urlsplit(url).username is not None else netrc_login(url)
    if login is None:
        return url
    user = ":".join(quote(part, safe="") for part in login)
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


def _proxy_variables(settings: IndexSettings, env: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in _PROXIES:
        value = env.get(name) or env.get(name.upper())
        if settings.proxy and name in ("http_proxy", "https_proxy"):
            value = settings.proxy
        if value:
            found[name] = found[name.upper()] = value
    return found
