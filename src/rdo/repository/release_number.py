"""The release number of ``rdo-release``: it only rises, and it rises with what the package says.

Hosts take an update where its number is higher. Were it lower or the same with other content, they would keep
the old package: its address, its key, and its obsoletes, which block a package that is shipped again.

The number goes on from the snapshots that lie in the repository, so it holds on every machine that has the
repository's folder. A machine that has only the key begins at the number that the release's data give.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import RdoError
from rdo.repository.manifest import RELEASE_PACKAGE, PackageEntry, read_manifest
from rdo.repository.metadata import RpmFile
from rdo.repository.release_rpm import OBSOLETE
from rdo.repository.snapshots import published_snapshot, snapshots

_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class ReleaseHistory:
    """What a repository had of ``rdo-release``.

    ``highest`` is the highest number that any snapshot in the repository has, 0 where none has one;
    ``content`` and ``rpms`` are those of the current one. ``content`` is empty where its files aren't intact.
    """

    highest: int
    content: str
    rpms: tuple[RpmFile, ...]


def release_history(repository: Path) -> ReleaseHistory:
    """Return what a repository had of ``rdo-release``.

    :raises RdoError: what is published can't be read
    """
    live = published_snapshot(repository)
    highest = max((_highest(_entries(folder)) for folder in snapshots(repository)), default=0)
    if live is None:
        return ReleaseHistory(highest, "", ())
    manifest = read_manifest(live)
    rpms = tuple(rpm for rpm in manifest.rpms(live) if is_release_package(rpm.filename))
    intact = bool(rpms) and all(_is_intact(rpm) for rpm in rpms)
    return ReleaseHistory(highest, manifest.release_content if intact else "", rpms)


def release_rpms(
    history: ReleaseHistory, content: str, first: int, make: Callable[[int], list[RpmFile]]
) -> list[RpmFile]:
    """Return the signed RPMs to publish: the published files where they say the same, else higher ones.

    :param content: hash of what they have to say
    :param first: number of the first publication; a later one is never lower
    :param make: builds and signs them with a number
    """
    if history.content == content:
        return list(history.rpms)
    return make(max(first, history.highest + 1))


def is_release_package(filename: str) -> bool:
    """Return True if a file is ``rdo-release``, ``rdo-obsolete-packages`` or their source package."""
    return filename.rsplit("-", 2)[0] in (RELEASE_PACKAGE, OBSOLETE)


def _entries(snapshot: Path) -> tuple[PackageEntry, ...]:
    """Return a snapshot's packages; none where it can't be read, as it is not the current one that counts."""
    try:
        return read_manifest(snapshot).packages
    except RdoError:
        return ()


def _highest(entries: tuple[PackageEntry, ...]) -> int:
    releases = [entry.filename.rsplit("-", 1)[-1] for entry in entries if is_release_package(entry.filename)]
    numbers = [_NUMBER.match(release) for release in releases]
    return max((int(found[0]) for found in numbers if found), default=0)


def _is_intact(rpm: RpmFile) -> bool:
    try:
        return RpmFile.of(rpm.path).sha256 == rpm.sha256
    except FileNotFoundError:
        return False
