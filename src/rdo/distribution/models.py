"""What the distribution's data says, as typed values.

A *release* says which projects OpenStack ships in a series and which version of everything is pinned; a
*platform* says what the system under our packages provides and how a root of it is made.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Literal, Self

from packaging.markers import Marker
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rdo.distribution.names import FileName

ProjectType = Literal[
    "service", "library", "client-library", "horizon-plugin", "tempest-plugin", "trailing", "other"
]

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?")


class Data(BaseModel):
    """Base of everything read from data files: unknown keys are mistakes, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Pin(Data):
    """The version of one index name in a release.

    ``origin`` says who decided it: upstream's ``constraints``, a ``deliverable``'s newest release of the
    series, or the ``index`` at the time of the import, for names that upstream leaves open.
    """

    version: str
    origin: Literal["constraints", "deliverable", "index"]
    marker: str | None = None


class Project(Data):
    """One upstream repository of the series that makes a Python package."""

    name: str = Field(description="base name of the upstream repository: nova")
    dist: str = Field(description="canonical index name: nova, openstack-placement")
    type: ProjectType
    repository: str = Field(description="openstack/nova")
    version: str
    commit: str | None = Field(
        default=None,
        description="the version's commit, 40 hexadecimal digits; None where only the index knows it",
    )
    component: str | None = None
    package: str | None = Field(default=None, description="source package, where no rule gives its name")


class SourceLock(Data):
    """The sdist of one pinned version: what is fetched must have this content."""

    dist: str
    version: str
    filename: FileName
    sha256: str
    size: int
    uploaded: str = Field(description="time of the upload, ISO 8601, UTC")


class Release(Data):
    """One series of OpenStack."""

    series: str
    codename: str
    phase: str
    released: date
    slurp: bool = False
    signing_keys: tuple[str, ...] = Field(
        default=(), description="OpenPGP fingerprints of its tarballs' keys"
    )
    platforms: tuple[str, ...]
    projects: dict[str, Project]
    pins: dict[str, tuple[Pin, ...]]
    sources: dict[tuple[str, str], SourceLock] = Field(
        default_factory=dict, description="by (canonical name, version)"
    )
    not_shipped: dict[str, str] = Field(default_factory=dict, description="project -> why it is not shipped")
    obsoletes: dict[str, str] = Field(
        default_factory=dict, description="binary packages that earlier series had -> their epoch:version"
    )

    @property
    def shipped(self) -> tuple[str, ...]:
        """The projects that the distribution ships in this release, by name."""
        return tuple(name for name in self.projects if name not in self.not_shipped)

    def pin(self, dist: str, environment: dict[str, str]) -> Pin | None:
        """Return the pin of a canonical index name whose marker holds in a PEP 508 environment."""
        for pin in self.pins.get(dist, ()):
            if pin.marker is None or Marker(pin.marker).evaluate(environment):
                return pin
        return None

    def shipped_version(self, project: Project) -> str:
        """Return the version of a project that is locked and built: its pin's, which constraints may hold."""
        pins = self.pins.get(project.dist, ())
        return pins[-1].version if pins else project.version

    def project_of(self, dist: str) -> Project | None:
        """Return the OpenStack project that makes a canonical index name, None for third parties."""
        return next((p for p in self.projects.values() if p.dist == dist), None)


class DebootstrapRoot(Data):
    """A root made by debootstrap; the mirror is the host's own, read from its apt sources."""

    kind: Literal["debootstrap"]
    suite: str
    packages: tuple[str, ...] = Field(description="what the minimal build root has besides minbase")


