"""The RPMs of a platform's own repositories, as what roots are made of.

They carry real requirements, so the solver's selection is the closure. Packages of the base stand fixed:
another version of one is never laid over it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from rdo.building.platform_packages import Chosen, Held
from rdo.building.platform_records import offered
from rdo.building.roots import Layer, Root, ensure_build_root, ensure_tools, temporary
from rdo.building.rpm_layers import RpmLayers
from rdo.building.rpm_pool import RpmPool, RpmSource
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind
from rdo.building.solver import Unsatisfied
from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, sha256_bytes, write_atomically
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.common.settings import Settings
from rdo.distribution.models import DnfRoot, Platform
from rdo.distribution.rpm_repositories import resolved

# Raised when a base's records or its rpmdb layer are made in another way.
_FORMAT = 1
_RECORDS = TypeAdapter(list[RpmInfo])


def source_of(platform: Platform, settings: Settings) -> RpmSource:
    """Return where a platform's packages come from.

    :raises InputError: a setting is missing, or a folder that it names is not there
    """
    assert isinstance(platform.root, DnfRoot)
    release = platform.root.releasever.partition("-")[0].partition(".")[0]
    source = RpmSource(
        resolved(platform, settings.el_mirror, settings.el_key),
        platform.architecture,
        f"platform:el{release}",
    )
    for bind in source.binds():
        if not bind.source.exists():
            raise InputError(
                f"{platform.name} is made from {bind.source}, which is not there.",
                hint="RDO_EL_MIRROR names the folder or address of the mirror.",
            )
    return source


class RpmPackages:
    """The RPMs of a platform (see :class:`rdo.building.platform_packages.PlatformPackages`).

    :param root: a minimal build root whose rpmdb says what is in it
    :param tools: a root that has dnf
    """

    def __init__(self, source: RpmSource, root: Root, tools: Root, installation: Installation) -> None:
        paths = installation.paths
        self._layers = RpmLayers(root, paths)
        self.root = Root((_rpmdb(root, paths), *root.layers))
        self._vendor = source.module_platform.rpartition(":")[2] or "platform"
        self.base = self.standing = installed_rpms(self.root, paths)
        self.pool = RpmPool(source, root.id, tools, self._layers, installation)
        names = {info.name for info in self.base}
        offers = [info for info in self.pool.records() if info.name not in names]
        self.records = [*self.base, *offers]
        self._index: dict[str, list[RpmInfo]] = {}
        for info in self.records:
            for name in offered(info):
                self._index.setdefault(name, []).append(info)

    @classmethod
    def open(
        cls, platform: Platform, installation: Installation, progress: Progress | None = None
    ) -> RpmPackages:
        """Return a platform's packages; its base root is made if it is not there.

        :raises InputError: its repositories are not configured
        :raises RdoError: the base root could not be made, or the metadata could not be had
        """
        source = source_of(platform, installation.settings)
        tools = ensure_tools(platform, installation, progress)
        return cls(source, ensure_build_root(platform, installation, progress), tools, installation)

    def offering(self, name: str) -> list[RpmInfo]:
        """Return the base's and the repositories' packages with a capability of this name."""
        return self._index.get(name, [])

    def choose(self, selected: Sequence[RpmInfo], ours: Collection[str] = ()) -> Chosen:
        """Return those of a selection that the base lacks."""
        there = {info.sha256 for info in self.base}
        rpms = tuple(info for info in selected if info.sha256 not in there and info.name not in ours)
        return Chosen(records=rpms, layers=tuple(self._layers.layer(info).id for info in rpms), rpms=rpms)

    def held(self, chosen: Chosen) -> list[Held]:
        """Return the RPMs of the base and those that were chosen."""
        return [Held.of_rpm(info, self._vendor) for info in (*self.base, *chosen.rpms)]

    def fetch(self, chosen: Chosen, progress: Progress | None = None) -> None:
        """Download what is missing through dnf, which checks it."""
        self.pool.fetch(chosen.rpms, progress)

    def learn(self, problems: Sequence[Unsatisfied]) -> bool:
        """Do nothing: repositories tell all of their packages."""
        return False

    def refresh(self) -> None:
        """Do nothing: a platform's packages stand still over one base root."""

    def layers(self, chosen: Chosen) -> list[Layer]:
        """Return the RPMs' layers, and the base's."""
        return [*(self._layers.layer(info) for info in chosen.rpms), *self.root.layers]

    def database(self, chosen: Chosen) -> list[Path]:
        """Return the packages themselves."""
        return [self._layers.file(info) for info in chosen.rpms]


