"""Credentials out of texts: what an index or git says may hold the URL it was asked for."""

from __future__ import annotations

import re


#: The user part of a URL, as far as the last ``@`` before the path; quotes and blanks end a URL in running text.
_USER = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#'\"<>]*@")
_QUERY = re.compile(
    r"(?P<name>[?&][^=&\s]*(?:token|secret|password|key|signature)[^=&\s]*=)[^&\s'\"<>#]+", re.IGNORECASE
)


def redact(text: object) -> str:
    """``text`` with the credentials of every URL in it left out."""
    return _QUERY.sub(r"\g<name>***", _USER.sub(r"\g<scheme>", str(text)))
