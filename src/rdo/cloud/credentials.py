"""Passwords of a cloud: made once, kept in one 0600 file, never shown."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from rdo.common.errors import InputError
from rdo.common.files import locked, make_folder, write_atomically


class Credentials:
    """The passwords of one cloud, by name.

    A name that is asked for the first time gets 32 hexadecimal digits from the system's random source.

    Nothing is written before :meth:`keep` is called, which has to be before any host hears of it: who only
    looks at a cloud, or is refused, leaves no passwords behind that are nowhere in force.

    :param given: what an operator says instead of what is kept
    """

    def __init__(self, path: Path, given: Mapping[str, SecretStr] | None = None) -> None:
        self.path = path
        self._given = {name: value.get_secret_value() for name, value in (given or {}).items()}
        self._made: dict[str, str] = {}
        self.unused = set(self._given)
        """Names of what was given and not asked for yet."""

    def __getitem__(self, name: str) -> SecretStr:
        if name in self._given:
            self.unused.discard(name)
            return SecretStr(self._given[name])
        known = self._read()
        if name in known:
            return SecretStr(known[name])
        return SecretStr(self._made.setdefault(name, secrets.token_hex(16)))

    def __contains__(self, name: str) -> bool:
        return name in self._given or name in self._read()

    @property
    def fresh(self) -> set[str]:
        """Names of what was made anew, and is not kept yet."""
        return self._made.keys() - self._read().keys()

    def keep(self) -> None:
        """Keep what was given and made; the next ``up`` puts it in force."""
        with locked(self.path.with_suffix(".lock")):
            known = self._read()
            new = {**self._made, **known, **self._given}
            if new != known:
                self._write(new)

    def renew(self) -> list[str]:
        """Make all passwords anew, and return their names; the next ``up`` puts them in force.

        What Ceph's clients have stays: machines that run use it, and its cluster is known by it. So do keys
        of what is in databases.
        """
        with locked(self.path.with_suffix(".lock")):
            known, names = self._read(), self.names()
            known |= {name: secrets.token_hex(16) for name in names}
            self._write(known)
        return names

    def known(self) -> dict[str, str]:
        """Return what is kept: name -> password.

        :raises InputError: the file can't be read
        """
        return self._read()

    def adopt(self, found: Mapping[str, SecretStr]) -> None:
        """Keep secrets that hosts have, in the place of what is kept under their names."""
        with locked(self.path.with_suffix(".lock")):
            self._write(self._read() | {name: value.get_secret_value() for name, value in found.items()})

    def names(self) -> list[str]:
        """Return the names of what :meth:`renew` makes anew."""
        return sorted(name for name in self._read() if not name.startswith("ceph_key_") and not _stays(name))

    def replacing(self) -> list[str]:
        """Return the names of what is given, differs from what is kept, and can't take its place."""
        known = self._read()
        return sorted(n for n, value in self._given.items() if _stays(n) and known.get(n, value) != value)

    def values(self) -> list[str]:
        """Return all passwords that there are by now."""
        return sorted({*self._read().values(), *self._given.values(), *self._made.values()})

    def _write(self, known: Mapping[str, str]) -> None:
        make_folder(self.path.parent, private=True)
        write_atomically(self.path, json.dumps(known, indent=1, sort_keys=True) + "\n", mode=0o600)

    def _read(self) -> dict[str, str]:
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return {}
        try:
            known = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{self.path}:{error.lineno}: {error.msg}; it should be JSON.") from error
        if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
            raise InputError(f"{self.path}: it should be one JSON object of texts.")
        return known


def _stays(name: str) -> bool:
    """Tell whether something that is there can't be read any more with another secret of this name."""
    return name.endswith("_encryption") or (name.startswith("ceph_") and not name.startswith("ceph_key_"))
