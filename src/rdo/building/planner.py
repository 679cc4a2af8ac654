"""What goes into a build's root: the build requirements' closure over the platform's packages and ours.

Planning makes nothing: it asks the solver and the archive's index and returns the layers' ids, from which a
build's identity is made. :meth:`RootPlanner.ensure` then fetches and unpacks what is missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from rdo.building.debs import Deb, DebPool
from rdo.building.platform_records import PlatformRecords, asked, offered
from rdo.building.roots import FORMAT, Layer, Root, ensure_build_root, temporary
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind, Sandbox, scratch_folder
from rdo.building.solver import Selection, Universe, Unsatisfied, capability_names
from rdo.building.stubs import Names, describe_installed, write_stub_rpms
from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, sha256_bytes
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.models import DnfRoot, Platform

# Ours win over the platform's wherever both satisfy a requirement.
_OURS = 10

_SONAME = re.compile(r"^(lib[^()\s]*?)\.so\.([\w.]+)\(")


class UnsatisfiedError(RdoError):
    """Requirements that nothing satisfies; says which, and who needs them."""

    def __init__(self, what: str, problems: Sequence[Unsatisfied], hint: str | None = None) -> None:
        super().__init__(f"{what}: {'; '.join(str(problem) for problem in problems)}", hint=hint)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class RootPlan:
    """The content of one build's root. ``stubs`` describe its debs; ``layers`` are ids, topmost first."""

    rpms: tuple[RpmInfo, ...]
    debs: tuple[Deb, ...]
    stubs: tuple[RpmInfo, ...]
    layers: tuple[str, ...]


