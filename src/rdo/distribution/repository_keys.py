"""The keys that sign RPM repositories: fetched, compared with the fingerprints that the data states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rdo.common.errors import InputError, RdoError
from rdo.common.openpgp import KeyDataError, fingerprints, plain_fingerprint
from rdo.distribution.models import RpmRepository

_LIMIT = 120.0  # seconds
_LONGEST = 1 << 20


def key_of(repository: RpmRepository) -> bytes | None:
    """Return the public keys that a repository is signed by; None where the data says that it is unsigned.

    :param repository: one whose addresses have no variables
    :raises InputError: the file can't be read, has no key, or has another key than the data states
    :raises RdoError: the address can't be read
    """
    if repository.gpgkey is None:
        return None
    where = repository.gpgkey
    content = _fetched(where) if where.startswith(("http://", "https://")) else _read(where)
    try:
        found = fingerprints(content)
    except KeyDataError as error:
        raise InputError(f"The key of repository {repository.id}, {where}: {error.what}") from error
    _compare(repository, found)
    return content


def _compare(repository: RpmRepository, found: Sequence[str]) -> None:
    wanted = {plain_fingerprint(one) for one in repository.fingerprints}
    if wanted and (others := [one for one in found if one not in wanted]):
        raise InputError(
            f"The key of repository {repository.id}, {repository.gpgkey}, is {', '.join(others)}, and the"
            f" platform's data says {', '.join(sorted(wanted))}.",
            hint="Nothing of the repository is used. If its owner has a new key, compare its fingerprint with"
            " what the owner says elsewhere, and write it into the platform's file.",
        )


def _read(place: str) -> bytes:
    path = Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The repository's key {path} can't be read: {error.strerror}.",
            hint="RDO_EL_KEY names the file or the address of the key.",
        ) from error


def _fetched(url: str) -> bytes:
    import httpx

    from rdo.common.download import download

    content = bytearray()
    try:
        download(url, content.extend, limit=_LIMIT, longest=_LONGEST)
    except httpx.HTTPError as error:
        raise RdoError(
            f"The repository's key {url} can't be fetched: {error}",
            hint="Fetch it by another way, compare its fingerprint, and set RDO_EL_KEY to the file.",
        ) from error
    return bytes(content)
