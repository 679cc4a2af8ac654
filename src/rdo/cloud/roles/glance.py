"""Glance: images in Ceph or in files of the controller."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep
from rdo.cloud.roles import ceph, mariadb, web
from rdo.cloud.roles.node import Node, Options, merged
from rdo.cloud.shell import sh


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("glance") and node.is_controller):
        return
    yield node.packages("glance", "openstack-glance")
    yield node.config("glance", _options(node))
    yield mariadb.schema("glance", "openstack-glance", sh("runuser -u glance -- glance-manage db_sync"))


def _options(node: Node) -> Options:
    if node.site.cloud.storage.images == "rbd":
        store: Options = {
            "DEFAULT": {"enabled_backends": "rbd:rbd", "show_image_direct_url": "true"},
            "rbd": {
                "rbd_store_pool": ceph.pool(node, "glance"),
                "rbd_store_user": "glance",
                "rbd_store_ceph_conf": ceph.CONFIG,
            },
            "glance_store": {"default_backend": "rbd"},
        }
    else:
        store = {
            "DEFAULT": {"enabled_backends": "file:file"},
            "file": {"filesystem_store_datadir": "/var/lib/glance/images"},
            "glance_store": {"default_backend": "file"},
        }
    staging = {
        "os_glance_staging_store": {"filesystem_store_datadir": "/var/lib/glance/os_glance_staging_store"},
        "os_glance_tasks_store": {"filesystem_store_datadir": "/var/lib/glance/os_glance_tasks_store"},
        "DEFAULT": {"log_file": "api.log", "public_endpoint": node.site.url(web.port("glance"))},
        "paste_deploy": {"flavor": "keystone"},
    }
    return merged(store, staging, node.database("glance"), node.token_check("glance"))
