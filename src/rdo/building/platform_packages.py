"""What a platform's own packages are to the planner of roots: something that offers, fetches and lays down.

There are two kinds: debs shown to RPM by stubs (:mod:`rdo.building.deb_packages`), and the RPMs of a
platform's own repositories (:mod:`rdo.building.rpm_packages`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from rdo.building.debs import Deb
from rdo.building.roots import Layer, Root
from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import Unsatisfied
from rdo.common.errors import InputError
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.models import DnfRoot, Platform


@dataclass(frozen=True)
class Chosen:
    """What of a platform goes into one root beyond its base.

    ``debs`` or ``rpms`` are what is unpacked there, ``records`` what RPM is told of them and ``layers`` their
    layers' ids, in the same order.
    """

    records: tuple[RpmInfo, ...]
    layers: tuple[str, ...]
    debs: tuple[Deb, ...] = ()
    rpms: tuple[RpmInfo, ...] = ()


class Held(NamedTuple):
    """One package in a root, under its own name and version there; ``vendor`` is empty for ours.

    ``sha256`` is its file's, None where the root was made from it and nobody keeps that.
    """

    kind: Literal["deb", "rpm"]
    vendor: str
    name: str
    version: str
    sha256: str | None = None

    @classmethod
    def of_rpm(cls, info: RpmInfo, vendor: str = "") -> Held:
        """Return a package that is an RPM."""
        digest = info.sha256 if re.fullmatch(r"[0-9a-f]{64}", info.sha256) else None
        return cls("rpm", vendor, info.name, info.evr, digest)


class PlatformPackages(Protocol):
    """The packages of one platform over its minimal build root."""

    @property
    def root(self) -> Root:
        """The minimal build root; its last layer is the base."""

    @property
    def base(self) -> Sequence[RpmInfo]:
        """What the minimal root has."""

    @property
    def standing(self) -> Sequence[RpmInfo]:
        """What of the base a solver must take as installed, since conditions may hang on it."""

    def held(self, chosen: Chosen) -> list[Held]:
        """Return what a root with this choice has of the platform, the base's packages among it."""

    @property
    def records(self) -> Sequence[RpmInfo]:
        """What is offered, as far as is known now; the base is among it."""

    def offering(self, name: str) -> Iterable[RpmInfo]:
        """Return those of the records that have a capability of this name, whatever its version."""

    def choose(self, selected: Sequence[RpmInfo], ours: Collection[str] = ()) -> Chosen:
        """Return what makes a solver's selection of :attr:`records` real.

        :param ours: names of our packages that stand in the platform's place in the same root
        """

    def fetch(self, chosen: Chosen, progress: Progress | None = None) -> None:
        """Download and unpack what is missing, in one go.

        :raises RdoError: it could not be had, or it is not what the platform's signed indexes say
        """

    def learn(self, problems: Sequence[Unsatisfied]) -> bool:
        """Look closer at what might solve a solver's problems; say whether :attr:`records` are others now."""

    def refresh(self) -> None:
        """Learn what other processes have found out meanwhile."""

    def layers(self, chosen: Chosen) -> list[Layer]:
        """Return the layers of what was chosen, which :meth:`fetch` has made; then those of the base."""

    def database(self, chosen: Chosen) -> list[Path]:
        """Return RPM files whose headers say to a root's rpmdb what was chosen and fetched."""


def open_packages(
    platform: Platform, installation: Installation, progress: Progress | None = None
) -> PlatformPackages:
    """Return a platform's packages; the base root is made if it is not there.

    :raises InputError: the platform's repositories are not configured
    :raises RdoError: the base root could not be made
    """
    if isinstance(platform.root, DnfRoot):
        from rdo.building.rpm_packages import RpmPackages

        return RpmPackages.open(platform, installation, progress)
    from rdo.building.deb_packages import DebPackages

    return DebPackages(platform, installation, progress)


def is_configured(platform: Platform, installation: Installation) -> bool:
    """Say whether it is known where a platform's packages come from."""
    try:
        require_configured(platform, installation)
    except InputError:
        return False
    return True


def require_configured(platform: Platform, installation: Installation) -> None:
    """Do nothing where it is known where a platform's packages come from.

    :raises InputError: something must be set first; says what and how
    """
    if isinstance(platform.root, DnfRoot):
        from rdo.building.rpm_packages import source_of

        source_of(platform, installation.settings)