class RpmRepository(Data):
    """An RPM repository that a root is made from; ``baseurl`` may hold $releasever and $basearch.

    It has a key, or the reason why it has none: nothing is unsigned in silence.
    """

    id: str = Field(pattern=r"^[\w.-]+$")
    baseurl: str
    gpgkey: str | None = Field(
        default=None, description="file or address of the keys that its packages are signed by"
    )
    fingerprints: tuple[str, ...] = Field(
        default=(), description="of those keys; an address has to have them, since anybody may answer there"
    )
    repo_gpgcheck: bool | None = Field(
        default=None, description="false where the key signs the packages and not the metadata"
    )
    unsigned: str | None = Field(
        default=None, min_length=1, description="instead of a key: why the packages are not signed"
    )

    @property
    def signed_metadata(self) -> bool:
        """Whether the metadata must be signed by the key."""
        return self.gpgkey is not None and self.repo_gpgcheck is not False

    @model_validator(mode="after")
    def _has_a_key_or_a_reason(self) -> Self:
        if problem := self._trust_problem():
            raise ValueError(f"repository {self.id}: {problem}")
        return self

    def _trust_problem(self) -> str | None:
        """Return why it can't be told what this repository is trusted by, None where it can."""
        malformed = [f for f in self.fingerprints if not _FINGERPRINT.fullmatch("".join(f.split()))]
        if malformed:
            return f"{malformed[0]!r} isn't the fingerprint of an OpenPGP key (40 or 64 hexadecimal digits)"
        if self.gpgkey is None and self.unsigned is None:
            return (
                "it has no key; name it by gpgkey and fingerprints, or say by unsigned why its packages"
                " are not signed"
            )
        if self.gpgkey is not None and self.unsigned is not None:
            return "it has a key (gpgkey) and is said to be unsigned; it can't be both"
        if self.gpgkey is None and (self.fingerprints or self.repo_gpgcheck is not None):
            return "fingerprints and repo_gpgcheck are of a key, and it has none (gpgkey)"
        if (self.gpgkey or "").startswith(("http://", "https://")) and not self.fingerprints:
            return f"the key is fetched from {self.gpgkey}, so its fingerprints must be stated (fingerprints)"
        return None


class DnfRoot(Data):
    """A root made by ``dnf --installroot``."""

    kind: Literal["dnf"]
    releasever: str
    repositories: tuple[RpmRepository, ...]
    packages: tuple[str, ...]


class Provided(Data):
    """A Python distribution that the platform's own packages offer."""

    version: str
    package: str = Field(description="name of the platform's package: python3-yaml")


class Platform(Data):
    """What is under our packages."""

    name: str
    title: str
    architecture: str
    python: str = Field(description="major and minor: 3.13")
    python_version: str = Field(description="full: 3.13.5")
    dist: str = Field(description="value of %dist: .deb13")
    tested: bool = Field(description="whether it has been built and run for real")
    note: str | None = None
    root: DebootstrapRoot | DnfRoot = Field(discriminator="kind")
    host_packages: tuple[str, ...] = Field(default=(), description="what a test host has besides the root")
    native: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="EL's name or provide of something that is not Python -> the platform's own packages",
    )
    services: dict[str, str] = Field(default_factory=dict, description="EL's unit or place -> the platform's")
    provides: dict[str, Provided] = Field(
        default_factory=dict, description="by canonical index name; from the platform's .provides file"
    )
    own: frozenset[str] = Field(
        default=frozenset(),
        description="index names of OpenStack's projects: ours to provide, what the platform has is hidden",
    )
    build_tools: tuple[str, ...] = Field(
        default=(), description="index names always taken from the platform (the macro bootstrap)"
    )
    older_than_pin: Literal["taken", "replaced"] = Field(
        default="taken",
        description="what becomes of a version that fits where the release pins a newer one",
    )
    macros: Path | None = Field(default=None, description="file of RPM macros, where EL has its own")

    @property
    def environment(self) -> dict[str, str]:
        """The PEP 508 environment of the platform's Python."""
        full = Version(self.python_version)
        return {
            "implementation_name": "cpython",
            "implementation_version": str(full),
            "os_name": "posix",
            "platform_machine": self.architecture,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": str(full),
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }
