"""Cinder: the API in httpd, scheduler and volume service on the controller."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, File, Stage
from rdo.cloud.roles import ceph, mariadb, web
from rdo.cloud.roles.node import CA, Node, Options, merged
from rdo.cloud.shell import sh
from rdo.cloud.texts import Text

_SHARES = "/etc/cinder/nfs_shares"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("cinder") and node.is_controller):
        return
    yield node.packages("cinder", "openstack-cinder")
    yield node.config("cinder", _options(node))
    share = node.site.cloud.storage.nfs_share
    if share is not None:
        yield File(
            id="nfs-shares",
            title="NFS share of volumes",
            stage=Stage.CONFIGURATION,
            group="cinder",
            path=_SHARES,
            group_owner="cinder",
            mode="640",
            content=Text(f"{share}\n"),
        )
    yield mariadb.schema("cinder", "openstack-cinder", sh("runuser -u cinder -- cinder-manage db sync"))
    causes = ("cinder-packages", "cinder-configuration", *(["nfs-shares"] if share else ()))
    for unit in ("openstack-cinder-scheduler", "openstack-cinder-volume"):
        yield node.daemon(unit, Stage.SERVICES, group=unit, restart_after=causes)


def _options(node: Node) -> Options:
    return merged(
        node.database("cinder"),
        node.token_check("cinder"),
        node.service_user("cinder"),
        node.messaging("cinder"),
        {
            "DEFAULT": {
                "my_ip": str(node.host.address),
                "enabled_backends": node.site.cloud.storage.volumes,
                "default_volume_type": "default",
                "glance_api_servers": node.site.url(web.port("glance")),
                "glance_ca_certificates_file": CA,
            },
            "nova": {**node.account("nova"), "interface": "internal"} if node.has("nova") else {},
            "coordination": {"backend_url": "file:///var/lib/cinder/coordination"},
            **_backend(node),
        },
    )


def _backend(node: Node) -> Options:
    storage = node.site.cloud.storage
    match storage.volumes:
        case "rbd":
            return {
                "rbd": {
                    "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
                    "volume_backend_name": "rbd",
                    "rbd_pool": ceph.pool(node, "cinder"),
                    "rbd_ceph_conf": ceph.CONFIG,
                    "rbd_user": "cinder",
                    "rbd_secret_uuid": ceph.secret_uuid(node, "cinder"),
                    "report_discard_supported": "true",
                }
            }
        case "lvm":
            return {
                "lvm": {
                    "volume_driver": "cinder.volume.drivers.lvm.LVMVolumeDriver",
                    "volume_backend_name": "lvm",
                    "volume_group": storage.volume_group,
                    "target_protocol": "iscsi",
                    "target_ip_address": str(node.host.address),
                }
            }
        case "nfs":
            return {
                "nfs": {
                    "volume_driver": "cinder.volume.drivers.nfs.NfsDriver",
                    "volume_backend_name": "nfs",
                    "nfs_shares_config": _SHARES,
                    "nas_secure_file_operations": "auto",
                }
            }
