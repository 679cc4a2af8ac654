"""Reads from RPM repositories which Python distributions their packages offer, and which files they have.

EL's packages provide ``python3dist(x) = v`` and ``python3.12dist(x) = v``, made by its dependency generator;
names there are canonical.

Where a repository's key is known, its ``repomd.xml`` is read only if that key has signed it; everything else
must have the hash that it states.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rdo.common.errors import InputError, RdoError
from rdo.common.openpgp import fingerprints, require_signature
from rdo.common.rpmlibrary import createrepo
from rdo.distribution.models import DnfRoot, Platform, Provided, RpmRepository
from rdo.distribution.repository_keys import key_of

_DIST = re.compile(r"python(?P<python>3(?:\.\d+)?)dist\((?P<name>[^)\[]+)\)\Z")
_LIMIT = 3600.0  # seconds for one file of metadata, or one package
_LONGEST = 4 << 30


class UnreachableError(RdoError):
    """Where a repository is, nobody answers."""


class AbsentError(RdoError):
    """A server says that it has no such file."""


def import_provides(
    platform: Platform, repositories: Sequence[str], mirror: str | None = None, key: str | None = None
) -> tuple[dict[str, Provided], list[str]]:
    """Find out what the packages of a platform's repositories offer to its Python.

    :param repositories: folders or addresses; the platform's own where none is given
    :param mirror: folder or address of EL's mirror, which the platform's own may need
    :param key: what their metadata is signed by, instead of the key that the data names
    :returns: by canonical name, and notes on what could not be taken
    :raises RdoError: a repository can't be read
    """
    if not isinstance(platform.root, DnfRoot):
        raise InputError(f"{platform.name} is not made from RPM repositories.")
    places: list[tuple[str, bytes | None]] = [(place, None) for place in repositories] or [
        (one.baseurl, key_of(one) if one.signed_metadata else None) for one in resolved(platform, mirror, key)
    ]
    found: dict[str, Provided] = {}
    notes: set[str] = set()
    for place, trusted in places:
        if trusted is None:
            notes.add(
                f"{place}: whether its metadata are what its owner wrote is not known: no key signs them"
            )
        for package, provides in read_repository(place, trusted):
            _take(package, provides, platform.python, found, notes)
    return found, sorted(notes)


def addresses(platform: Platform, mirror: str | None) -> list[str]:
    """Return where a platform's repositories are, with all variables filled in.

    ``$releasever`` and ``$basearch`` are dnf's; ``RDO_EL_MIRROR`` is ``mirror``, which has no default.

    :raises InputError: a variable is not known, or not set
    """
    assert isinstance(platform.root, DnfRoot)
    variables = {"releasever": platform.root.releasever, "basearch": platform.architecture}
    if mirror:
        variables["RDO_EL_MIRROR"] = mirror.rstrip("/")
    return [_filled(repository, platform, variables) for repository in platform.root.repositories]


def resolved(platform: Platform, mirror: str | None, key: str | None) -> tuple[RpmRepository, ...]:
    """Return a platform's repositories as dnf can take them: with addresses that have no variables.

    :param mirror: folder or address of EL's mirror
    :param key: file or address of the key instead of the one that the data names. What a file has is what the
        operator trusts; at an address must be a key with the data's fingerprints
    :raises InputError: a variable is not known, or not set
    """
    assert isinstance(platform.root, DnfRoot)
    found = []
    for repository, place in zip(platform.root.repositories, addresses(platform, mirror), strict=True):
        trusted = (key if repository.gpgkey else None) or repository.gpgkey
        update: dict[str, object] = {"baseurl": _url(place), "gpgkey": _url(trusted) if trusted else None}
        if trusted != repository.gpgkey and not _is_remote(str(trusted)):
            update["fingerprints"] = ()
        found.append(repository.model_copy(update=update))
    return tuple(found)


def _filled(repository: RpmRepository, platform: Platform, variables: Mapping[str, str]) -> str:
    text = re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], match[0]), repository.baseurl)
    if "RDO_EL_MIRROR" in text:
        raise InputError(
            f"{platform.name} is made from RPM repositories, and it is not said where they are"
            " (RDO_EL_MIRROR is not set).",
            hint="Set RDO_EL_MIRROR to the folder or address of a mirror with CentOS Stream's layout; its"
            f" {repository.id} is looked for at {text}. Or name the repositories, where a command takes them."
            "\nFor example: export RDO_EL_MIRROR=https://mirror.example.org/centos-stream",
        )
    if "$" in text:
        raise InputError(
            f"Repository {repository.id} of {platform.name} is at {text}, which has an unknown variable."
        )
    return text


def _url(place: str) -> str:
    return place if "://" in place else f"file://{Path(place).absolute()}"


def _take(
    package: str,
    provides: Iterable[tuple[str, str]],
    python: str,
    found: dict[str, Provided],
    notes: set[str],
) -> None:
    for name, text in provides:
        match = _DIST.match(name)
        if match is None or match["python"] not in {"3", python}:
            continue
        dist = canonicalize_name(match["name"])
        try:
            # RPM writes pre-releases with a tilde.
            version = Version(text.replace("~", ""))
        except InvalidVersion:
            notes.add(f"{dist}: {package} has version {text!r}, which Python does not know")
            continue
        old = found.get(dist)
        # Updates repositories have several versions of a package; dnf installs the newest.
        if old is None or Version(old.version) < version:
            found[dist] = Provided(version=str(version), package=package)


def read_repository(place: str, key: bytes | None = None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return each package's name and its provides with a version, as (name, version).

    :param place: folder, ``file:`` or ``http(s):`` address of the repository (where ``repodata`` is)
    :param key: what must have signed its metadata
    :raises RdoError: there is no repository, or its metadata is broken, or not signed by the key
    """
    createrepo_c = createrepo()

    with _metadata(place, key, "primary") as (primary,):
        yield from _packages(createrepo_c, primary)


