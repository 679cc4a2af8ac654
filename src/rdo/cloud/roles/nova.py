"""Nova: APIs in httpd, conductor, scheduler and console proxy on the controller, compute on its hosts."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, Script, Stage
from rdo.cloud.roles import ceph, mariadb, virtualization
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, Options, key_path, merged
from rdo.cloud.shell import sh
from rdo.cloud.topology import Role

_PACKAGES = (
    "openstack-nova-api",
    "openstack-nova-conductor",
    "openstack-nova-scheduler",
    "openstack-nova-novncproxy",
    "novnc",
)
_UNITS = ("openstack-nova-conductor", "openstack-nova-scheduler", "openstack-nova-novncproxy")
_COMPUTE = "openstack-nova-compute"
_CONSOLE = 6080
# A cell's addresses in the database are templates, so that no password is in it, and none on a command line:
# nova fills in the parts of the addresses in its configuration.
_DATABASE = "{scheme}://{username}:{password}@{hostname}"
_BROKER = "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller and of hosts of virtual machines."""
    if not node.has("nova") or not (node.is_controller or node.is_compute):
        return
    names = [*(_PACKAGES if node.is_controller else ()), *((_COMPUTE,) if node.is_compute else ())]
    yield node.packages("nova", *names)
    parts = [_common(node)]
    parts += [_controller(node)] if node.is_controller else []
    parts += [_compute(node)] if node.is_compute else []
    if node.is_controller:
        yield node.key_for("nova", stage=Stage.CONFIGURATION)
    yield node.config("nova", *parts)
    causes = ("nova-packages", "nova-configuration")
    if node.is_controller:
        yield _schema()
        for unit in _UNITS:
            keys = ("certificate", "key-nova") if unit.endswith("proxy") else ()
            yield node.daemon(unit, Stage.SERVICES, group=unit, restart_after=(*causes, *keys))
    if node.is_compute:
        tried = [*virtualization.steps(node)]
        yield from tried
        found = (step.id for step in tried)
        yield node.daemon(_COMPUTE, Stage.HYPERVISORS, group="", restart_after=(*causes, *found))
    if node.is_controller:
        yield _hosts(node)


def _schema() -> Script:
    cell0 = f"{_DATABASE}/nova_cell0?{{query}}"
    cell1 = f"{_DATABASE}/nova?{{query}}"
    cells = "SELECT COUNT(*) FROM nova_api.cell_mappings"
    make = sh(
        """
        nova() { runuser -u nova -- nova-manage "$@"; }
        nova api_db sync
        nova cell_v2 map_cell0 --database_connection %(cell0)s
        if [ "$(mariadb -NBe %(known)s)" = 0 ]; then
            nova cell_v2 create_cell --name cell1 --database_connection %(cell1)s --transport-url %(broker)s
        fi
        nova db sync
        """,
        cell0=cell0,
        cell1=cell1,
        broker=_BROKER,
        known=f"{cells} WHERE name = 'cell1'",
    )
    return mariadb.schema(
        "nova",
        "openstack-nova-common",
        make,
        title="Nova's database schemas and cells",
        also=sh('test "$(mariadb -NBe %(cells)s)" = 2', cells=cells),
    )


def _hosts(node: Node) -> Script:
    count = len(node.site.cloud.having(Role.COMPUTE))
    known = sh(
        "test \"$(mariadb -NBe 'SELECT COUNT(*) FROM nova_api.host_mappings')\" -ge %(count)s", count=count
    )
    there = sh(
        "test \"$(mariadb -NBe 'SELECT COUNT(*) FROM nova.compute_nodes WHERE deleted = 0')\" -ge %(count)s",
        count=count,
    )
    return Script(
        id="nova-hosts",
        title="Hosts of virtual machines are known",
        stage=Stage.OBJECTS,
        about_hosts=True,
        unless=known,
        script=sh(
            """
            for rdo_try in $(seq 240); do %(there)s && break; sleep 0.5; done
            %(there)s || { echo 'nova-compute has not registered within 120 s' >&2; exit 1; }
            runuser -u nova -- nova-manage cell_v2 discover_hosts
            %(known)s
            """,
            there=there,
            known=known,
        ),
    )


def _common(node: Node) -> Options:
    account = node.account
    found = merged(
        node.messaging("nova"),
        _shutdown(node),
        node.service_user("nova"),
        {
            "DEFAULT": {"my_ip": str(node.host.address)},
            "placement": account("placement"),
            "neutron": account("neutron"),
            "glance": {"cafile": CA, "region_name": node.site.cloud.region},
            "vnc": {"enabled": "true", "novncproxy_base_url": node.site.url(_CONSOLE, "/vnc_lite.html")},
        },
    )
    if node.has("cinder"):
        volumes = {**account("nova"), "os_region_name": node.site.cloud.region}
        volumes.pop("region_name")
        found["cinder"] = volumes
    return found


def _shutdown(node: Node) -> Options:
    """Return how long services wait for what is under way when they are stopped.

    From 2026.1 on they always wait that long, 160 s unless told otherwise (nova/compute/manager.py); making
    a machine takes less.
    """
    if not node.since("2026.1"):
        return {}
    return {"DEFAULT": {"manager_shutdown_timeout": 20, "graceful_shutdown_timeout": 40}}


def _controller(node: Node) -> Options:
    workers = node.site.cloud.workers
    return merged(
        {
            "DEFAULT": {
                "ssl_only": "true",
                "cert": CERTIFICATE,
                "key": key_path("nova"),
                "web": "/usr/share/novnc",
            },
            "api_database": {"connection": node.database_url("nova_api", "nova"), "max_pool_size": 5},
            "database": {"connection": node.database_url("nova"), "max_pool_size": 5},
            "conductor": {"workers": workers},
            "scheduler": {"workers": workers},
            "vnc": {"novncproxy_host": str(node.host.address), "novncproxy_port": _CONSOLE},
            "neutron": {
                "service_metadata_proxy": "true",
                "metadata_proxy_shared_secret": node.secret("metadata_proxy"),
            },
        },
        node.token_check("nova"),
    )


def _compute(node: Node) -> Options:
    cloud = node.site.cloud
    libvirt: dict[str, object] = {
        "live_migration_scheme": "tls",
        "live_migration_inbound_addr": str(node.host.address),
        "live_migration_with_native_tls": "true",
    }
    if cloud.virtualization != "auto":
        kvm = cloud.virtualization == "kvm"
        libvirt |= {"virt_type": cloud.virtualization, "cpu_mode": "host-model" if kvm else "none"}
    if cloud.storage.disks == "rbd":
        libvirt |= {
            "images_type": "rbd",
            "images_rbd_pool": ceph.pool(node, "nova"),
            "images_rbd_ceph_conf": ceph.CONFIG,
            "rbd_user": "nova",
            "rbd_secret_uuid": ceph.secret_uuid(node, "nova"),
            "disk_cachemodes": "network=writeback",
        }
    return {
        "DEFAULT": {
            "compute_driver": "libvirt.LibvirtDriver",
            # machines that ran when their host went down run again when it is back
            "resume_guests_state_on_host_boot": "true",
        },
        "libvirt": libvirt,
        "vnc": {
            "server_listen": str(node.host.address),
            "server_proxyclient_address": str(node.host.address),
        },
    }
