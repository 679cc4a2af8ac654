"""Barbican: the API in httpd, secrets encrypted in its database under a key of the cloud's own."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator

from rdo.cloud.plan import AnyStep
from rdo.cloud.roles import mariadb, web
from rdo.cloud.roles.node import Node, Options, merged
from rdo.cloud.shell import sh


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("barbican") and node.is_controller):
        return
    yield node.packages("barbican", "openstack-barbican-api", "python3-barbicanclient")
    yield node.config("barbican", _options(node))
    yield mariadb.schema(
        "barbican", "openstack-barbican-common", sh("runuser -u barbican -- barbican-manage db upgrade")
    )


def _options(node: Node) -> Options:
    # a Fernet key: 32 bytes, base64
    key = node.secret("barbican_encryption").derive(
        lambda secret: b64encode(hashlib.sha256(secret.encode()).digest()).decode()
    )
    return merged(
        node.database("barbican"),
        node.token_check("barbican"),
        {
            "DEFAULT": {
                "host_href": node.site.url(web.port("barbican")),
                "log_file": "api.log",
                "db_auto_create": "false",
            },
            "secretstore": {"enabled_secretstore_plugins": "store_crypto"},
            "crypto": {"enabled_crypto_plugins": "simple_crypto"},
            "simple_crypto_plugin": {"kek": key},
            # a project's members may keep secrets, as they may boot machines, without a role for it
            "oslo_policy": {"enforce_new_defaults": "true"},
        },
    )
