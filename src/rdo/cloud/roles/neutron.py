"""Neutron with ML2 and OVN: the API in httpd, its workers, and the metadata agent on hosts of machines."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, Script, Service, Stage
from rdo.cloud.roles import mariadb, ovn
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, Options, key_path, merged
from rdo.cloud.shell import sh

_SERVER_PACKAGES = ("openstack-neutron", "openstack-neutron-ml2", "openstack-neutron-rpc-server")
_AGENT_PACKAGES = ("openstack-neutron-ovn-metadata-agent", "haproxy")
#: Worker programs of the API: what it hands to others, what is done from time to time, OVN's upkeep.
_WORKERS = ("neutron-rpc-server", "neutron-periodic-workers", "neutron-ovn-maintenance-worker")


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller and of hosts of virtual machines."""
    if not node.has("neutron"):
        return
    server, agent = node.is_controller, node.is_compute
    if not (server or agent):
        return
    parts = [*(_SERVER_PACKAGES if server else ()), *(_AGENT_PACKAGES if agent else ())]
    yield node.packages("neutron", *parts)
    yield node.key_for("neutron", stage=Stage.CONFIGURATION)
    yield node.config("neutron", _options(node, server=server, agent=agent))
    causes = ("neutron-packages", "neutron-configuration", "certificate", "key-neutron")
    if server:
        yield _schema()
        for unit in _WORKERS:
            yield node.daemon(unit, Stage.SERVICES, group="neutron", restart_after=causes)
    if agent:
        yield Service(
            id="neutron-ovn-metadata-agent",
            title="Metadata agent",
            stage=Stage.HYPERVISORS,
            group="neutron",
            unit="neutron-ovn-metadata-agent",
            restart_after=causes,
        )


def _schema() -> Script:
    places = [
        *("--config-file", "/usr/share/neutron/neutron-dist.conf"),
        *("--config-dir", "/etc/neutron/neutron.conf.d"),
    ]
    make = sh("runuser -u neutron -- neutron-db-manage %(places)s upgrade heads", places=places)
    return mariadb.schema("neutron", "openstack-neutron-common", make)


def _options(node: Node, *, server: bool, agent: bool) -> Options:
    key, certificate = key_path("neutron"), CERTIFICATE
    tls = {"private_key": key, "certificate": certificate, "ca_cert": CA}
    south = {f"ovn_sb_{name}": value for name, value in tls.items()}
    found: Options = {"ovn": {"ovn_sb_connection": ovn.south(node), **south}}
    if agent:
        # all hosts of machines ask the controller's metadata API
        found = merged(found, _agent(node))
    if server:
        found = merged(found, _server(node, tls))
    return found


def _agent(node: Node) -> Options:
    return {
        "DEFAULT": {
            # the agent puts brackets around an IPv6 address itself
            "nova_metadata_host": str(node.site.cloud.controller.address),
            "nova_metadata_protocol": "https",
            "auth_ca_cert": CA,
            "metadata_proxy_shared_secret": node.secret("metadata_proxy"),
        },
        # upstream's default is a socket in /usr/local, and the platform's is for root alone
        "ovs": {"ovsdb_connection": "tcp:127.0.0.1:6640"},
    }


def _server(node: Node, tls: dict[str, str]) -> Options:
    cloud = node.site.cloud
    north = {f"ovn_nb_{name}": value for name, value in tls.items()}
    return merged(
        node.database("neutron"),
        node.token_check("neutron"),
        node.messaging("neutron"),
        {
            "DEFAULT": {
                "core_plugin": "ml2",
                "service_plugins": "ovn-router,segments",
                "rpc_workers": cloud.workers,
                "global_physnet_mtu": cloud.external.mtu,
                "notify_nova_on_port_status_changes": "true",
                "notify_nova_on_port_data_changes": "true",
            },
            "ml2": {
                "type_drivers": "flat,vlan,geneve,local",
                ("project" if node.since("2026.1") else "tenant") + "_network_types": "geneve",
                "mechanism_drivers": "ovn",
                "extension_drivers": "port_security",
                "overlay_ip_version": ovn.overlay_version(node),
            },
            "ml2_type_geneve": {"vni_ranges": "1:65536", "max_header_size": 38},
            "ml2_type_flat": {"flat_networks": "*"},
            "securitygroup": {"enable_security_group": "true"},
            "ovn": {
                "ovn_nb_connection": ovn.north(node),
                **north,
                "ovn_metadata_enabled": "true",
                "enable_distributed_floating_ip": "false",
            },
            "nova": node.account("nova") if node.has("nova") else {},
            "placement": node.account("placement") if node.has("placement") else {},
        },
    )
