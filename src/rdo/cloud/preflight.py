"""What can be wrong with hosts before anything is changed on them: all of it is said at once.

Hosts are asked side by side, one command each: whether they answer, what they run, how much memory and disk
they have, what their clock says, whether a port that the plan needs is another program's.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from rdo.cloud import networkchecks, ownership
from rdo.cloud.deployment import Deployment
from rdo.cloud.plan import WRITTEN, Target
from rdo.cloud.roles import firewall
from rdo.cloud.roles.node import Node
from rdo.cloud.shell import lines, sh
from rdo.cloud.ssh import run_on
from rdo.cloud.topology import Host, Role
from rdo.common.errors import InputError
from rdo.common.process import CommandError

_PATIENCE = 30.0
_SKEW = 5.0
"""Seconds that a clock may be off: tokens and certificates of the future are refused."""
#: MiB of memory that a role takes at least, measured as PSS of an idle cloud, machines apart
_MEMORY = {Role.CONTROLLER: 3584, Role.COMPUTE: 768, Role.NETWORK: 256, Role.STORAGE: 1024}
_EPMD = 4369
"""All Erlang programs of a host share what listens there, and leave it behind."""
_DISK = 4
"""GiB for packages, logs and databases; a small Ceph takes its size besides."""
_FACTS = ("platform", "time", "memory", "disk", "ceph", "marked")

_LOOK = lines(
    [
        sh("""
. /etc/os-release
echo "platform|$ID|${VERSION_ID%%.*}|$ID_LIKE"
echo "time|$(date +%s.%N)"
echo "memory|$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)"
echo "disk|$(df --output=avail -BG /var/lib | tail -1 | tr -dc 0-9)"
test ! -e /etc/ceph/ceph.conf || echo "ceph|$(head -n 1 /etc/ceph/ceph.conf)"
echo "marked|$(test -e /etc/pki/rdo/host.crt && echo yes)"
ss -Hltnp | awk '{print "port|" $4 "|" $6}'
"""),
        networkchecks.LOOK,
        ownership.LOOK,
    ]
)


def check(deployment: Deployment, *, taking_over: bool = False) -> None:
    """Look at all hosts of a deployment.

    :param taking_over: the hosts may have a cloud with other secrets
    :raises OwnershipError: they have, and it is not to be taken over
    :raises InputError: what is wrong with them, a line each
    """
    cloud = deployment.site.cloud
    with ThreadPoolExecutor(max_workers=16) as pool:
        rows = list(
            pool.map(
                lambda row: _check(deployment, row[0], row[1]),
                zip(cloud.hosts, deployment.targets, strict=True),
            )
        )
    lines = [line for found, _ in rows for line in found]
    foreign = [line for _, found in rows for line in found]
    if foreign and not taking_over:
        ownership.refuse(deployment, [*lines, *foreign])
    if lines:
        raise InputError(
            "\n".join(lines), hint="Nothing was changed. --no-checks goes on all the same, at your own risk."
        )


def _check(deployment: Deployment, host: Host, target: Target) -> tuple[list[str], list[str]]:
    began = time.time()
    try:
        done = run_on(target, _LOOK, timeout=_PATIENCE)
    except CommandError:
        return [f"{host.name} does not answer within {_PATIENCE:.0f} s."], []
    if done.status != 0:
        words = done.stderr.strip().splitlines() or ["no answer"]
        return [f"{host.name} can't be reached over SSH: {words[-1]}"], []
    wrong = judge(deployment, host, done.stdout, began=began, ended=time.time())
    wrong += networkchecks.judge(deployment.site.cloud, host, target, done.stdout)
    wrong += ownership.lost_credential_keys(host.name, done.stdout)
    return wrong, ownership.judge(deployment, host.name, done.stdout)


def judge(deployment: Deployment, host: Host, said: str, *, began: float, ended: float) -> list[str]:
    """Return what is wrong with a host by what it said of itself.

    :param began: seconds since 1970 when it was asked
    :param ended: when it had answered
    """
    rows = [line.split("|") for line in said.splitlines()]
    facts = {row[0]: row[1:] for row in rows if row[0] in _FACTS}
    wrong = []
    name, version, like = (*facts["platform"], "", "")[:3]
    platform = deployment.site.repository.platform
    if not _fits(platform, name, version, like):
        wrong.append(f"{host.name} runs {name} {version}, and the cloud's packages are for {platform}.")
    now = float(facts["time"][0])
    off = max(began - now, now - ended, 0.0)
    if off > _SKEW:
        wrong.append(f"{host.name}'s clock is off by {off:.0f} s.")
    memory, wanted = int(facts["memory"][0]), sum(_MEMORY[role] for role in host.roles)
    if memory < wanted:
        wrong.append(f"{host.name} has {memory} MiB of memory; its roles take {wanted}.")
    # what is there already has its room
    if facts["marked"][0] == "yes":
        return wrong
    conf = facts.get("ceph", [WRITTEN])
    if deployment.site.cloud.uses_ceph and "|".join(conf) != WRITTEN:
        wrong.append(
            f"{host.name} has an /etc/ceph/ceph.conf of others, which the cloud's would take the place of."
        )
    room = _DISK
    if Role.STORAGE in host.roles and deployment.site.cloud.makes_ceph:
        room += deployment.site.cloud.storage.size
    if (disk := int(facts["disk"][0])) < room:
        wrong.append(f"{host.name} has {disk} GiB left below /var/lib; {room} are needed.")
    node = Node(deployment.site, host, deployment.credentials, deployment.authority)
    ports = {int(port) for port in [*firewall.public(node), *firewall.internal(node)] if port.isdigit()}
    ports.discard(_EPMD)
    taken = {}
    for row in rows:
        if row[0] == "port" and (port := int(row[1].rpartition(":")[2])) in ports:
            # users:(("nginx",pid=7,fd=6))
            program = row[2].partition('"')[2].partition('"')[0] if len(row) > 2 else ""
            taken[port] = program or "another program"
    wrong += [f"{host.name}: port {port} is taken by {program}." for port, program in sorted(taken.items())]
    return wrong


def _fits(platform: str, name: str, version: str, like: str) -> bool:
    if platform.startswith("el"):
        return version == platform[2:] and "rhel" in (name, *like.split())
    # debian13, and what is like it
    return platform.partition("-")[0] == f"{name}{version}"
