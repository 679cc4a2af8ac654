"""The main job, end to end: from OpenStack's sources to a running Keystone on a fresh host."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from rdo.cloud import busy, deployment, records
from rdo.cloud.deployment import asked_for
from rdo.cloud.hostbase import debs_for
from rdo.cloud.plan import ApplyReport, StepResult, Target
from rdo.cloud.roles.keystone import RC_FILE
from rdo.cloud.rollout import put_up
from rdo.cloud.testhosts import hosts, image
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.testhosts.serving import serve_repository
from rdo.cloud.topology import Cloud, Host, Service
from rdo.cloud.verify import Proof, verify
from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.resolution_model import Resolution
from rdo.repository.factory import Made, make_repository

HOST = "keystone"
_COMMAND = "rdo quickstart"
_SERVICES: tuple[Service, ...] = ("keystone",)


class UnbuiltError(RdoError):
    """Not every package could be built."""


@dataclass(frozen=True)
class Outcome:
    """What a quickstart did and where things are; ``seconds`` has one entry a stage."""

    made: Made
    host: TestHost
    report: ApplyReport
    proofs: tuple[Proof, ...]
    repository: str
    passwords: Path
    rc_file: str = RC_FILE
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    name: str = HOST,
    fresh: bool = False,
    jobs: int | None = None,
) -> Outcome:
    """Build what Keystone and the client need, publish it, and put Keystone up on a test host.

    Each stage does only what is not done yet: a second run builds nothing and changes nothing on the host.

    :param name: of the test host; an existing one is used again
    :param fresh: destroy an existing host of that name first
    :raises UnbuiltError: packages failed; the message says which and why
    :raises RdoError: as the rooms do
    """
    paths = installation.paths
    image.require_hosts(platform)
    hosts.require_root()
    records.require_on_test_hosts(paths, name)
    clock = _Clock()
    if fresh and name in {host.name for host in hosts.list_hosts(paths)}:
        # another one may be putting Keystone up on it
        with busy.changing(paths, name, _COMMAND), busy.changing_hosts(paths, [name], _COMMAND):
            hosts.destroy(paths, [name])
    with clock.stage("packages"):
        asked = asked_for(_SERVICES)
        made = make_repository(distribution, release, platform, asked, installation, progress, jobs=jobs)
        if not made.summary.ok or made.published is None:
            raise UnbuiltError(_why(made))
    with busy.changing(paths, name, _COMMAND):
        with clock.stage("host"), busy.changing_hosts(paths, [name], _COMMAND):
            host = _host(installation, platform, made.prepared.resolution, name, progress)
            repository = serve_repository(paths, paths.repositories)
        with clock.stage("keystone"):
            report = _put_up(paths, release, platform, host, progress)
    with clock.stage("verification"):
        proofs = verify(Target(host=host.name, ssh_config=str(host.ssh_config)))
    address = f"{repository}/{platform.name}-{release.series}/"
    passwords = paths.clouds / name / "passwords.json"
    return Outcome(made, host, report, proofs, address, passwords, seconds=clock.seconds)


def _host(
    installation: Installation, platform: Platform, resolution: Resolution, name: str, progress: Progress
) -> TestHost:
    paths = installation.paths
    known = {host.name: host for host in hosts.list_hosts(paths)}
    if name in known:
        if known[name].state == "running":
            return known[name]
        return hosts.start(paths, [name], progress=progress)[0]
    layers = image.ensure_host_base(platform, installation, debs_for(resolution), progress)
    return hosts.create(paths, [name], layers=layers, platform=platform.name, progress=progress)[0]


def _put_up(
    paths: Paths, release: Release, platform: Platform, host: TestHost, progress: Progress
) -> ApplyReport:
    cloud = keystone_alone(host.name, host.address)
    records.remember(paths, cloud)
    described = deployment.describe(paths, cloud, release, platform, test_hosts={host.name: host})
    with progress.task(f"Keystone on {host.name}", described.steps) as task:

        def tell(step: StepResult) -> None:
            task.advance()
            task.describe(step.title)
            if step.changed:
                progress.message(f"{host.name}: {step.title} ({step.seconds:.1f} s)")

        return put_up(described, report=tell)


def keystone_alone(name: str, address: str) -> Cloud:
    """Return a cloud of one service on one host, whose base has no nftables."""
    only = Host(name=name, address=ip_address(address))
    return Cloud(name=name, services=_SERVICES, hosts=(only,), firewall=False)


def _why(made: Made) -> str:
    failed = made.summary.of("failed")
    lines = [f"{result.package}: {result.reason or 'failed'}" for result in failed]
    blocked = len(made.summary.of("blocked"))
    return f"{len(failed)} packages failed and {blocked} wait for them:\n" + "\n".join(lines)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def stages(seconds: dict[str, float]) -> Sequence[str]:
    """Return a line for each stage with its seconds, and their sum."""
    lines = [f"{name:14}{value:8.1f} s" for name, value in seconds.items()]
    return [*lines, f"{'in all':14}{sum(seconds.values()):8.1f} s"]
