"""Barbican: the API in httpd, secrets encrypted in its database under a key of the cloud's own."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
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


def encryption_key(secret: str) -> str:
    """Return the key of Barbican's secrets, a Fernet key (32 bytes, base64), by the kept secret.

    One that was read from a host is such a key itself.
    """
    try:
        if len(b64decode(secret, validate=True)) == 32:
            return secret
    except (ValueError, binascii.Error):
        pass
    return b64encode(hashlib.sha256(secret.encode()).digest()).decode()


def _options(node: Node) -> Options:
    key = node.secret("barbican_encryption").derive(encryption_key)
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
