"""What goes into a build's root: the build requirements' closure over the platform's packages and ours.

Planning makes nothing: it asks the solver and the archive's index and returns the layers' ids, from which a
build's identity is made. :meth:`RootPlanner.ensure` then fetches and unpacks what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from rdo.building.debs import Deb
from rdo.building.integrity import CacheError, Inspector, set_aside
from rdo.building.platform_packages import Chosen, Held, PlatformPackages, open_packages
from rdo.building.platform_records import asked, offered
from rdo.building.roots import Layer, Root
from rdo.building.rpm_layers import RpmLayers
from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import Selection, Universe, Unsatisfied, capability_names
from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.models import Platform

# Ours win over the platform's wherever both satisfy a requirement.
_OURS = 10
# What is in every root wins over what else the platform has.
_BASE = 5


class UnsatisfiedError(RdoError):
    """Requirements that nothing satisfies; says which, and who needs them."""

    def __init__(self, what: str, problems: Sequence[Unsatisfied], hint: str | None = None) -> None:
        super().__init__(f"{what}: {'; '.join(str(problem) for problem in problems)}", hint=hint)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class RootPlan:
    """The content of one build's root: ours, the platform's, and the ids of all layers, topmost first."""

    rpms: tuple[RpmInfo, ...]
    chosen: Chosen
    layers: tuple[str, ...]

    @property
    def debs(self) -> tuple[Deb, ...]:
        """The debs in it, on a platform that has such."""
        return self.chosen.debs


class RootPlanner:
    """Plans and prepares the roots of one platform; made once a process and asked for each build.

    :param packages: the platform's packages, instead of those that its data leads to
    :raises InputError: it is not said where the platform's packages are
    :raises RdoError: the base root could not be made
    """

    def __init__(
        self,
        platform: Platform,
        installation: Installation,
        progress: Progress | None = None,
        *,
        packages: PlatformPackages | None = None,
    ) -> None:
        self.platform, self.paths = platform, installation.paths
        self.packages = packages or open_packages(platform, installation, progress)
        self._layers = RpmLayers(self.packages.root, installation.paths)
        self._base = {info.sha256 for info in self.packages.base}
        # Workers of a cluster that somebody else runs may have many threads.
        self._lock = RLock()
        self._inspector = Inspector()
        self._names_in: dict[str, tuple[set[str], set[str]]] = {}

    @property
    def root(self) -> Root:
        """The minimal build root."""
        return self.packages.root

    @property
    def records(self) -> list[RpmInfo]:
        """What the platform offers, as far as is known without fetching more of it."""
        return list(self.packages.records)

    def plan(self, wanted: Sequence[str], available: Iterable[RpmInfo] = (), *, what: str = "") -> RootPlan:
        """Return what a root must hold so that the wanted requirements hold.

        :param available: packages of ours that may be used
        :param what: for whom, for the error
        :raises UnsatisfiedError: with every requirement that nothing satisfies
        """
        with self._lock:
            ours = list(available)
            selection = self._solve(wanted, ours)
            if not selection.ok and self.packages.learn(selection.problems):
                selection = self._solve(wanted, ours)
            if not selection.ok:
                subject = f"Requirements of {what or 'a root'}"
                raise UnsatisfiedError(subject, selection.problems, self._hint(selection.problems))
            mine = {info.sha256 for info in ours}
            rpms = tuple(info for info in selection.packages if info.sha256 in mine)
            platform = [info for info in selection.packages if info.sha256 not in mine]
            chosen = self.packages.choose(platform, {info.name for info in rpms})
        layers = [self._layers.layer(info).id for info in rpms]
        layers += [*chosen.layers, *(layer.id for layer in self.root.layers)]
        return RootPlan(rpms, chosen, tuple(layers))

    def held(self, plan: RootPlan) -> list[Held]:
        """Return every package in a plan's root, ours and the platform's."""
        return [*map(Held.of_rpm, plan.rpms), *self.packages.held(plan.chosen)]

    def ensure(
        self, plan: RootPlan, rpms: Mapping[str, Path], progress: Progress | None = None
    ) -> list[Layer]:
        """Fetch and unpack what a plan needs and return its layers, topmost first.

        :param rpms: where our RPMs lie, by SHA-256; only those of the plan are looked at
        :raises CacheError: the platform's own layers are gone or damaged; a new planner makes them anew
        """
        layers = [*(self._layers.layer(info) for info in plan.rpms), *self.packages.layers(plan.chosen)]
        set_aside(self._inspector.damaged(layer for layer in layers if layer.path.parent.exists()))
        self.packages.fetch(plan.chosen, progress)
        self._layers.unpack(plan.rpms, rpms)
        self.inspect(layers)
        return layers

    def inspect(self, layers: Sequence[Layer], *, again: bool = False) -> None:
        """Make sure that layers are there and whole; set aside what is not.

        :param again: count the entries also of those that were in order before
        :raises CacheError: some layers were not in order
        """
        if damaged := self._inspector.damaged(layers, again=again):
            set_aside(damaged)
            raise CacheError(damaged)

    def database(self, plan: RootPlan) -> list[Path]:
        """Return RPM files whose headers tell a root's rpmdb what it holds beyond the base.

        :param plan: one that :meth:`ensure` was called for
        """
        return [*self.packages.database(plan.chosen), *map(self._layers.file, plan.rpms)]

    def prefetch(self, requirements: Iterable[Sequence[str]], progress: Progress | None = None) -> None:
        """Fetch in one go what many builds will need of the platform, as far as it satisfies them.

        :param requirements: the build requirements of each
        """
        with self._lock:
            wanted: dict[str, RpmInfo] = {}
            for requirement in sorted({one for many in requirements for one in many}):
                wanted |= {info.sha256: info for info in self._solve([requirement], ()).packages}
            self.packages.fetch(self.packages.choose(list(wanted.values())), progress)

    def refresh(self) -> None:
        """Learn what other processes have found out of the platform meanwhile."""
        with self._lock:
            self.packages.refresh()

    def _solve(self, wanted: Sequence[str], ours: Sequence[RpmInfo]) -> Selection:
        """Ask a universe made for this one question, so that the answer depends on nothing else.

        It holds the packages that the question can lead to, in a fixed order.
        """
        chosen, theirs, names = self._relevant(wanted, ours)
        universe = Universe(self.platform.architecture)
        universe.add(sorted(chosen, key=_order), priority=_OURS, only=names)
        universe.add(
            sorted((i for i in theirs if i.sha256 in self._base), key=_order), priority=_BASE, only=names
        )
        universe.add(sorted((i for i in theirs if i.sha256 not in self._base), key=_order), only=names)
        taken = {info.name for info in chosen}
        standing = [info for info in self.packages.standing if info.name not in taken]
        return universe.solve(wanted, install=standing)

    def _relevant(
        self, wanted: Sequence[str], ours: Sequence[RpmInfo]
    ) -> tuple[list[RpmInfo], list[RpmInfo], set[str]]:
        """Return what requirements can lead to, step by step.

        :returns: packages of ours, packages of the platform, and the capabilities that matter, by name
        """
        left = {info.sha256: info for info in ours}
        chosen: list[RpmInfo] = []
        theirs = {info.sha256: info for info in self.packages.standing}
        reached: set[str] = set()
        names = {name for requirement in wanted for name in capability_names(requirement)}
        names |= {name for info in theirs.values() for name in self._capabilities(info)[1]}
        while names:
            reached |= names
            found = [info for info in left.values() if not self._capabilities(info)[0].isdisjoint(names)]
            for info in found:
                del left[info.sha256]
            chosen += found
            platform = {info.sha256: info for name in names for info in self.packages.offering(name)}
            found += [info for key, info in platform.items() if key not in theirs]
            theirs |= platform
            names = {name for info in found for name in self._capabilities(info)[1]} - reached
        conflicts = {name for info in chosen for text in info.conflicts for name in capability_names(text)}
        return chosen, list(theirs.values()), reached | conflicts

    def _capabilities(self, info: RpmInfo) -> tuple[set[str], set[str]]:
        """Return the names of what a package offers and of what it asks for."""
        known = self._names_in.get(info.sha256)
        if known is None:
            known = self._names_in[info.sha256] = (offered(info), asked(info))
        return known

    def _hint(self, problems: Sequence[Unsatisfied]) -> str | None:
        for problem in problems:
            if match := re.match(r"python3dist\(([^)\[]+)\)", problem.requirement):
                provided = self.platform.provides.get(match[1])
                if provided is not None:
                    return f"{self.platform.name} has {match[1]} {provided.version} ({provided.package})."
                return f"Nothing that was built so far offers {match[1]}, nor does {self.platform.name}."
        return None


def _order(info: RpmInfo) -> tuple[str, str, str]:
    return info.name, info.evr, info.sha256
