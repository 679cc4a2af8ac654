"""What tempest is told of a cloud: the options of its tempest.conf that follow from the topology.

What only the cloud itself knows is filled in on the controller (:mod:`rdo.cloud.remote.tempest`): ids of
images, flavors and networks, extensions of the APIs, ways to import images, and the administrator's account.

A test that can't work on a cloud is left out by saying here what the cloud hasn't got, and not by its name.
"""

from __future__ import annotations

from rdo.cloud.roles import swift
from rdo.cloud.roles.node import CA, option_text
from rdo.cloud.topology import Role, Site

#: What the names of all that tempest makes begin with; by that it is found again and removed.
PREFIX = "rdo-tempest"

#: section -> option -> value, as they stand in tempest.conf
Options = dict[str, dict[str, str]]

_OPTIONAL = ("cinder", "glance", "horizon", "neutron", "nova", "swift")
_PROTOCOLS = {"rbd": "ceph", "lvm": "iSCSI", "nfs": "nfs"}


def tempest_options(site: Site) -> Options:
    """Return the options that follow from a site."""
    cloud = site.cloud
    available: dict[str, object] = {name: name in cloud.services for name in _OPTIONAL}
    found: dict[str, dict[str, object]] = {
        "DEFAULT": {"resource_name_prefix": PREFIX},
        "service_available": available,
        "auth": {"use_dynamic_credentials": True, "tempest_roles": "member"},
        "identity": {
            "auth_version": "v3",
            "uri_v3": site.identity_url,
            "region": cloud.region,
            "ca_certificates_file": CA,
        },
    }
    found |= _network(site) if "neutron" in cloud.services else {}
    found |= _compute(site) if "nova" in cloud.services else {}
    found |= _volume(site) if "cinder" in cloud.services else {}
    if "glance" in cloud.services:
        found["image"] = {"region": cloud.region}
    if "swift" in cloud.services:
        found["object-storage"] = {
            "region": cloud.region,
            "operator_role": "member",
            "reseller_admin_role": swift.RESELLER,
        }
    if "horizon" in cloud.services:
        found["dashboard"] = {"dashboard_url": site.url(443, "/dashboard/")}
    return {
        section: {name: option_text(value) for name, value in options.items()}
        for section, options in found.items()
    }


def _network(site: Site) -> dict[str, dict[str, object]]:
    return {
        "network": {"region": site.cloud.region, "floating_network_name": site.cloud.external.name},
        "network-feature-enabled": {
            "floating_ips": True,
            "port_security": True,
            "ipv6_subnet_attributes": True,
        },
    }


def _compute(site: Site) -> dict[str, dict[str, object]]:
    cloud = site.cloud
    hosts = len(cloud.having(Role.COMPUTE))
    several, shared = hosts > 1, cloud.storage.disks == "rbd"
    return {
        "compute": {
            "region": cloud.region,
            "min_compute_nodes": hosts,
            "hypervisor_type": "QEMU",
            "max_microversion": "latest",
        },
        "compute-feature-enabled": {
            # a machine is made larger on another host, as Nova is not told to do it on the same one
            "resize": several,
            "cold_migration": several,
            "live_migration": several,
            "block_migration_for_live_migration": several and not shared,
            "vnc_console": True,
            # the guest has neither modules for file systems nor an agent for passwords
            "config_drive": False,
            "change_password": False,
            # there is no key manager
            "attach_encrypted_volume": False,
        },
        "validation": {
            "run_validation": True,
            "connect_method": "floating",
            "network_for_ssh": cloud.external.name,
            "image_ssh_user": "root",
        },
        "scenario": {
            "dhcp_client": "udhcpc",
            "img_disk_format": "qcow2",
            # the guest doesn't hear its power button
            "img_properties": "os_shutdown_timeout:1",
        },
    }


def _volume(site: Site) -> dict[str, dict[str, object]]:
    kind = site.cloud.storage.volumes
    return {
        "volume": {
            "region": site.cloud.region,
            "volume_type": "default",
            "storage_protocol": _PROTOCOLS[kind],
            "max_microversion": "latest",
        },
        "volume-feature-enabled": {
            # cinder-backup doesn't run
            "backup": False,
            "multi_backend": False,
            # the NFS driver makes none unless it is told to
            "snapshot": kind != "nfs",
            "clone": kind != "nfs",
        },
    }