class RootPlanner:
    """Plans and prepares the roots of one platform; made once a process and asked for each build.

    :raises InputError: the platform is one of those on which nothing can be built yet
    :raises RdoError: the base root could not be made
    """

    def __init__(self, platform: Platform, paths: Paths, progress: Progress | None = None) -> None:
        if isinstance(platform.root, DnfRoot):
            # Its base root can be made; layers of a repository's RPMs on it are not written yet.
            raise InputError(
                f"Building on {platform.name} itself is not possible yet.",
                hint="Specs and closures for it can be made; debian13 builds for real.",
            )
        self.platform, self.paths = platform, paths
        self.root = ensure_build_root(platform, paths, progress)
        self.names = Names(platform)
        self.pool = DebPool(self.root, paths)
        base = Root(self.root.layers[-1:])
        self.base = [
            *describe_installed(base, self.names, paths),
            self.names.platform_record(base.layers[-1].path),
        ]
        fixed = [*self.base, *self.names.meta_records()]
        self._platform = PlatformRecords(fixed, self.names, self.pool, paths.layers / "facts")
        # Workers of a cluster that somebody else runs may have many threads.
        self._lock = RLock()
        self._names_in: dict[str, tuple[set[str], set[str]]] = {}
        self.refresh()

    @property
    def records(self) -> list[RpmInfo]:
        """What the platform offers, as far as is known without fetching more of it."""
        return list(self._platform)

    def plan(self, wanted: Sequence[str], available: Iterable[RpmInfo] = (), *, what: str = "") -> RootPlan:
        """Return what a root must hold so that the wanted requirements hold.

        :param available: packages of ours that may be used
        :param what: for whom, for the error
        :raises UnsatisfiedError: with every requirement that nothing satisfies
        """
        with self._lock:
            ours = list(available)
            selection = self._solve(wanted, ours)
            if not selection.ok and self._fetch_libraries(selection.problems):
                selection = self._solve(wanted, ours)
            if not selection.ok:
                subject = f"Requirements of {what or 'a root'}"
                raise UnsatisfiedError(subject, selection.problems, self._hint(selection.problems))
            mine = {info.sha256 for info in ours}
            rpms = tuple(info for info in selection.packages if info.sha256 in mine)
            return self._complete(rpms, [info for info in selection.packages if info.sha256 not in mine])

    def ensure(
        self, plan: RootPlan, rpms: Mapping[str, Path], progress: Progress | None = None
    ) -> list[Layer]:
        """Fetch and unpack what a plan needs and return its layers, topmost first.

        :param rpms: where our RPMs lie, by SHA-256; only those of the plan are looked at
        """
        self.fetch(plan.debs, progress)
        self._unpack([info for info in plan.rpms if not self._rpm_layer(info).path.exists()], rpms)
        layers = [self._rpm_layer(info) for info in plan.rpms]
        layers += [self.pool.layer(deb) for deb in plan.debs]
        return [*layers, self._rpmdb(), *self.root.layers]

    def fetch(self, debs: Iterable[Deb], progress: Progress | None = None) -> None:
        """Fetch debs, all that are missing in one go, and learn what is in them."""
        missing = [deb for deb in debs if not self.pool.fetched(deb)]
        if missing:
            self.pool.fetch(missing, progress)
            self.refresh()

    def prefetch(self, requirements: Iterable[Sequence[str]], progress: Progress | None = None) -> None:
        """Fetch in one go the debs that many builds will need, as far as the platform satisfies them.

        :param requirements: the build requirements of each
        """
        with self._lock:
            wanted: set[str] = set()
            for requirement in sorted({one for many in requirements for one in many}):
                for info in self._solve([requirement], ()).packages:
                    wanted.update(self._deb_names(info))
            self.fetch(self.pool.closure(wanted), progress)

    def stub_rpms(self, records: Sequence[RpmInfo]) -> dict[str, Path]:
        """Return stub RPMs of records, by the records' ``sha256``; they are written if they are missing."""
        folder = self.paths.layers / "stubs"
        with locked(folder / "write.lock"):
            return write_stub_rpms(records, folder, self.root, self.paths)

    def rpm_file(self, info: RpmInfo) -> Path:
        """Return the copy of an unpacked RPM that lies beside its layer."""
        return self._rpm_layer(info).path.parent / "package.rpm"

    def refresh(self) -> None:
        """Learn what is in the debs that were fetched meanwhile, by this process or another."""
        with self._lock:
            self._platform.refresh()

    def _solve(self, wanted: Sequence[str], ours: Sequence[RpmInfo]) -> Selection:
        """Ask a universe made for this one question, so that the answer depends on nothing else.

        It holds the packages that the question can lead to, in a fixed order.
        """
        chosen, theirs, names = self._relevant(wanted, ours)
        universe = Universe(self.platform.architecture)
        universe.add(sorted(chosen, key=_order), priority=_OURS, only=names)
        universe.add(sorted(theirs, key=_order), only=names)
        return universe.solve(wanted)

    def _relevant(
        self, wanted: Sequence[str], ours: Sequence[RpmInfo]
    ) -> tuple[list[RpmInfo], list[RpmInfo], set[str]]:
        """Return what requirements can lead to, step by step.

        :returns: packages of ours, packages of the platform, and the capabilities that matter, by name
        """
        left = {info.sha256: info for info in ours}
        chosen: list[RpmInfo] = []
        theirs: dict[str, RpmInfo] = {}
        reached: set[str] = set()
        names = {name for requirement in wanted for name in capability_names(requirement)}
        while names:
            reached |= names
            found = [info for info in left.values() if not self._capabilities(info)[0].isdisjoint(names)]
            for info in found:
                del left[info.sha256]
            chosen += found
            platform = {info.sha256: info for name in names for info in self._platform.offering(name)}
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

    def _complete(self, rpms: tuple[RpmInfo, ...], platform: Sequence[RpmInfo]) -> RootPlan:
        debs = self.pool.closure(name for info in platform for name in self._deb_names(info))
        ours = {info.name for info in rpms}
        stubs = [self._platform.of_deb(deb.name) or self._record(deb) for deb in debs]
        stubs += [info for info in platform if info.sha256.startswith("meta:")]
        layers = [self._rpm_layer(info).id for info in rpms]
        layers += [self.pool.layer(deb).id for deb in debs]
        return RootPlan(
            rpms=rpms,
            debs=debs,
            stubs=tuple(info for info in stubs if info.name not in ours),
            layers=(*layers, *(layer.id for layer in self.root.layers)),
        )

    def _record(self, deb: Deb) -> RpmInfo:
        return self.names.record(deb.name, deb.version, deb.sha256)

    def _deb_names(self, info: RpmInfo) -> list[str]:
        found = [p[4:-1] for p in info.provides if p.startswith("deb(")]
        return [name for name in found if name not in self.pool.base]

    def _fetch_libraries(self, problems: Sequence[Unsatisfied]) -> bool:
        """Fetch debs that are named after missing libraries: their contents tell who provides what.

        It is needed where the cache of layers is younger than our RPMs that link to such a library.
        """
        found = []
        for problem in problems:
            if match := _SONAME.match(problem.requirement):
                stem, version = match[1].lower().replace("_", "-"), match[2]
                names = (f"{stem}{version}", f"{stem}-{version}", f"{stem}{version}t64")
                found += [deb for name in names if (deb := self.pool.get(name)) is not None]
        missing = [deb for deb in found if not self.pool.fetched(deb)]
        self.fetch(missing)
        return bool(missing)

    def _hint(self, problems: Sequence[Unsatisfied]) -> str | None:
        for problem in problems:
            if match := re.match(r"python3dist\(([^)\[]+)\)", problem.requirement):
                provided = self.platform.provides.get(match[1])
                if provided is not None:
                    return f"{self.platform.name} has {match[1]} {provided.version} ({provided.package})."
                return f"Nothing that was built so far offers {match[1]}, nor does {self.platform.name}."
        return None

    def _rpm_layer(self, info: RpmInfo) -> Layer:
        return Layer(f"rpm:{FORMAT}:{info.sha256}", self.paths.layers / "rpm" / info.sha256 / "root")

    def _unpack(self, infos: Sequence[RpmInfo], rpms: Mapping[str, Path]) -> None:
        if not infos:
            return
        parent = self.paths.layers / "rpm"
        with locked(parent / "unpack.lock"), temporary(parent) as work:
            missing = [info for info in infos if not self._rpm_layer(info).path.exists()]
            for info in missing:
                (work / info.sha256).mkdir()
                shutil.copyfile(rpms[info.sha256], work / info.sha256 / "package.rpm")
            result = self.root.sandbox(self.paths).run(
                ["sh", "-ec", _UNPACK, "unpack", *(info.sha256 for info in missing)],
                user="root",
                cwd="/work",
                binds=[Bind(work, "/work", writable=True)],
            )
            if not result.ok:
                raise RdoError(f"Our own RPMs could not be unpacked: {result.tail.strip()[-1000:]}")
            for info in missing:
                (work / info.sha256).rename(parent / info.sha256)

    def _rpmdb(self) -> Layer:
        """Return a layer with an rpmdb that says what is in the base."""
        unique = list({info.name: info for info in self.base}.values())
        identity = sha256_bytes("\n".join(info.model_dump_json() for info in unique).encode())
        folder = self.paths.layers / "rpmdb" / identity
        if not folder.exists():
            with locked(folder.with_suffix(".lock")), temporary(folder.parent) as work:
                if not folder.exists():
                    stubs = work / "stubs"
                    stubs.mkdir()
                    for number, path in enumerate(self.stub_rpms(unique).values()):
                        shutil.copyfile(path, stubs / f"{number}.rpm")
                    sandbox = Sandbox([layer.path for layer in self.root.layers], scratch_folder(self.paths))
                    result = sandbox.run(
                        ["sh", "-ec", f"{JUST_DB} /run/stubs/*.rpm"],
                        user="root",
                        keep=work,
                        binds=[Bind(stubs, "/run/stubs")],
                    )
                    if not result.ok:
                        raise RdoError(f"The root's package database: {result.tail.strip()[-1000:]}")
                    shutil.rmtree(stubs)
                    shutil.rmtree(work / "root" / "run", ignore_errors=True)
                    shutil.rmtree(work / "work")
                    work.rename(folder)
        return Layer(f"rpmdb:{identity}", folder / "root")


def _order(info: RpmInfo) -> tuple[str, str, str]:
    return info.name, info.evr, info.sha256


#: Enters packages into the rpmdb without touching files.
JUST_DB = (
    "rpm -i --justdb --nodeps --nosignature --nodigest --noscripts --notriggers --noplugins"
    " --oldpackage --replacepkgs"
)

_UNPACK = r"""
for sha in "$@"; do
    mkdir "$sha/root"
    cd "$sha/root"
    if command -v rpm2archive >/dev/null; then
        rpm2archive -n - <../package.rpm | tar -x --no-same-owner
    else
        rpm2cpio ../package.rpm | cpio --quiet -idm
    fi
    for top in bin sbin lib lib64; do
        if [ -d "$top" ] && [ ! -L "$top" ]; then
            mkdir -p "usr/$top"
            cp -a "$top/." "usr/$top/"
            rm -rf "$top"
        fi
    done
    chmod 755 .
    cd ../..
done
"""
