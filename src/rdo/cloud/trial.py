"""Trying a published repository on a fresh host: everything is installed together, and looked at.

What the solver says of packages (:mod:`rdo.repository.closure`) is said by the real dnf here, and what only a
running system knows is asked: whether rpm finds its files as they were packaged, systemd its units in order,
and oslo.config each file of configuration in keeping with the option schema that its package ships.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rdo.building.planner import RootPlanner
from rdo.building.rpminfo import RpmInfo
from rdo.cloud.apply import Applier
from rdo.cloud.plan import Part, Plan, Target
from rdo.cloud.roles import repository
from rdo.cloud.shell import sh
from rdo.cloud.testhosts import hosts, image
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.testhosts.serving import serve_repository
from rdo.cloud.testhosts.ssh import run_ssh
from rdo.cloud.topology import Repository
from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.models import Platform
from rdo.repository import keys
from rdo.repository.closure import published_infos
from rdo.repository.publish import show
from rdo.repository.release_rpm import NAME
from rdo.repository.upgrade import upgrade_path

_LIMIT = 3600.0  # seconds for one step on the host


class Checked(Part):
    """One thing that was tried: how long it took, and what was wrong."""

    name: str
    seconds: float
    problems: tuple[str, ...] = ()


class Trial(Part):
    """What trying a repository found. ``packages`` is how many binary packages were installed."""

    host: str
    series: str
    packages: int
    checks: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not any(check.problems for check in self.checks)


@dataclass(frozen=True)
class _Published:
    """A series' published binary packages."""

    series: str
    everything: tuple[RpmInfo, ...]

    @cached_property
    def infos(self) -> list[RpmInfo]:
        """What can be installed together."""
        return together(self.everything)

    @property
    def names(self) -> list[str]:
        return sorted({info.name for info in self.infos})


def try_repository(
    series: str,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    name: str,
    upgrade_from: str | None = None,
) -> Trial:
    """Install everything that is published of a series on a fresh host, and look at it.

    :param name: of the host, which is made here and stays; an older one of that name is destroyed
    :param upgrade_from: a series that is installed first, all of it, and then upgraded by ``dnf upgrade``
    :raises InputError: nothing is published, hosts of this platform can't be made, or not root
    :raises UnsatisfiedError: the packages can't be installed together
    :raises RdoError: the host could not be made or reached
    """
    hosts.require_root()
    image.require_hosts(platform)
    told = [
        _published(installation.paths, platform, each) for each in (upgrade_from, series) if each is not None
    ]
    host = _fresh_host(installation, platform, told, name, progress)
    trial = _Trial(installation.paths, platform, host, progress)
    first, last = told[0], told[-1]
    trial.enable(first.series)
    trial.check(f"install {len(first.names)} packages of {first.series}", lambda: trial.install(first))
    if first is not last and trial.ok:
        trial.enable(last.series)
        left = _left(first, last, platform, installation)
        trial.check(f"upgrade to {last.series}", lambda: trial.upgrade(first, last, left))
        # what stays of the old series may be in the way of some of the new one
        last = _Published(last.series, tuple(together([*last.everything, *left])))
        trial.check(f"install what is new in {last.series}", lambda: trial.install(last))
    if trial.ok:
        trial.check("files as packaged (rpm -V)", lambda: trial.verify(last))
        trial.check("units (systemd-analyze verify)", lambda: trial.units(last))
        trial.check("configuration (oslo-config-validator)", trial.configuration)
    return Trial(host=name, series=series, packages=len(last.names), checks=tuple(trial.checks))


def _published(paths: Paths, platform: Platform, series: str) -> _Published:
    return _Published(series, tuple(published_infos(show(paths, platform.name, series).path, paths)))


def together(infos: Sequence[RpmInfo]) -> list[RpmInfo]:
    """Leave out packages that say that they conflict with others of them, and what needs those.

    A conflict with some versions only is no reason: those may not be the ones that are here.
    """
    names = {info.name for info in infos}
    left = [info for info in infos if names.isdisjoint(info.conflicts)]
    gone = [info for info in infos if info not in left]
    while gone:
        offered = {provide.split()[0] for info in left for provide in (info.name, *info.provides)}
        lost = {provide.split()[0] for info in gone for provide in (info.name, *info.provides)} - offered
        gone = [info for info in left if any(text.split()[0] in lost for text in info.requires)]
        left = [info for info in left if info not in gone]
    return left


def _left(old: _Published, new: _Published, platform: Platform, installation: Installation) -> list[RpmInfo]:
    """Return what of the old series stays on hosts, left to the platform."""
    records = RootPlanner(platform, installation).records
    path = upgrade_path(old.everything, new.everything, records, architecture=platform.architecture)
    return [info for info in old.infos if info.nevra in path.left]


