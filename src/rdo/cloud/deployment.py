"""A cloud as it is known on this machine: its topology, secrets and certificates, and putting it up.

It is in ``<state>/clouds/<name>``: ``cloud.json``, ``passwords.json`` (0600), ``pki`` (0700), ``logs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from rdo.cloud import repositorykey
from rdo.cloud.credentials import Credentials
from rdo.cloud.differences import hidden
from rdo.cloud.given import Given, ceph_keys, kept_faults
from rdo.cloud.passwordrules import fault
from rdo.cloud.pki import Authority
from rdo.cloud.plan import Plan, Target
from rdo.cloud.records import keep_topology
from rdo.cloud.roles import plans
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.testhosts.serving import serve_repository
from rdo.cloud.topology import LOCAL, Cloud, PlatformNames, Repository, Service, Site
from rdo.common.errors import DataError, InputError
from rdo.common.paths import Paths
from rdo.distribution.models import Platform, Release
from rdo.repository import keys
from rdo.repository.snapshots import current, folder_of

#: What is built for each service, by index names; and what all of them take from a Python driver.
DRIVERS = ("pymysql", "pymemcache")
CLIENT = "python-openstackclient"
#: service -> its own client, which its role installs beside it and nothing else needs
CLIENTS: Mapping[Service, str] = {
    service: f"python-{service}client" for service in ("swift", "barbican", "ironic", "heat")
}
#: The package that `rdo cloud verify --tempest` installs on the controller.
TEMPEST = "openstack-tempest"


@dataclass(frozen=True)
class Deployment:
    """One cloud, as far as files on this machine describe it.

    ``certificates`` says when hosts' ones end, ``origin`` names the operator's file that it is from.
    """

    site: Site
    credentials: Credentials
    plans: Sequence[Plan]
    targets: Sequence[Target]
    folder: Path
    certificates: Mapping[str, datetime]
    authority: Authority
    platform: Platform
    origin: Path | None = None

    @property
    def name(self) -> str:
        """The cloud's name."""
        return self.site.cloud.name

    @property
    def secrets(self) -> list[str]:
        """What is hidden in what programs print: secrets as they are, and in each form that plans have."""
        return hidden(self.plans, self.credentials.values())

    @property
    def rows(self) -> list[tuple[Plan, Target]]:
        """Each plan, and how its host is reached."""
        return [*zip(self.plans, self.targets, strict=True)]

    @property
    def controller(self) -> Target:
        """How the controller is reached."""
        wanted = self.site.cloud.controller.name
        return next(target for plan, target in self.rows if plan.host == wanted)

    def part(self, wanted: Callable[[Plan], bool]) -> Deployment:
        """Return what is to be done on some of the hosts."""
        kept = [(plan, target) for plan, target in self.rows if wanted(plan)]
        return replace(self, plans=[plan for plan, _ in kept], targets=[target for _, target in kept])

    def joining(self, name: str) -> Deployment:
        """Return what is to be done when a host joins: its own plan, and what the others are told of it."""
        return replace(self, plans=[plan if plan.host == name else plan.about_hosts() for plan in self.plans])

    def telling(self) -> Deployment:
        """Return what is to be done when a host has left: the others are told of it."""
        return replace(self, plans=[plan.about_hosts() for plan in self.plans])

    @property
    def is_fresh(self) -> bool:
        """Whether secrets were made anew that are not kept yet."""
        return bool(self.credentials.fresh) or self.authority.is_fresh

    def keep(self) -> None:
        """Keep the topology, and passwords and certificates that were made, before any host hears of them."""
        keep_topology(self.folder, self.site.cloud, origin=self.origin)
        self.credentials.keep()
        self.authority.keep()

    @property
    def steps(self) -> int:
        """How many steps all plans have."""
        return sum(len(plan.steps) for plan in self.plans)


def asked_for(services: Sequence[Service]) -> list[str]:
    """Return the names of what has to be built for a cloud of these services."""
    return [*services, CLIENT, *(CLIENTS[one] for one in services if one in CLIENTS), *DRIVERS]


