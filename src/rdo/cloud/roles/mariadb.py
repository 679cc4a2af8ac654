"""MariaDB on the controller, over TLS to whoever is not on its socket, and each service's databases in it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, Database, File, Script, Service, Stage
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Service as Name

#: service -> its databases; the first has its name
DATABASES: dict[Name, tuple[str, ...]] = {
    "keystone": ("keystone",),
    "glance": ("glance",),
    "placement": ("placement",),
    "neutron": ("neutron",),
    "nova": ("nova", "nova_api", "nova_cell0"),
    "cinder": ("cinder",),
    "barbican": ("barbican",),
    "ironic": ("ironic",),
    "heat": ("heat",),
    "horizon": (),
}
#: Where the server keeps them, a folder each.
DATABASE_FOLDER = "/var/lib/mysql"

#: After how many seconds a transaction that waits and has written nothing is ended.
IDLE_TRANSACTION = 60


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not node.is_controller:
        return
    names = node.names
    yield node.packages("mariadb", "mariadb-server")
    yield node.key_for("mysql", group="mariadb")
    yield File(
        id="mariadb-configuration",
        title="Configuration of MariaDB",
        group="mariadb",
        path=f"{names.mariadb_confdir}/zz-rdo.cnf",
        content=Text(_configuration(node)),
    )
    yield Service(
        id="mariadb",
        title="MariaDB",
        group="mariadb",
        unit=names.mariadb_unit,
        restart_after=("mariadb-packages", "certificate", "key-mysql", "mariadb-configuration"),
        ready=sh("mariadb -e 'SELECT 1'"),
        logs=("/var/log/mariadb/*.log", f"{DATABASE_FOLDER}/*.err"),
    )
    for service, databases in DATABASES.items():
        for database in databases if node.has(service) else ():
            yield Database(
                id=f"{database.replace('_', '-')}-database",
                title=f"Database {database} and its account",
                group="mariadb",
                name=database,
                user=service,
                password=node.secret(f"{service}_database"),
                clients=(str(node.host.address),),
                server=str(node.host.address),
                ca=CA,
            )


def schema(
    service: Name, package: str, make: Shell, *, title: str | None = None, also: Shell | None = None
) -> Script:
    """Return the step of a service's database schema.

    Asking the service's own tool takes seconds for each, so a mark is looked at: it has the package's build
    and the schema's version. Who drops the database or installs another build has the tool run again.

    :param make: script that runs the service's tool
    :param also: script that has to succeed besides, where there is more than the schema
    """
    mark = f"{_MARKS}/{service}"
    version = f"SELECT GROUP_CONCAT(version_num ORDER BY version_num) FROM {service}.alembic_version"
    holds = sh(
        'test "$(cat %(mark)s)" = "$(rpm -q %(package)s) $(mariadb -NBe %(version)s)"',
        mark=mark,
        package=package,
        version=version,
    )
    note = sh(
        """
        state="$(rpm -q %(package)s) $(mariadb -NBe %(version)s)"
        mkdir -p %(marks)s
        printf "%s" "$state" >%(new)s
        mv -f %(new)s %(mark)s
        """,
        package=package,
        version=version,
        marks=_MARKS,
        mark=mark,
        new=f"{mark}.new",
    )
    return Script(
        id=f"{service}-schema",
        title=title or f"{service.capitalize()}'s database schema",
        stage=Stage.SCHEMA,
        group=service,
        unless=holds if also is None else lines([sh("set -e"), holds, also]),
        script=lines([make, note]),
    )


_MARKS = "/var/lib/rdo-cloud/schemas"


def _configuration(node: Node) -> str:
    # Keystone's list of enabled service providers is a query that it runs after its session has ended
    # (keystone/federation/backends/sql.py): the transaction stays open until that thread is asked again, and
    # its locks stop any change of the schema for as long.
    return textwrap.dedent(
        f"""\
        {WRITTEN}
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
        idle-readonly-transaction-timeout = {IDLE_TRANSACTION}
        """
    )