def _fresh_host(
    installation: Installation,
    platform: Platform,
    published: Sequence[_Published],
    name: str,
    progress: Progress,
) -> TestHost:
    """Make a host that has what the packages need of the platform, and nothing of ours."""
    paths = installation.paths
    planner = RootPlanner(platform, installation, progress)
    debs: set[str] = set()
    for one in published:
        wanted = [f"{info.name} = {info.evr}" for info in one.infos]
        plan = planner.plan(wanted, one.infos, what=f"a host with all of {one.series}")
        debs |= {deb.name for deb in plan.debs}
    layers = image.ensure_host_base(platform, installation, sorted(debs), progress)
    if name in {host.name for host in hosts.list_hosts(paths)}:
        hosts.destroy(paths, [name])
    return hosts.create(paths, [name], layers=layers, platform=platform.name, progress=progress)[0]


class _Trial:
    """The checks on one host."""

    def __init__(self, paths: Paths, platform: Platform, host: TestHost, progress: Progress) -> None:
        self.paths, self.platform, self.host, self.progress = paths, platform, host, progress
        self.checks: list[Checked] = []

    @property
    def ok(self) -> bool:
        return not any(check.problems for check in self.checks)

    def check(self, name: str, look: Callable[[], list[str]]) -> None:
        began = time.monotonic()
        with self.progress.task(name):
            problems = look()
        done = Checked(name=name, seconds=time.monotonic() - began, problems=tuple(problems))
        self.checks.append(done)
        state = f"{len(problems)} problems" if problems else "in order"
        self.progress.message(f"{self.host.name}: {name}: {state} ({done.seconds:.1f} s)")

    def enable(self, series: str) -> None:
        """Give the host a series' repository, signatures checked."""
        published = Repository(
            series=series,
            platform=self.platform.name,
            server=serve_repository(self.paths, self.paths.repositories),
            public_key=keys.load(self.paths).public,
        )
        plan = Plan(host=self.host.name, steps=repository.steps(published))
        target = Target(host=self.host.name, ssh_config=str(self.host.ssh_config))
        with Applier() as applier:
            report = applier.apply([plan], [target])
        if not report.ok:
            raise RdoError(f"{self.host.name} can't use the repository: {report.steps[-1].error}")

    # what is tried

    def install(self, published: _Published) -> list[str]:
        return self._dnf("install", *published.names)

    def upgrade(self, old: _Published, new: _Published, left: Sequence[RpmInfo]) -> list[str]:
        problems = self._dnf("upgrade")
        if problems:
            return problems
        format_ = "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"
        listed = run_ssh(self.host, ["rpm", "-qa", "--qf", format_], timeout=_LIMIT).stdout
        there = dict(line.split(" ") for line in listed.splitlines())
        expected = {info.name: f"{info.epoch or 0}:{info.version}-{info.release}" for info in new.everything}
        stay = {info.name for info in left}
        return [
            f"{name} is {there[name]} after the upgrade, not {expected.get(name, 'gone')}"
            for name in old.names
            if name in there and name not in stay and there[name] != expected.get(name)
        ]

    def verify(self, published: _Published) -> list[str]:
        # the repository's address is this host's own
        names = [name for name in published.names if name != NAME]
        return self._run(["rpm", "-V", *names])[1].splitlines()

    def units(self, published: _Published) -> list[str]:
        listing = sh(
            "rpm -ql %(names)s | grep '^/usr/lib/systemd/system/.*[.]service$'", names=published.names
        )
        listed = self._run(["sh", "-c", listing.reveal()])[1].splitlines()
        # a template is verified as one of its instances
        units = [line.replace("@.", "@1.") for line in listed]
        if not units:
            return []
        status, words = self._run(["systemd-analyze", "verify", "--man=no", *units])
        return words.splitlines() if status else []

    def configuration(self) -> list[str]:
        return [line for line in self._run(["sh", "-c", _VALIDATE])[1].splitlines() if line]

    def _dnf(self, *words: str) -> list[str]:
        status, output = self._run(["dnf", "-y", "--setopt=install_weak_deps=False", *words])
        return output.splitlines()[-40:] if status else []

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        done = run_ssh(self.host, command, check=False, timeout=_LIMIT)
        return done.status, done.stdout + done.stderr


# Each file of configuration against the schema of its package; our defaults against the service's schema.
_VALIDATE = r"""
for schema in /usr/share/*/*-schema.yaml; do
    project=$(basename "$(dirname "$schema")")
    stem=$(basename "$schema" -schema.yaml)
    for file in $(find "/etc/$project" -name "$stem.conf" -o -name "$stem.ini") \
        "/usr/share/$project/$stem-dist.conf"; do
        [ -f "$file" ] || continue
        words=$(oslo-config-validator --input-file "$file" --opt-data "$schema" 2>&1) ||
            echo "$file: $words"
    done
done
"""
