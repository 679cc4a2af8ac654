"""RabbitMQ on the controller: TLS only, a virtual host and an account for each service that needs it."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Iterator
from functools import partial

from rdo.cloud.plan import WRITTEN, AnyStep, File, Service
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.shell import sh
from rdo.cloud.texts import Text, json_text
from rdo.cloud.topology import Service as Name

USERS: tuple[Name, ...] = ("nova", "neutron", "cinder", "ironic", "heat")
_DEFINITIONS = "/etc/rabbitmq/rdo-definitions.json"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    users = [name for name in USERS if node.has(name)]
    if not node.is_controller or not users:
        return
    yield node.packages("rabbitmq", "rabbitmq-server")
    yield node.key_for("rabbitmq")
    yield File(
        id="rabbitmq-definitions",
        title="Accounts of RabbitMQ",
        group="rabbitmq",
        path=_DEFINITIONS,
        owner="rabbitmq",
        group_owner="rabbitmq",
        mode="400",
        content=_definitions(node, users),
    )
    yield File(
        id="rabbitmq-configuration",
        title="Configuration of RabbitMQ",
        group="rabbitmq",
        path="/etc/rabbitmq/conf.d/50-rdo.conf",
        content=Text(_configuration(node)),
    )
    causes = (
        "rabbitmq-packages",
        "certificate",
        "key-rabbitmq",
        "rabbitmq-definitions",
        "rabbitmq-configuration",
    )
    yield Service(
        id="rabbitmq",
        title="RabbitMQ",
        group="rabbitmq",
        unit=node.names.rabbitmq_unit,
        restart_after=causes,
        logs=("/var/log/rabbitmq/*.log",),
        ready=sh("timeout 5 bash -c %(reach)s", reach=f"</dev/tcp/{node.host.address}/5671"),
    )


def password_hash(password: str, salt: bytes) -> str:
    """Return a password as RabbitMQ keeps it: base64 of 4 bytes of salt and SHA-256 over salt and password.

    Source: RabbitMQ's documentation, "Credentials and Passwords".
    """
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _definitions(node: Node, users: list[Name]) -> Text:
    # The server imports this at its start, which is quicker than a run of rabbitmqctl for each account.
    accounts: list[dict[str, object]] = []
    places, rights = [], []
    for name in users:
        accounts.append(
            {
                "name": name,
                "password_hash": node.secret(f"{name}_messaging").derive(partial(_hash, name)),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        )
        places.append({"name": name})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        rights.append({"user": name, "vhost": name, **everything})
    definitions = {"users": accounts, "vhosts": places, "permissions": rights}
    return Text(json_text(definitions, indent=1), "\n")


def _hash(name: str, password: str) -> str:
    # of the password alone, so that the file stays the same as long as that does
    return password_hash(password, hashlib.sha256(f"{name} {password}".encode()).digest()[:4])


def _configuration(node: Node) -> str:
    return textwrap.dedent(
        f"""\
        {WRITTEN}
        listeners.tcp = none
        listeners.ssl.1 = {node.host.address}:5671
        ssl_options.cacertfile = {CA}
        ssl_options.certfile = {CERTIFICATE}
        ssl_options.keyfile = {key_path("rabbitmq")}
        ssl_options.verify = verify_none
        ssl_options.fail_if_no_peer_cert = false
        ssl_options.versions.1 = tlsv1.3
        ssl_options.versions.2 = tlsv1.2
        load_definitions = {_DEFINITIONS}
        """
    )
