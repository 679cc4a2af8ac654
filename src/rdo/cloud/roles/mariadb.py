"""MariaDB on the controller, over TLS to whoever is not on its socket, and each service's databases in it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, Database, File, Service
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.topology import Service as Name

#: service -> its databases; the first has its name
DATABASES: dict[Name, tuple[str, ...]] = {
    "keystone": ("keystone",),
    "glance": ("glance",),
    "placement": ("placement",),
    "neutron": ("neutron",),
    "nova": ("nova", "nova_api", "nova_cell0"),
    "cinder": ("cinder",),
    "horizon": (),
}


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not node.is_controller:
        return
    names = node.names
    yield node.packages("mariadb", "mariadb-server")
    yield node.key_for("mysql", "mariadb")
    yield File(
        id="mariadb-configuration",
        title="Configuration of MariaDB",
        group="mariadb",
        path=f"{names.mariadb_confdir}/zz-rdo.cnf",
        content=SecretStr(_configuration(node)),
    )
    yield Service(
        id="mariadb",
        title="MariaDB",
        group="mariadb",
        unit=names.mariadb_unit,
        restart_after=("mariadb-packages", "certificate", "key-mysql", "mariadb-configuration"),
        ready=SecretStr("mariadb -e 'SELECT 1'"),
    )
    for service, databases in DATABASES.items():
        for database in databases if node.has(service) else ():
            yield Database(
                id=f"{database.replace('_', '-')}-database",
                title=f"Database {database} and its account",
                group="mariadb",
                name=database,
                user=service,
                password=node.credentials[f"{service}_database"],
                clients=(str(node.host.address),),
                server=str(node.host.address),
                ca=CA,
            )


def schema_holds(database: str, package: str) -> str:
    """Return a script that succeeds where a schema is what this build of a package last made it.

    Asking the service's own tool takes seconds for each. The mark has the package's build and the schema's
    version; who drops the database or installs another build has the tool run again.
    """
    return f'test "$(cat {_mark(database)})" = "{_state(database, package)}"'


def schema_made(database: str, package: str) -> str:
    """Return the script that notes what :func:`schema_holds` looks for."""
    return (
        f'state="{_state(database, package)}"\nmkdir -p {_MARKS}\n'
        f'printf "%s" "$state" >{_mark(database)}.new\n'
        f"mv -f {_mark(database)}.new {_mark(database)}\n"
    )


_MARKS = "/var/lib/rdo-cloud/schemas"


def _mark(database: str) -> str:
    return f"{_MARKS}/{database}"


def _state(database: str, package: str) -> str:
    version = f"SELECT GROUP_CONCAT(version_num ORDER BY version_num) FROM {database}.alembic_version"
    return f"$(rpm -q {package}) $(mariadb -NBe '{version}')"


def _configuration(node: Node) -> str:
    return textwrap.dedent(
        f"""\
        # Written by `rdo cloud`; it is written anew when that runs again.
        [mariadbd]
        bind-address = {node.host.address}
        skip-name-resolve
        ssl-ca = {CA}
        ssl-cert = {CERTIFICATE}
        ssl-key = {key_path("mysql")}
        require-secure-transport = ON
        character-set-server = utf8mb4
        max-connections = 1024
        innodb-flush-log-at-trx-commit = 1
        """
    )
