"""What goes into a generated spec, and the spec itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rdo.common.errors import RdoError
from rdo.distribution.description import PackageDescription
from rdo.distribution.models import Platform, Project, Release, SourceLock
from rdo.packaging.inspection import Inspection
from rdo.packaging.resolution_model import Node
from rdo.packaging.stated import Statements
from rdo.upstream.models import Metadata


class SpecError(RdoError):
    """A spec can't be generated; the package's description can mend it."""


@dataclass(frozen=True)
class SpecInputs:
    """Everything a spec is made of.

    ``folder`` is ``distribution/packages/<project>``, where a description's own files lie; None without one.
    ``licences`` are those that packages may have, as SPDX identifiers; an empty list
    allows any.
    """

    release: Release
    platform: Platform
    node: Node
    metadata: Metadata
    inspection: Inspection
    lock: SourceLock
    project: Project | None = None
    description: PackageDescription | None = None
    folder: Path | None = None
    source: Path | None = None
    licences: frozenset[str] = frozenset()

    @property
    def stated(self) -> PackageDescription:
        """The description as the release's series has it, or one that says nothing."""
        if self.description is None:
            return PackageDescription(project=self.metadata.dist)
        return self.description.in_series(self.release.series)

    @property
    def statements(self) -> Statements:
        """What the package requires on the platform, with its description's exceptions."""
        return Statements(self.platform.environment, {self.metadata.dist: self.stated})


@dataclass(frozen=True)
class SpecSource:
    """A file that rpmbuild finds in SOURCES: upstream's by its ``path``, or ``content`` of ours."""

    filename: str
    sha256: str
    path: Path | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class GeneratedSpec:
    """A spec and its files.

    ``build_requires`` are the RPM dependencies of the text, in its order; ``check_requires`` those among
    them that only %check needs (``--without check`` does without). ``nevr`` fields are as RPM shows them.
    ``timeout`` is in seconds, ``memory`` in bytes (None: what a build may use by default). ``replaces`` are
    packages of the platform's that ours take the place of.
    """

    package: str
    version: str
    release: str
    epoch: int
    text: str
    build_requires: tuple[str, ...]
    check_requires: tuple[str, ...]
    sources: tuple[SpecSource, ...]
    subpackages: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    timeout: float = 900.0
    memory: int | None = None
    replaces: tuple[str, ...] = ()
