"""The key that signed a repository elsewhere: taken from it once, or given, and kept with the cloud."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from rdo.cloud.topology import Cloud
from rdo.common.download import download
from rdo.common.errors import InputError, RdoError
from rdo.common.files import make_folder, write_atomically
from rdo.common.paths import Paths
from rdo.repository import keys

if TYPE_CHECKING:
    import httpx

_LIMIT = 60.0
_LONGEST = 1 << 20


def kept(paths: Paths, cloud: Cloud) -> Path:
    """Return where a cloud's key is kept."""
    return paths.clouds / cloud.name / "repository.key"


def ensure(paths: Paths, cloud: Cloud, platform: str, series: str) -> str | None:
    """See that there is a key for a cloud whose repository is elsewhere.

    What is kept stays: packages that another key has signed are refused by hosts. Where nothing is kept, the
    file that the cloud's ``repository_key`` names is taken, or the key that lies beside the packages.

    :returns: what the operator is to be told of a key that was taken just now
    :raises InputError: the key is not the one that the operator has said, or there is none to be had
    """
    if cloud.repository is None:
        return None
    place, wanted = kept(paths, cloud), cloud.repository_key
    file = Path(wanted) if wanted is not None and not is_fingerprint(wanted) else None
    if file is not None:
        try:
            text = file.read_text()
        except OSError as error:
            raise InputError(f"repository_key: {file} can't be read: {error.strerror}.") from error
        return _replace(place, text, _check(text, str(file)), file)
    if place.exists():
        _compare(_check(place.read_text(), str(place)), wanted, str(place))
        return None
    # these take a while to load, and are seldom needed
    import httpx

    from rdo.repository.snapshot_writer import KEY_FILE

    url = f"{cloud.repository}/{platform}-{series}/current/{KEY_FILE}"
    try:
        content = bytearray()
        download(url, content.extend, limit=_LIMIT, longest=_LONGEST)
    except httpx.HTTPError as error:
        return _own(paths, place, wanted, url, error)
    text = content.decode(errors="replace")
    fingerprint = _check(text, url)
    _compare(fingerprint, wanted, url)
    _keep(place, text)
    return f"The key of {cloud.repository} is taken for true from now on: {fingerprint}"


def _own(paths: Paths, place: Path, wanted: str | None, url: str, error: httpx.HTTPError) -> str:
    """Take this machine's own key: hosts may know its repositories by an address that only they reach.

    Who does answer, without the key or with a certificate that is not accepted, has none of ours.
    """
    import httpx

    away = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not _is_tls(error)
    try:
        public = keys.load(paths).public if away else None
    except RdoError:
        public = None
    if public is None:
        raise InputError(
            f"{url} can't be had: {error}", hint="repository_key: FILE in the cloud's file says the key."
        ) from error
    fingerprint = keys.fingerprint(public)
    _compare(fingerprint, wanted, "this machine's own key")
    _keep(place, public)
    return f"{url} can't be reached from here ({error}). This machine's own key is taken: {fingerprint}"


def _is_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _check(text: str, where: str) -> str:
    if "PRIVATE KEY" in text:
        raise InputError(f"{where} is a private key, which no host may have.", hint="rdo key export")
    try:
        return keys.fingerprint(text)
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{where} is no OpenPGP key: {reason}") from error


def _compare(fingerprint: str, wanted: str | None, where: str) -> None:
    if wanted is not None and _plain(wanted) != _plain(fingerprint):
        raise InputError(
            f"The key of the repository ({where}) is {fingerprint}, and repository_key says {wanted}.",
            hint="If the repository has a new key, say that one.",
        )


def is_fingerprint(text: str) -> bool:
    """Tell whether a cloud's ``repository_key`` is a fingerprint, and no file."""
    return len(_plain(text)) in (40, 64) and all(c in "0123456789abcdef" for c in _plain(text))


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(" ", "").lower()


def _keep(place: Path, key: str) -> None:
    make_folder(place.parent, private=True)
    write_atomically(place, key)


def _replace(place: Path, text: str, fingerprint: str, file: Path) -> str | None:
    """Keep the key of the operator's file; return what is to be said where another one was kept."""
    before = place.read_text() if place.exists() else None
    if before == text:
        return None
    _keep(place, text)
    if before is None or keys.fingerprint(before) == fingerprint:
        return None
    return f"The key {fingerprint} of {file} takes the place of {keys.fingerprint(before)}."
