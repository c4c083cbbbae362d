"""Content keys: the same content has the same name, everywhere and for ever."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_key(*parts: Any) -> str:
    """24 hexadecimal digits that name ``parts`` (JSON-ready values; mappings in any order)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
