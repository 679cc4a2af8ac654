"""An identity service on one host: its topology from what is here, and putting it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from rdo.cloud.apply import apply
from rdo.cloud.credentials import Credentials
from rdo.cloud.plan import ApplyReport, Plan, StepResult, Target
from rdo.cloud.roles import keystone
from rdo.cloud.testhosts import hosts
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.testhosts.serving import serve_repository
from rdo.cloud.topology import PlatformNames, Repository, Topology
from rdo.cloud.verify import Proof, verify
from rdo.common.errors import InputError, RdoError
from rdo.common.paths import Paths
from rdo.distribution.models import Platform, Release
from rdo.repository import keys
from rdo.repository.snapshots import current, folder_of


@dataclass(frozen=True)
class Deployment:
    """One host's cloud, as far as files on this machine describe it."""

    host: TestHost
    target: Target
    topology: Topology
    credentials: Credentials
    plan: Plan
    folder: Path


def names_of(platform: Platform) -> PlatformNames:
    """Return what a platform calls things, by its description; EL's names where it says nothing."""
    known = {name for name in PlatformNames.model_fields if name.endswith(("_confdir", "_socket"))}
    named = {name: value for name, value in platform.services.items() if name in known}
    units = {
        f"{unit}_unit": platform.services[unit]
        for unit in ("httpd", "mariadb", "memcached")
        if unit in platform.services
    }
    return PlatformNames(**named, **units)


def describe(paths: Paths, release: Release, platform: Platform, host: TestHost) -> Deployment:
    """Work out the plan of a running test host; its passwords are made if it has none yet.

    :raises InputError: the host doesn't run, or there is no repository for it yet
    """
    if host.state != "running":
        raise InputError(f"{host.name} is {host.state}.", hint=f"rdo host start {host.name}")
    if current(folder_of(paths, platform.name, release.series)) is None:
        raise InputError(
            f"There is no repository of {release.series} for {platform.name} yet.",
            hint="rdo build keystone python-openstackclient",
        )
    folder = paths.clouds / host.name
    server = serve_repository(paths, paths.repositories)
    topology = Topology(
        host=host.name,
        address=ip_address(host.address),
        repository=Repository(
            series=release.series,
            platform=platform.name,
            server=server,
            public_key=keys.load(paths).public,
        ),
        names=names_of(platform),
    )
    credentials = Credentials(folder / "passwords.json")
    target = Target(host=host.name, ssh_config=str(host.ssh_config))
    return Deployment(host, target, topology, credentials, keystone.plan(topology, credentials), folder)


def put_up(
    deployment: Deployment, *, dry_run: bool = False, report: Callable[[StepResult], None] | None = None
) -> ApplyReport:
    """Apply a deployment's plan; the log of the run is kept beside its passwords.

    :raises RdoError: a step failed; the message names host and step and has the step's last words
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    log = deployment.folder / "logs" / f"{stamp}.log"
    made = apply(deployment.plan, deployment.target, dry_run=dry_run, report=report, log=log)
    if not made.ok:
        failed = made.steps[-1]
        raise RdoError(
            f"On {made.host}, the step {failed.title!r} failed:\n{(failed.error or '').strip()}",
            hint=f"The whole log is {log}. Run it again when the cause is mended; it goes on from there.",
        )
    return made


def prove(paths: Paths, name: str) -> tuple[Proof, ...]:
    """Have the real client on a host issue a token and list the catalog.

    :raises VerificationError: it does not work
    """
    host = hosts.get(paths, name)
    return verify(Target(host=host.name, ssh_config=str(host.ssh_config)))
