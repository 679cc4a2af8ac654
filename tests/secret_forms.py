"""What becomes of passwords in files, scripts and databases: none of it may be shown."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import yaml

from rdo.cloud.roles.rabbitmq import password_hash

#: What a password may become before it stands somewhere.
FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "the shell's": lambda value: shlex.quote(value)[1:-1] if value != shlex.quote(value) else value,
    "Python's": lambda value: repr(value)[1:-1],
    "YAML's": lambda value: yaml.safe_dump(value, width=10**6).splitlines()[0][1:-1],
    "a URL's": lambda value: quote(value, safe=""),
    "oslo.config's": lambda value: value.replace("$", "$$"),
    "an INI file's": lambda value: value.replace("%", "%%"),
    "SQL's": lambda value: value.replace("\\", "\\\\").replace("'", "''"),
    "the first half": lambda value: value[:16],
    "the second half": lambda value: value[16:],
    "without blanks": str.strip,
    "base64": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 of the hash": lambda value: base64.b64encode(hashlib.sha256(value.encode()).digest()).decode(),
    "MD5": lambda value: hashlib.md5(value.encode()).hexdigest(),
    "SHA-1": lambda value: hashlib.sha1(value.encode()).hexdigest(),
    "SHA-256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "SHA-512": lambda value: hashlib.sha512(value.encode()).hexdigest(),
}


def forms(name: str, value: str) -> Iterator[tuple[str, str]]:
    for form, function in FORMS.items():
        yield f"{name}, {form}", function(value)
    service = name.removesuffix("_messaging")
    if service != name:
        salt = hashlib.sha256(f"{service} {value}".encode()).digest()[:4]
        yield f"{name}, RabbitMQ's", password_hash(value, salt)
    if re.fullmatch("ceph_[a-z]+", name):
        yield f"{name}, Ceph's", base64.b64encode(bytes.fromhex(value)).decode()[6:20]


def shown_in(passwords: Mapping[str, str], text: str) -> list[str]:
    """Return which passwords are in a text, and in what form."""
    # what is of stars alone looks like what hides it
    return [
        where
        for name, value in passwords.items()
        for where, form in forms(name, value)
        if form.strip("* ") and form in text
    ]
