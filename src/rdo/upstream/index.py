"""The Python package index, by the Simple API (JSON or HTML, so that plain mirrors do as well)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.upstream.index_settings import IndexSettings
from rdo.upstream.models import IndexFile

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage, PyPISimple

_ATTEMPTS = 4
_FIRST_PAUSE = 0.5  # seconds; doubles with each attempt
_TIMEOUT = (15.0, 60.0)  # seconds to connect, seconds without a byte
_CHUNK = 1 << 18
_TRANSFER, _SIZE = 1800.0, 4 << 30  # seconds and bytes that one file may take
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}

T = TypeVar("T")


class PackageIndexError(RdoError):
    """The index can't be reached, or has no such thing."""


class Index:
    """One package index. Safe to use from several threads.

    :param settings: where it is
    """

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._client: PyPISimple | None = None

    @classmethod
    def open(cls, installation: Installation) -> Index:
        """Return the index of an installation's settings.

        :raises InputError: they can't be used
        """
        return cls(IndexSettings.of(installation.settings))

    @property
    def address(self) -> str:
        """The index's address, without credentials."""
        return _without_credentials(self._connected().endpoint)

    def versions(self, dist: str) -> list[IndexFile]:
        """Return every file the index offers for a name, in the index's order.

        :raises PackageIndexError: there is no such name, or the index can't be reached
        """
        from pypi_simple import NoSuchProjectError

        client = self._connected()
        try:
            page = self._persist(lambda: client.get_project_page(dist, timeout=_TIMEOUT), f"list {dist}")
        except NoSuchProjectError as error:
            raise PackageIndexError(f"The index {self.address} has no project {dist!r}.") from error
        return [_index_file(canonicalize_name(dist), package) for package in page.packages]

    def sdist(self, dist: str, version: str) -> IndexFile:
        """Return the sdist of one version: a .tar.gz where there are several.

        :raises PackageIndexError: there is none
        """
        found = [f for f in self.versions(dist) if f.kind == "sdist" and _same(f.version, version)]
        if not found:
            raise PackageIndexError(f"The index {self.address} has no sdist of {dist} {version}.")
        return min(found, key=lambda f: (not f.filename.endswith(".tar.gz"), f.filename))

    def file(self, dist: str, filename: str) -> IndexFile:
        """Return one file by its name.

        :raises PackageIndexError: it is not there
        """
        for found in self.versions(dist):
            if found.filename == filename:
                return found
        raise PackageIndexError(f"The index {self.address} no longer offers {filename} of {dist}.")

    def download(self, url: str, target: IO[bytes]) -> None:
        """Stream a file's bytes into an open, seekable file; starts over after a broken transfer.

        :raises PackageIndexError: not to be had, after several attempts; or it is too large or too slow
        """
        place, ends = _without_credentials(url), time.monotonic() + _TRANSFER

        def transfer() -> None:
            target.seek(0)
            target.truncate()
            with self._connected().s.get(url, stream=True, timeout=_TIMEOUT) as response:
                response.raise_for_status()
                size = 0
                for chunk in response.iter_content(_CHUNK):
                    target.write(chunk)
                    size += len(chunk)
                    if size > _SIZE:
                        raise PackageIndexError(f"Can't download {place}: more than {_SIZE >> 30} GiB.")
                    if time.monotonic() > ends:
                        raise PackageIndexError(f"Can't download {place}: no end after {_TRANSFER:g} s.")

        self._persist(transfer, f"download {place}")

    def _connected(self) -> PyPISimple:
        if self._client is None:
            from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple

            endpoint = self._settings.url or PYPI_SIMPLE_ENDPOINT
            self._client = PyPISimple(endpoint, session=_session(self._settings))
        return self._client

    def _persist(self, action: Callable[[], T], purpose: str) -> T:
        """Do it, again after transient failures."""
        import requests

        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return action()
            except requests.RequestException as error:
                if attempt == _ATTEMPTS or not _is_transient(error):
                    raise PackageIndexError(
                        f"Can't {purpose}: {_short(error)}",
                        hint=f"Tried {attempt} time{'s' if attempt > 1 else ''}. Is the index in pip's "
                        "configuration (PIP_INDEX_URL, pip.conf) reachable from here?",
                    ) from error
                time.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable")


def _session(settings: IndexSettings) -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=16)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if settings.authorities is not None:
        session.verify = str(settings.authorities)
    return session


def _is_transient(error: requests.RequestException) -> bool:
    if error.response is not None:
        return error.response.status_code in _TRANSIENT
    import requests

    return isinstance(
        error,
        requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError,
    ) and not isinstance(error, requests.exceptions.SSLError)


def _short(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _same(left: str | None, right: str) -> bool:
    if left is None:
        return False
    try:
        return Version(left) == Version(right)
    except InvalidVersion:
        return left == right


def _index_file(dist: str, package: DistributionPackage) -> IndexFile:
    kinds: dict[str | None, str] = {"sdist": "sdist", "wheel": "wheel"}
    sha256 = package.digests.get("sha256")
    return IndexFile.model_validate(
        {
            "dist": dist,
            "version": package.version,
            "filename": package.filename,
            "kind": kinds.get(package.package_type, "other"),
            "url": package.url,
            "sha256": sha256,
            "size": package.size,
            "uploaded": None if package.upload_time is None else _utc(package.upload_time),
            "yanked": bool(package.is_yanked),
            "requires_python": package.requires_python,
        }
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