def names_of(platform: Platform) -> PlatformNames:
    """Return what a platform calls things, by its description; EL's names where it says nothing."""
    found = {}
    for field in PlatformNames.model_fields:
        value = platform.services.get(field, platform.services.get(field.removesuffix("_unit")))
        if value is not None:
            found[field] = value
    return PlatformNames(**found)


def describe(
    paths: Paths,
    cloud: Cloud,
    release: Release,
    platform: Platform,
    *,
    test_hosts: Mapping[str, TestHost] | None = None,
    all_run: bool = True,
    given: Mapping[str, Given] | None = None,
) -> Deployment:
    """Work out the plans of a cloud; its passwords and certificates are made where there are none yet.

    They are kept when the plans are applied, and not before.

    :param test_hosts: those of its hosts that are test hosts, by name
    :param all_run: what is to be done needs all of them
    :param given: passwords that take the place of those that are kept
    :raises InputError: a test host doesn't run, or there is no repository
    :raises DataError: passwords are unusable, all of them; none was kept
    """
    known = test_hosts or {}
    for host in known.values():
        if all_run and host.state != "running":
            raise InputError(f"{host.name} is {host.state}.", hint=f"rdo host start {host.name}")
    server = cloud.repository
    if server is None:
        if current(folder_of(paths, platform.name, release.series)) is None:
            raise InputError(
                f"There is no repository of {release.series} for {platform.name} yet.",
                hint=f"rdo build --release {release.series} {' '.join(asked_for(cloud.services))}",
            )
        if not known:
            raise InputError(
                "The cloud's file doesn't say where its hosts get their packages.",
                hint="repository: URL above the published repositories (see rdo repo serve).",
            )
        server = serve_repository(paths, paths.repositories)
    site = Site(
        cloud=cloud,
        repository=Repository(
            series=release.series,
            platform=platform.name,
            server=server,
            public_key=(
                repositorykey.kept(paths, cloud).read_text() if cloud.repository else keys.load(paths).public
            ),
        ),
        names=names_of(platform),
    )
    folder = paths.clouds / cloud.name
    kept = Credentials(folder / "passwords.json")
    brought = {**ceph_keys(cloud, kept), **(given or {})}
    authority = Authority(folder / "pki")
    _check_secrets(kept, brought, lambda secrets: plans(site, secrets, authority))
    credentials = Credentials(kept.path, {name: one.value for name, one in brought.items()})
    made = plans(site, credentials, authority)
    return Deployment(
        site=site,
        credentials=credentials,
        plans=made,
        targets=[_target(host.name, cloud, known) for host in cloud.hosts],
        folder=folder,
        authority=authority,
        platform=platform,
        certificates={host.name: authority.host(host.name, host.address).ends for host in cloud.hosts},
    )


def _check_secrets(
    kept: Credentials, brought: Mapping[str, Given], asking: Callable[[Credentials], object]
) -> None:
    """Refuse secrets that a reader would not read back, that nothing asks for, or that lock existing data.

    :param asking: asks for all secrets that the cloud has
    :raises DataError: all of them, each with its place; nothing was kept
    """
    problems = kept_faults(kept, brought)
    if brought and not problems:
        # in the place of what may be unusable
        tried = Credentials(kept.path, {name: SecretStr("0" * 32) for name in brought})
        asking(tried)
        problems += [
            brought[name].problem(f"this cloud has no password {name}; passwords.json has the names")
            for name in tried.unused
        ]
    given = Credentials(kept.path, {name: one.value for name, one in brought.items()})
    for name, one in brought.items():
        message = fault(name, one.value.get_secret_value())
        if message is None and name in given.replacing():
            message = "there is one already; with another one, what is kept can't be read"
        if message is not None:
            problems.append(one.problem(f"{name}: {message}"))
    if problems:
        raise DataError(problems)


def _target(name: str, cloud: Cloud, test_hosts: Mapping[str, TestHost]) -> Target:
    if name in test_hosts:
        return Target(host=name, ssh_config=str(test_hosts[name].ssh_config))
    host = next(one for one in cloud.hosts if one.name == name)
    if host.ssh == LOCAL:
        return Target(host=name, local=True)
    user, at, address = (host.ssh or str(host.address)).rpartition("@")
    return Target(host=address, user=user if at else "root")
