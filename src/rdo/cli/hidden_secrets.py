"""Passwords inside of addresses, which nobody is to see."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PASSWORD = re.compile(r"(://[^/@?#\s]*?):[^/?#\s]*@")
_QUERY = re.compile(r"([?&][^=&#\s]*(?:pass|secret|token|key)[^=&#\s]*=)[^&#\s]+", re.IGNORECASE)
_USER = re.compile(r"(https?://)[^/@:?#\s]+@")


def without_secrets(text: str) -> str:
    """Return an address with ``***`` for passwords, in queries too, and for names that may be tokens."""
    return _USER.sub(r"\1***@", _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text)))


def has_secret(texts: Iterable[str]) -> bool:
    """Return True if an address among texts has a password or a token."""
    return any(without_secrets(text) != text for text in texts)
