"""HTTP for package indexes and archives: certificates, proxies, credentials, retries, verified downloads.

The one door to requests (and to the urllib3 below it).
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from pytest_swegym._support.locks import key_lock
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.redact import bare_urls
from pytest_swegym.errors import SourceError
from pytest_swegym.sources.base import OFFLINE
from pytest_swegym.sources.pipconf import IndexSettings
from pytest_swegym.sources.plumbing import log


if TYPE_CHECKING:
    import requests

#: The largest download: far above any sdist, far below a disk.
MAX_DOWNLOAD = 1 * 2**30
_RETRIED = (429, 500, 502, 503, 504, 520, 524, 527)
_BLOCK = 2**16


def make_session(settings: IndexSettings, *logins: str) -> requests.Session:
    """A session that reaches what pip would reach.

    URLs are asked for without credentials: it adds those of the indexes and of ``logins`` (URLs too), by origin.
    """
    import requests  # deferred: slow to import
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import InsecureRequestWarning
    from urllib3.util.retry import Retry

    class Session(requests.Session):
        """pip's certificate and proxy win over the general variables, which requests would prefer."""

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            mine = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else proxies
            verify = self.verify if verify is None else verify
            merged = dict(super().merge_environment_settings(url, mine, stream, verify, cert))
            if _trusted(url, settings.trusted_hosts):
                merged["verify"] = False
            return merged

        def send(self, request: Any, **options: Any) -> requests.Response:
            with warnings.catch_warnings():
                if _trusted(request.url, settings.trusted_hosts):
                    warnings.simplefilter("ignore", InsecureRequestWarning)  # the user said so, in pip's settings
                return super().send(request, **options)

    session = Session()
    session.verify = settings.cert or True
    session.cert = settings.client_cert
    session.auth = _Credentials((*settings.indexes, *logins))
    again = Retry(
        total=settings.retries, backoff_factor=0.25, backoff_max=8, status_forcelist=_RETRIED,
        allowed_methods=None, raise_on_status=False, respect_retry_after_header=False,
    )  # fmt: skip
    session.mount("https://", HTTPAdapter(max_retries=again))
    session.mount("http://", HTTPAdapter(max_retries=again))
    return session


def bare(url: str) -> str:
    """``url`` without its credentials."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Credentials:
    """Basic authentication for the origins that the settings name, netrc for the others."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._known: dict[tuple[str, str | None, int | None], tuple[str, str]] = {}
        for url in urls:
            parts = urlsplit(url)
            if parts.username is not None:
                self._known[_origin(url)] = (unquote(parts.username), unquote(parts.password or ""))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        from requests.auth import HTTPBasicAuth

        url = request.url or ""
        found = self._known.get(_origin(url)) or netrc_login(url)
        return HTTPBasicAuth(*found)(request) if found else request


def netrc_login(url: str) -> tuple[str, str] | None:
    """The user and password that the netrc file (``$NETRC``, ``~/.netrc``) has for a URL's host."""
    from requests.utils import get_netrc_auth

    return get_netrc_auth(url)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _trusted(url: str, hosts: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    return parts.hostname in hosts or f"{parts.hostname}:{parts.port}" in hosts


def download(url: str, sha256: str, settings: IndexSettings, *, what: str, offline: bool = False) -> Path:
    """The file with this sha256, from the cache or else from ``url``. Raises :class:`SourceError`.

    What arrived of a cut download is kept and continued, also by a later run.
    """
    path = cache_dir("sdists") / sha256
    with key_lock(f"download-{sha256}"):
        if path.is_file() and sha256_of(path) == sha256:
            os.utime(path)  # the disk budget removes what was not used for longest
            return path
        if offline:
            raise SourceError(f"{what} is not in the cache, and {OFFLINE}")
        log.info("downloading %s", what)
        partial = path.with_name(sha256 + ".part")
        resumed = partial.exists()
        _transfer(url, partial, settings, what)
        found = sha256_of(partial)
        if found != sha256 and resumed:  # the beginning may have been another file's: once from the start
            partial.unlink()
            _transfer(url, partial, settings, what)
            found = sha256_of(partial)
        if found != sha256:
            partial.unlink()
            raise SourceError(f"{what}: {bare_urls(url)} has sha256 {found}, expected {sha256}; it was not kept")
        partial.replace(path)
    return path


def _transfer(url: str, partial: Path, settings: IndexSettings, what: str) -> None:
    """Read ``url`` to its end into ``partial``, going on from what is there after each cut."""
    import requests
    import urllib3

    with make_session(settings, url) as session:
        for number in range(settings.retries + 1):
            try:
                return _read(session, bare(url), partial, settings.timeout)
            except (urllib3.exceptions.HTTPError, requests.exceptions.ChunkedEncodingError) as error:
                cut = error
                log.info("downloading %s was cut, trying again: %s", what, bare_urls(error))
                time.sleep(min(8.0, 0.25 * 2**number))
            except (requests.RequestException, OSError) as error:
                raise SourceError(f"{what}: {bare_urls(url)}: {bare_urls(error)}") from None
    raise SourceError(f"{what}: {bare_urls(url)} was cut {settings.retries + 1} times: {bare_urls(cut)}")


def _read(session: requests.Session, url: str, partial: Path, timeout: float) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers: Mapping[str, str] = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with session.get(url, stream=True, timeout=timeout, headers=headers) as response:
        if response.status_code == 416:  # nothing left to send, or another file: the digest will tell
            return
        response.raise_for_status()
        whole = response.status_code != 206
        # Raw bytes: a server may label a .tar.gz as gzip-encoded, and requests would undo the compression.
        with partial.open("wb" if whole else "ab") as file:
            for block in response.raw.stream(_BLOCK, decode_content=False):
                file.write(block)
                if file.tell() > MAX_DOWNLOAD:
                    raise OSError(f"larger than {MAX_DOWNLOAD} bytes")


def sha256_of(path: Path) -> str:
    """The digest of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
