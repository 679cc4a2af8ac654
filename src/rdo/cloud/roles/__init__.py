"""What each role puts on a host, as steps of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rdo.cloud.credentials import Credentials
from rdo.cloud.pki import Authority
from rdo.cloud.plan import AnyStep, Plan
from rdo.cloud.roles import (
    barbican,
    base,
    ceph,
    cinder,
    firewall,
    glance,
    heat,
    horizon,
    ironic,
    keystone,
    libvirt,
    mariadb,
    migration,
    neutron,
    nova,
    objects,
    ovn,
    placement,
    rabbitmq,
    repository,
    running,
    swift,
    web,
)
from rdo.cloud.roles.node import Node
from rdo.cloud.topology import Site

#: In the order in which their steps stand within a stage.
_PARTS: tuple[Callable[[Node], Iterator[AnyStep]], ...] = (
    base.steps,
    firewall.steps,
    mariadb.steps,
    rabbitmq.steps,
    web.steps,
    ceph.steps,
    ovn.steps,
    libvirt.steps,
    keystone.steps,
    glance.steps,
    placement.steps,
    neutron.steps,
    nova.steps,
    migration.steps,
    cinder.steps,
    swift.steps,
    barbican.steps,
    ironic.steps,
    heat.steps,
    horizon.steps,
    web.identity,
    keystone.identity,
    web.ready,
    objects.steps,
)


def plans(site: Site, credentials: Credentials, authority: Authority) -> list[Plan]:
    """Return the plan of each host of a site.

    :raises InputError: a password or the certificate authority can't be used
    """
    return [_plan(Node(site, host, credentials, authority)) for host in site.cloud.hosts]


def _plan(node: Node) -> Plan:
    steps = [*repository.steps(node.site.repository)]
    for part in _PARTS:
        steps += part(node)
    if (check := running.step(steps)) is not None:
        steps.append(check)
    return Plan(host=node.host.name, steps=tuple(sorted(steps, key=lambda step: step.stage)))
