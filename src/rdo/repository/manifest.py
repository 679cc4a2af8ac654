"""What a snapshot says of itself: its packages, and what it was asked for.

The manifest lies inside of the snapshot and changes as little as the snapshot does, so that one rename says
both what is published and what for. Earlier snapshots had their names in a file beside them (``asked.json``),
or nowhere; these are read as well.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rdo.common.errors import RdoError
from rdo.repository.metadata import RpmFile
from rdo.repository.snapshots import published_snapshot

FILE = "manifest.json"

#: Part of every digest and of the manifest: count up when a snapshot's layout changes.
FORMAT = 3

#: Where names stood before they were in the manifest: a JSON list beside the snapshots.
LEGACY_FILE = "asked.json"

#: The source package that is ours and nobody asks for.
RELEASE_PACKAGE = "rdo-release"


class PackageEntry(BaseModel):
    """One RPM of a snapshot, a source RPM where ``source`` says so."""

    model_config = ConfigDict(frozen=True)

    nevra: str
    filename: str
    sha256: str
    size: int
    source: bool

    @property
    def name(self) -> str:
        """The package's name."""
        return self.filename.rsplit("-", 2)[0]


class Manifest(BaseModel):
    """A snapshot's manifest.

    ``requested`` are the names that the snapshot has everything for, None before format 3; ``removed_at``
    (UTC) is when names were last taken out, so that an older run does not bring them back;
    ``release_content`` is the hash of what its ``rdo-release`` says, empty before format 3.
    """

    model_config = ConfigDict(frozen=True)

    format: int
    key: str
    packages: tuple[PackageEntry, ...]
    requested: tuple[str, ...] | None = None
    removed_at: datetime | None = None
    release_content: str = ""

    def rpms(self, snapshot: Path) -> list[RpmFile]:
        """Return the RPMs as they lie in the snapshot's folder."""
        return [
            RpmFile(
                path=snapshot / ("SRPMS/Packages" if entry.source else "Packages") / entry.filename,
                filename=entry.filename,
                sha256=entry.sha256,
                size=entry.size,
            )
            for entry in self.packages
        ]

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the source packages that somebody could have asked for, sorted."""
        names = {entry.name for entry in self.packages if entry.source}
        return tuple(sorted(names - {RELEASE_PACKAGE}))


def read_manifest(snapshot: Path) -> Manifest:
    """Return a snapshot's manifest.

    :raises RdoError: it is not there or damaged
    """
    file = snapshot / FILE
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError) as error:
        why = "it is missing" if isinstance(error, OSError) else _first_mistake(error)
        raise RdoError(
            f"The manifest {file} can't be read: {why}.",
            hint="What the repository was asked for stands there: bring the snapshot back from a backup, or "
            f"let {snapshot.parent.parent / 'current'} point to another folder of {snapshot.parent}.",
        ) from error


def requested_names(repository: Path) -> tuple[str, ...]:
    """Return what a repository was asked for, sorted; nothing where nothing is published.

    A snapshot from before names were in manifests was asked for what the file beside it says, or, where there
    is none, for every source package that it has: nothing that somebody relies on goes by itself.

    :raises RdoError: something is published and can't be read
    """
    snapshot = published_snapshot(repository)
    if snapshot is None:
        return ()
    manifest = read_manifest(snapshot)
    if manifest.requested is not None:
        return tuple(sorted(manifest.requested))
    legacy = repository / LEGACY_FILE
    if not legacy.exists():
        return manifest.sources
    try:
        names = json.loads(legacy.read_text())
    except ValueError as error:
        raise RdoError(
            f"{legacy} can't be read: {error}.",
            hint="It has the names that the repository was asked for, as a JSON list. Without it, every "
            "source package of the repository counts as asked for.",
        ) from error
    return tuple(sorted({str(name) for name in names}))


def _first_mistake(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