@dataclass(frozen=True)
class PackageFiles:
    """A package of a repository, by its hash: where it lies there, and which files of those asked for."""

    sha256: str
    location: str
    files: tuple[str, ...]


def packages_with(place: str, pattern: re.Pattern[str], key: bytes | None = None) -> list[PackageFiles]:
    """Return the packages of a repository that have files whose whole paths match.

    :param place: as for :func:`read_repository`
    :param key: what must have signed its metadata
    :raises RdoError: there is no repository, or its metadata is broken, or not signed by the key
    """
    createrepo_c = createrepo()

    found: dict[str, tuple[str, ...]] = {}
    places: dict[str, str] = {}

    def take(package: Any) -> None:
        paths = (folder + name for _, folder, name, *_ in package.files)
        if package.arch != "src" and (matching := tuple(path for path in paths if pattern.fullmatch(path))):
            found[package.pkgId] = matching

    def locate(package: Any) -> None:
        if package.pkgId in found:
            if package.checksum_type != "sha256":
                raise RdoError(f"The repository {place} names its packages by {package.checksum_type}.")
            places[package.pkgId] = package.location_href

    with _metadata(place, key, "filelists", "primary") as (filelists, primary):
        createrepo_c.xml_parse_filelists(str(filelists), pkgcb=take)
        createrepo_c.xml_parse_primary(str(primary), pkgcb=locate, do_files=False)
    return [
        PackageFiles(digest, places[digest], files) for digest, files in found.items() if digest in places
    ]


def fetch_package(place: str, package: PackageFiles, folder: Path) -> Path:
    """Download a package of a repository into a folder; return its file.

    :raises RdoError: it can't be had, or is not what the metadata say
    """
    from rdo.common.files import sha256_file

    target = folder / f"{package.sha256}.rpm"
    address = f"{place.rstrip('/')}/{package.location}"
    if _is_remote(address):
        _download(address, target)
    else:
        target = Path(address.removeprefix("file://"))
    if sha256_file(target) != package.sha256:
        raise RdoError(f"{package.location} of {place} is not what its metadata say (checksum).")
    return target


