"""What operators call things: the forms that a name may have.

They reach scripts of root's, files and addresses on hosts. There they are quoted as well
(:mod:`rdo.cloud.shell`); a name that no kernel, database or program would take is refused here, where the
operator wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _matching(pattern: str, what: str) -> AfterValidator:
    form = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


def _checked(wrong: Callable[[Any], str | None]) -> AfterValidator:
    def check(value: object) -> object:
        if (message := wrong(value)) is not None:
            raise ValueError(message)
        return value

    return AfterValidator(check)


_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


def is_address(value: str) -> bool:
    """Return True for an IP address, in brackets or not, and without a zone, which may be any text."""
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        ip_address(inside)
    except ValueError:
        return False
    return "%" not in value


def _login(value: str) -> str | None:
    user, at, host = value.rpartition("@")
    if at and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", user):
        return f"{user!r} is not a user's name"
    if not (is_address(host) or re.fullmatch(_HOST, host, re.ASCII)):
        return f"{value!r} is not [user@]address"
    return None


def _address(value: str) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9\[\]:/._~%+-]+", value, re.ASCII):
        # whoever writes a password into it does not want to see it
        return "it has characters that the address of a repository can't have, or a user's name"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        return f"it isn't an address: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{value!r} is not http://HOST… or https://HOST…"
    return None


def _share(value: str) -> str | None:
    host, colon, path = value.partition(":/") if not value.startswith("[") else value.partition("]:/")
    host = f"{host}]" if value.startswith("[") else host
    if not colon or not (is_address(host) or re.fullmatch(_HOST, host, re.ASCII)):
        return f"{value!r} is not SERVER:/PATH"
    # it is a line of a file, with options behind a blank
    if not re.fullmatch(r"[A-Za-z0-9/._+=@,-]*", path, re.ASCII):
        return f"{value!r} has characters in its path that the list of shares can't have"
    return None


#: Of hosts and clouds.
HostName = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{0,62}", "a name of small letters, digits and -, beginning with a letter")
]
#: Of the kernel: 15 characters at most (if.h, IFNAMSIZ), without what Open vSwitch and `ip` split at.
Interface = Annotated[
    str, _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", "the name of an interface, such as eth1 or bond0.5")
]
Database = Annotated[
    str, _matching(r"[a-z][a-z0-9_]{0,63}", "a database's name of small letters, digits and _")
]
Region = Annotated[
    str, _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", "a region's name of letters, digits, dots, - and _")
]
Pool = Annotated[
    str, _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "a pool's name of letters, digits, dots, - and _")
]
#: As lvm(8) has it.
VolumeGroup = Annotated[
    str, _matching(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}", "a volume group's name of letters, digits, +_.-")
]
Login = Annotated[str, _checked(_login)]
#: Of a repository; a password in it would be readable by all on hosts.
Address = Annotated[str, _checked(_address)]
#: Of NFS.
Share = Annotated[str, _checked(_share)]
#: Of a host.
IpAddress = Annotated[
    IPv4Address | IPv6Address, _checked(lambda value: "it has a zone" if "%" in str(value) else None)
]
_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"
#: Any text of one line.
Line = Annotated[str, _matching(_LINE, "one line of text")]
#: Of an option.
Value = Annotated[
    str | int | float | bool,
    _checked(lambda value: None if re.fullmatch(_LINE, str(value)) else "it is not one line of text"),
]
Section = Annotated[str, _matching(r"[^\[\]\x00-\x1f\x7f-\x9f\u2028\u2029]+", "the name of a section")]
#: "set log_name" is one of Swift's.
Option = Annotated[str, _matching(r"[A-Za-z0-9_.@-]+(?: [A-Za-z0-9_.@-]+)?", "the name of an option")]
