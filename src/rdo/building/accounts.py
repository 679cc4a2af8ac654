"""The accounts that an RPM makes on a host. rpm makes them of ``Provides``, which a build could write itself.

Since rpm 4.19 a package that provides ``user(x) = BASE64`` gets the line of sysusers.d that this is, carried
out by root before its files are laid.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterable

_KINDS = {"u": "user", "u!": "user", "g": "group", "m": "groupmember"}


def account(line: str) -> tuple[str, ...]:
    """Return the words of a line of sysusers.d, without what stands for nothing at its end.

    None where its quotes don't end.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        return ()
    while words and words[-1] == "-":
        words.pop()
    return tuple(words)


def may_make(kind: str, name: str, encoded: str | None, accounts: Iterable[tuple[str, ...]]) -> bool:
    """Return whether one of our own lines of sysusers.d makes an account.

    rpm makes accounts of these Provides, which have the line in base64. A group that a user brings is there
    plainly.
    """
    if encoded is None:
        letters = {"user": ("u", "u!"), "group": ("g", "u", "u!")}.get(kind, ())
        return any(words[0] in letters and words[1:2] == (name,) for words in accounts)
    try:
        line = base64.b64decode(encoded, validate=True).rstrip(b"\0").decode()
        words = account(line)
    except (binascii.Error, ValueError):
        return False
    named = _KINDS.get(words[0] if words else "")
    subject = "/".join(words[1:3] if named == "groupmember" else words[1:2])
    return words in accounts and (kind, name) == (named, subject)
