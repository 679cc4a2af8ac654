"""Secrets that an operator brings along: passwords, and the keys of a Ceph that is there already."""

from __future__ import annotations

import base64
import binascii
import configparser
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from rdo.cloud.credentials import Credentials
from rdo.cloud.passwordrules import fault
from rdo.cloud.roles.ceph import given_key
from rdo.cloud.topology import Cloud
from rdo.common.errors import DataError, InputError, Problem
from rdo.distribution.yamlfile import parse_yaml, read_yaml

#: What a variable of the environment with a password is called, before the password's name in capitals.
VARIABLE = "RDO_PASSWORD_"
_HEAD = struct.Struct("<HIIH")


@dataclass(frozen=True)
class Given:
    """One secret, and where it was found: in a line of a file, or in a variable of the environment.

    ``line`` counts from 1; 0 is the file as a whole, and a variable.
    """

    value: SecretStr
    file: Path
    line: int = 0

    def problem(self, message: str) -> Problem:
        """Make a problem of the place."""
        return Problem(self.file, self.line, message)


def passwords(file: Path | None, environment: Mapping[str, str]) -> dict[str, Given]:
    """Read passwords from a file (``name: password``, YAML or JSON) and from ``RDO_PASSWORD_<NAME>``.

    Names are those of the cloud's ``passwords.json``. What is in the file wins.

    :raises InputError: others can read the file too
    :raises DataError: what is wrong in the file, all of it; values are never shown
    """
    found = {
        name.removeprefix(VARIABLE).lower(): Given(SecretStr(value), Path(name))
        for name, value in environment.items()
        if name.startswith(VARIABLE) and value
    }
    if file is None:
        return found
    source = read_yaml(file, as_text=True)
    mode = file.stat().st_mode
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{file} holds passwords, and others can read it.", hint=f"chmod 600 {file}")
    problems = list(source.problems)
    if not problems and not isinstance(source.value, dict):
        problems.append(Problem(file, 0, "it should be lines of NAME: PASSWORD"))
    rows = source.value if isinstance(source.value, dict) and not problems else {}
    for name, value in rows.items():
        if isinstance(value, str) and value:
            found[name] = Given(SecretStr(value), file, source.line((name,)))
        else:
            problems.append(source.problem((name,), f"{name} should be a text that is not empty"))
    if problems:
        raise DataError(problems)
    return found


def not_kept(kept: Credentials, given: Mapping[str, Given]) -> tuple[dict[str, Given], list[str]]:
    """Return what is given of which nothing is kept yet, and the names of what is kept and differs."""
    known = kept.known()
    new = {name: one for name, one in given.items() if name not in known}
    differ = [
        n
        for n, one in given.items()
        if known.get(n, one.value.get_secret_value()) != one.value.get_secret_value()
    ]
    return new, sorted(differ)


def kept_faults(kept: Credentials, given: Mapping[str, Given]) -> list[Problem]:
    """Return what is wrong with kept passwords whose place nothing given takes."""
    text = kept.path.read_text() if kept.path.exists() else "{}"
    found = parse_yaml(text, kept.path)
    return [
        found.problem((name,), f"{name}: {message}; without its line, one is made")
        for name, value in sorted(kept.known().items())
        if name not in given and (message := fault(name, value)) is not None
    ]


def ceph_keys(cloud: Cloud, kept: Credentials) -> dict[str, Given]:
    """Read the keys that an existing Ceph has given to the cloud's services; empty where it makes its own.

    A keyring that is gone does no harm once its key is kept with the cloud.

    :raises DataError: what is wrong with keyrings, all of it
    """
    cluster = cloud.storage.cluster
    if cluster is None:
        return {}
    found, problems = {}, []
    for client in cloud.ceph_users:
        name = given_key(client)
        file = cluster.keyrings / f"ceph.client.{client}.keyring"
        if not file.exists() and name in kept:
            continue
        try:
            found[name] = Given(SecretStr(_key_in(file, client)), file)
        except OSError as error:
            problems.append(Problem(file, 0, f"can't be read: {error.strerror}"))
        except ValueError as error:
            problems.append(Problem(file, 0, str(error)))
    if problems:
        raise DataError(problems)
    return found


def _key_in(file: Path, client: str) -> str:
    """Return a client's key out of a keyring.

    :raises ValueError: there is none
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    section = f"client.{client}"
    try:
        # what a parser says of a line would show the line
        parser.read_string(file.read_text())
    except (configparser.Error, UnicodeDecodeError):
        raise ValueError(f"no keyring; `ceph auth get {section}` writes one") from None
    key = parser.get(section, "key", fallback=None)
    if key is None:
        raise ValueError(f"it has no key of {section}")
    try:
        raw = base64.b64decode(key, validate=True)
        # type, time of its making in seconds and nanoseconds, length (Ceph's sources, CryptoKey::encode)
        (_, _, _, length) = _HEAD.unpack_from(raw)
    except (binascii.Error, struct.error):
        raw, length = b"", 0
    if not length or len(raw) != _HEAD.size + length:
        raise ValueError(f"the key of {section} is none of Ceph's")
    return key
