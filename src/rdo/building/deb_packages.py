"""Debs as a platform's packages: RPM knows them by stubs, roots have them as unpacked layers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from rdo.building.debs import Deb, DebPool
from rdo.building.platform_packages import Chosen, Held
from rdo.building.platform_records import PlatformRecords
from rdo.building.roots import Layer, Root, ensure_build_root, temporary
from rdo.building.rpm_layers import JUST_DB
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind, Sandbox, scratch_folder
from rdo.building.solver import Unsatisfied
from rdo.building.stubs import Names, describe_installed, write_stub_rpms
from rdo.common.errors import RdoError
from rdo.common.files import locked, sha256_bytes
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.models import Platform

_SONAME = re.compile(r"^(lib[^()\s]*?)\.so\.([\w.]+)\(")


class DebPackages:
    """The debs of a platform (see :class:`rdo.building.platform_packages.PlatformPackages`).

    :raises RdoError: the base root could not be made
    """

    #: Stubs have no conditions.
    standing: Sequence[RpmInfo] = ()

    def __init__(
        self, platform: Platform, installation: Installation, progress: Progress | None = None
    ) -> None:
        paths = installation.paths
        self.platform, self.paths = platform, paths
        self.root = ensure_build_root(platform, installation, progress)
        self.names = Names(platform)
        self.pool = DebPool(self.root, installation)
        base = Root(self.root.layers[-1:])
        self.base = [
            *describe_installed(base, self.names, paths),
            self.names.platform_record(base.layers[-1].path),
        ]
        fixed = [*self.base, *self.names.meta_records()]
        self._records = PlatformRecords(fixed, self.names, self.pool, paths.layers / "facts")
        self.refresh()

    @property
    def records(self) -> list[RpmInfo]:
        """What the platform offers, as far as is known without fetching more of it."""
        return list(self._records)

    def offering(self, name: str) -> Iterator[RpmInfo]:
        """Yield the records with a capability of this name, whatever its version."""
        return self._records.offering(name)

    def choose(self, selected: Sequence[RpmInfo], ours: Collection[str] = ()) -> Chosen:
        """Return the debs behind a selection with what they need, and their stubs."""
        debs = self.pool.closure(name for info in selected for name in self._deb_names(info))
        stubs = [self._records.of_deb(deb.name) or self._record(deb) for deb in debs]
        stubs += [info for info in selected if info.sha256.startswith("meta:")]
        return Chosen(
            records=tuple(info for info in stubs if info.name not in ours),
            layers=tuple(self.pool.layer(deb).id for deb in debs),
            debs=debs,
        )

    def held(self, chosen: Chosen) -> list[Held]:
        """Return the debs of the base and those that were chosen."""
        base = [Held("deb", "debian", name, version) for name, version in sorted(self.pool.base.items())]
        return base + [Held("deb", "debian", deb.name, deb.version, deb.sha256) for deb in chosen.debs]

    def fetch(self, chosen: Chosen, progress: Progress | None = None) -> None:
        """Fetch debs, all that are missing in one go, and learn what is in them."""
        self._fetch(chosen.debs, progress)

    def learn(self, problems: Sequence[Unsatisfied]) -> bool:
        """Fetch debs that are named after missing libraries: their contents tell who provides what.

        It is needed where the cache of layers is younger than our RPMs that link to such a library.
        """
        found = []
        for problem in problems:
            if match := _SONAME.match(problem.requirement):
                stem, version = match[1].lower().replace("_", "-"), match[2]
                names = (f"{stem}{version}", f"{stem}-{version}", f"{stem}{version}t64")
                found += [deb for name in names if (deb := self.pool.get(name)) is not None]
        return self._fetch(found)

    def refresh(self) -> None:
        """Learn what is in the debs that were fetched meanwhile, by this process or another."""
        self._records.refresh()

    def layers(self, chosen: Chosen) -> list[Layer]:
        """Return the debs' layers, the rpmdb that tells of the base, and the base."""
        return [*(self.pool.layer(deb) for deb in chosen.debs), self._rpmdb(), *self.root.layers]

    def database(self, chosen: Chosen) -> list[Path]:
        """Return the stubs; they are written if they are missing."""
        return list(self._stub_rpms(chosen.records).values())

    def _fetch(self, debs: Iterable[Deb], progress: Progress | None = None) -> bool:
        missing = [deb for deb in debs if not self.pool.fetched(deb)]
        if missing:
            self.pool.fetch(missing, progress)
            self.refresh()
        return bool(missing)

    def _record(self, deb: Deb) -> RpmInfo:
        return self.names.record(deb.name, deb.version, deb.sha256)

    def _deb_names(self, info: RpmInfo) -> list[str]:
        found = [p[4:-1] for p in info.provides if p.startswith("deb(")]
        return [name for name in found if name not in self.pool.base]

    def _stub_rpms(self, records: Sequence[RpmInfo]) -> dict[str, Path]:
        folder = self.paths.layers / "stubs"
        with locked(folder / "write.lock"):
            return write_stub_rpms(records, folder, self.root, self.paths)

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
                    for number, path in enumerate(self._stub_rpms(unique).values()):
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
