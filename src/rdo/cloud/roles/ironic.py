"""Ironic: the API in httpd, the conductor on the controller, what machines boot from over plain HTTP.

Kinds of hardware and of booting are upstream's defaults (IPMI and Redfish). The images of Ironic's agent, and
a network that machines boot from, are the operator's.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, File, Stage
from rdo.cloud.roles import mariadb, web
from rdo.cloud.roles.node import Node, Options, merged
from rdo.cloud.shell import Shell, sh

_BOOT = "/var/lib/ironic/httpboot"
_CONDUCTOR = "openstack-ironic-conductor"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("ironic") and node.is_controller):
        return
    yield node.packages("ironic", "openstack-ironic-api", _CONDUCTOR, "python3-ironicclient")
    yield node.config("ironic", _options(node))
    yield mariadb.schema(
        "ironic", "openstack-ironic-common", sh("runuser -u ironic -- ironic-dbsync upgrade")
    )
    yield _boot_site(node)
    causes = ("ironic-packages", "ironic-configuration")
    daemon = node.daemon(_CONDUCTOR, Stage.SERVICES, group=_CONDUCTOR, restart_after=causes)
    # its unit runs on while its processes end again and again
    yield daemon.model_copy(update={"ready": _registered(node)})


def _options(node: Node) -> Options:
    networked = node.has("neutron")
    others = ("service_catalog", *(one for one in ("glance", "neutron", "nova", "cinder") if node.has(one)))
    return merged(
        node.database("ironic"),
        node.token_check("ironic"),
        node.messaging("ironic"),
        {
            "DEFAULT": {
                "host": node.host.name,
                "my_ip": str(node.host.address),
                "enabled_network_interfaces": "flat,noop" if networked else "noop",
                "default_network_interface": "flat" if networked else "noop",
            },
            "api": {"public_endpoint": node.site.url(web.port("ironic"))},
            "deploy": {
                "http_url": f"http://{node.site.controller}:{web.IRONIC_BOOT}",
                "http_root": _BOOT,
            },
        },
        {section: node.account("ironic") for section in others},
    )


def _registered(node: Node) -> Shell:
    """Return a script that succeeds when the conductor has reported within the last minute."""
    there = "online = 1 AND TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP()) < 60"
    query = f"SELECT COUNT(*) FROM ironic.conductors WHERE hostname = '{node.host.name}' AND {there}"
    return sh('test "$(mariadb -NBe %(query)s)" = 1', query=query)


def _boot_site(node: Node) -> File:
    port = web.IRONIC_BOOT
    return web.written_site(
        node,
        "ironic-boot",
        f"Listen {port}\n<VirtualHost *:{port}>\n"
        "    # the firmware of machines knows no authority of ours\n"
        "    SSLEngine off\n"
        f'    DocumentRoot "{_BOOT}"\n'
        f'    <Directory "{_BOOT}">\n'
        "        Options FollowSymLinks\n"
        "        Require all granted\n"
        "    </Directory>\n"
        "</VirtualHost>\n",
    )