def installed_rpms(root: Root, paths: Paths) -> list[RpmInfo]:
    """Return what a root's rpmdb says is installed; the answer is kept.

    Plain requirements are left out, since what is installed stands. Rich ones stay: ``(annobin if gcc)`` may
    ask for more as more comes. Keys are no packages.

    :raises RdoError: the rpmdb can't be read, or it is empty
    """
    kept = paths.cache / "rpm-repositories" / f"installed-{sha256_bytes(f'{_FORMAT}{root.id}'.encode())}.json"
    if kept.exists():
        return _RECORDS.validate_json(kept.read_bytes())
    with temporary(kept.parent) as folder:
        result = root.sandbox(paths).run(
            ["sh", "-c", 'rpm -qa --qf "$0" >/out/packages', _QUERY],
            user="root",
            binds=[Bind(folder, "/out", writable=True)],
        )
        if not result.ok:
            raise RdoError(f"The root's packages can't be listed: {result.tail.strip()[-1000:]}")
        found = [_installed(block) for block in (folder / "packages").read_text().split("\n\n") if block]
    records = [info for info in found if info.name != "gpg-pubkey"]
    if not records:
        raise RdoError("The base root's package database is empty.")
    records.sort(key=lambda info: info.nevra)
    write_atomically(kept, _RECORDS.dump_json(records).decode(), durable=False)
    return records


_QUERY = (
    r"N %{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n[P %{PROVIDENEVRS}\n]"
    r"[R %{REQUIRENEVRS}\n][C %{CONFLICTNEVRS}\n][O %{OBSOLETENEVRS}\n][F %{FILENAMES}\n]\n"
)


def _installed(block: str) -> RpmInfo:
    said: dict[str, list[str]] = {kind: [] for kind in "NPRCOF"}
    for line in block.splitlines():
        if line[:1] in said and line[1:2] == " ":
            said[line[0]].append(line[2:])
    name, epoch, version, release, architecture = said["N"][0].split("\t")
    return RpmInfo(
        name=name,
        epoch=epoch,
        version=version,
        release="" if release == "(none)" else release,
        arch="noarch" if architecture == "(none)" else architecture,
        provides=tuple(said["P"]),
        requires=tuple(text for text in said["R"] if text.startswith("(")),
        conflicts=tuple(said["C"]),
        obsoletes=tuple(said["O"]),
        files=tuple(said["F"]),
        sha256=f"installed:{sha256_bytes(block.encode())}",
    )


def _rpmdb(root: Root, paths: Paths) -> Layer:
    """Return a layer with the base's rpmdb at the place where the root's own rpm looks for it.

    The rpm that installed the base may have been another system's, with another place for its database.
    """
    identity = sha256_bytes(f"{_FORMAT} {root.id}".encode())
    folder = paths.layers / "rpmdb" / identity
    if not folder.exists():
        with locked(folder.with_suffix(".lock")), temporary(folder.parent) as work:
            if not folder.exists():
                result = root.sandbox(paths).run(["sh", "-ec", _MOVE], user="root", keep=work)
                if not result.ok:
                    raise RdoError(f"The root's package database: {result.tail.strip()[-1000:]}")
                work.rename(folder)
    return Layer(f"rpmdb:{identity}", folder / "root")


_MOVE = r"""
own=$(rpm --eval '%{_dbpath}')
if [ -z "$(rpm -qa)" ]; then
    for other in /var/lib/rpm /usr/lib/sysimage/rpm; do
        if [ "$other" != "$own" ] && [ -e "$other/rpmdb.sqlite" ]; then
            mkdir -p "$own"
            cp -a "$other/." "$own/"
        fi
    done
fi
"""