@contextlib.contextmanager
def _metadata(place: str, key: bytes | None, *kinds: str) -> Iterator[list[Path]]:
    """Have files of a repository's metadata, each with the checksum that ``repomd.xml`` states.

    :param key: what must have signed ``repomd.xml``; it is looked at only if it has
    """
    createrepo_c = createrepo()

    with TemporaryDirectory(prefix="rdo-repodata-") as temporary:
        try:
            root = _local(place, Path(temporary))
            if key is not None:
                _require_signed(place, root, key)
            repomd = createrepo_c.Repomd(str(root / "repodata" / "repomd.xml"))
            known = {record.type: record for record in repomd.records}
            if absent := [kind for kind in kinds if kind not in known]:
                raise RdoError(f"The repository {place} has no list of packages ({', '.join(absent)}).")
            records = [known[kind] for kind in kinds]
            yield [_fetched(place, root, record) for record in records]
        except (createrepo_c.CreaterepoCError, OSError) as error:
            raise RdoError(f"The repository {place} can't be read: {error}") from error


def _packages(createrepo_c: Any, file: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    packages: list[tuple[str, list[tuple[str, str]]]] = []

    def take(package: Any) -> None:
        # (name, flags, epoch, version, release, pre)
        provides = [(entry[0], entry[3]) for entry in package.provides if entry[1] == "EQ" and entry[3]]
        packages.append((package.name, provides))

    createrepo_c.xml_parse_primary(str(file), pkgcb=take, do_files=False)
    yield from packages


def _local(place: str, temporary: Path) -> Path:
    """Return a folder that has the repository's ``repomd.xml``; for an address it is fetched into one."""
    if not _is_remote(place):
        return Path(place.removeprefix("file://"))
    target = temporary / "repodata" / "repomd.xml"
    _download(f"{place.rstrip('/')}/repodata/repomd.xml", target)
    return temporary


def _is_remote(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _require_signed(place: str, root: Path, key: bytes) -> None:
    """See that a repository's key has signed its ``repomd.xml``.

    :raises RdoError: it hasn't
    """
    repomd = root / "repodata" / "repomd.xml"
    signature = repomd.with_name("repomd.xml.asc")
    if _is_remote(place):
        try:
            _download(f"{place.rstrip('/')}/repodata/repomd.xml.asc", signature)
        except AbsentError:
            signature.unlink(missing_ok=True)
    try:
        signed = signature.read_bytes()
    except FileNotFoundError:
        raise RdoError(
            f"The repository {place} is not signed (it has no repodata/repomd.xml.asc), though its key is"
            f" known: {', '.join(fingerprints(key))}.",
            hint="Nothing of it is used. Somebody may have put it there in place of the right one.",
        ) from None
    require_signature(repomd.read_bytes(), signed, key, f"{place.rstrip('/')}/repodata/repomd.xml")


def _fetched(place: str, root: Path, record: Any) -> Path:
    """Return a file of the metadata; it must have the checksum that ``repomd.xml`` states."""
    from rdo.common.files import sha256_file

    href = str(record.location_href)
    if record.checksum_type != "sha256":
        raise RdoError(
            f"The repository {place} names its metadata by {record.checksum_type}; only sha256 will do."
        )
    file = root / href
    if not file.resolve().is_relative_to(root.resolve()):
        raise RdoError(f"The repository {place} names metadata outside itself: {href}")
    if _is_remote(place):
        _download(f"{place.rstrip('/')}/{href}", file)
    if sha256_file(file) != record.checksum:
        raise RdoError(f"{href} of {place} is not what its repomd.xml says (checksum).")
    return file


def _download(url: str, target: Path) -> None:
    import httpx

    from rdo.common.download import download

    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("wb") as stream:
            download(url, stream.write, limit=_LIMIT, longest=_LONGEST)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise UnreachableError(f"{url} can't be reached from here: {error}.") from error
    except httpx.HTTPStatusError as error:
        kind = AbsentError if error.response.status_code in (404, 410) else RdoError
        raise kind(f"{url} can't be fetched: {error}") from error
    except httpx.HTTPError as error:
        raise RdoError(f"{url} can't be fetched: {error}") from error
