"""What can be in a cloud's passwords: all that their readers read back exactly, and nothing else.

Configuration is written so that each reader gets the very characters: :func:`rdo.cloud.roles.node.oslo_text`,
:func:`rdo.cloud.roles.swift.swift_text`, :func:`rdo.cloud.shell.sh`. What no way of writing brings through is
refused before anything changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_URL = re.compile(r"[A-Za-z0-9._~-]*")
_HEX = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[A-Za-z0-9+/]+=*")
_ASCII = "one of ASCII's printable ones"
#: Those that are in no file whose encoding is as a service's locale says.
_WIDE = ("admin", "horizon", "barbican_encryption")


def fault(name: str, value: str) -> str | None:
    """Say why a password can't be used, without showing it; None if it can.

    :param name: as in ``passwords.json``
    """
    if not value:
        return "it is empty"
    wide = name in _WIDE
    place = _first(value, lambda one: not (" " <= one <= "~" or (wide and _is_letter(one))))
    if place is not None:
        return f"character {place} is not {'printable' if wide else _ASCII}"
    for matches, rule in _RULES.items():
        if re.fullmatch(matches, name) and (message := rule(value)) is not None:
            return message
    return None


def _first(value: str, wrong: Callable[[str], bool]) -> int | None:
    """Return which character is the first wrong one, counted from 1."""
    return next((number for number, one in enumerate(value, 1) if wrong(one)), None)


def _is_letter(one: str) -> bool:
    # what is beyond the basic plane are two characters in JSON, which are none in YAML
    return one.isprintable() and ord(one) < 0x10000


def _in_url(value: str) -> str | None:
    # Keystone hands a database's URL to a ConfigParser, which takes each "%" for a reference
    # (keystone/common/sql/upgrades.py), and oslo.messaging makes another URL of a broker's, in which "/" is
    # not escaped (impl_rabbit.py, _transform_transport_url): what has to be escaped does not come through.
    place = _first(value, lambda one: not _URL.fullmatch(one))
    if place is None:
        return None
    return f"character {place} can't be in a URL; letters, digits and -_.~ can"


def _in_oslo(value: str) -> str | None:
    # oslo.config takes "\$" for "$" (cfg.py, _substitute), and nothing for both characters
    place = value.find("\\$")
    return None if place < 0 else f"character {place + 1} is a backslash before a dollar sign, which is lost"


def _in_swift(value: str) -> str | None:
    return "Swift does not read the blank at its beginning or end" if value != value.strip() else None


def _heat_key(value: str) -> str | None:
    if len(value) in (16, 24, 32):
        return None
    return f"it has {len(value)} characters; Heat takes 16, 24 or 32 (heat/common/config.py)"


def _digits(value: str) -> str | None:
    return None if _HEX.fullmatch(value) else "it is the base of a key, 32 hexadecimal digits"


def _ceph_key(value: str) -> str | None:
    return None if _KEY.fullmatch(value) else "it isn't a key of Ceph's"


#: names -> what is asked of their values besides
_RULES: Mapping[str, Callable[[str], str | None]] = {
    ".*_(database|messaging)|swift_hash_encryption": _in_url,
    ".*_service|metadata_proxy|heat_domain|heat_encryption": _in_oslo,
    "swift_service": _in_swift,
    "heat_encryption": _heat_key,
    "ceph_key_.*": _ceph_key,
    "ceph_(?!key_).*": _digits,
}
