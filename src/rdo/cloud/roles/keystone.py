"""The steps that make a host an identity service: MariaDB, memcached, httpd with Keystone.

They follow upstream's installation guide for Keystone (docs.openstack.org/keystone, "Install and configure"),
in its order; each asks the host first whether it is needed.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from urllib.parse import quote

from pydantic import SecretStr

from rdo.cloud.credentials import Credentials
from rdo.cloud.plan import AnyStep, Database, File, Link, Packages, Plan, Script, Service
from rdo.cloud.roles import repository
from rdo.cloud.topology import Topology
from rdo.common.errors import InputError

#: Index names of what the packages below take from a Python driver: Keystone itself does not require one.
DRIVERS = ("pymysql", "pymemcache")
PACKAGES = (
    "mariadb-server",
    "memcached",
    "httpd",
    "python3-mod_wsgi",
    "python3-pymysql",
    "python3-pymemcache",
    "openstack-keystone",
    "python3-openstackclient",
)
#: Ours alone, read after keystone.conf, so that the package's file stays as it is for `rpm -V` and updates.
CONFIGURATION = "/etc/keystone/keystone.conf.d/50-rdo.conf"
CLOUDS = "/etc/openstack/clouds.yaml"
RC_FILE = "/root/keystonerc_admin"


def plan(topology: Topology, credentials: Credentials) -> Plan:
    """Return the plan of a host that has all of an identity service.

    :raises InputError: the database password has characters that Keystone can't take
    """
    return Plan(
        host=topology.host,
        steps=(
            *repository.steps(topology),
            Packages(id="packages", title="Packages of Keystone and what it stands on", names=PACKAGES),
            *_database(topology, credentials),
            *_keystone(topology, credentials),
            *_clients(topology, credentials),
            _bootstrap(topology, credentials),
        ),
    )


def _database(topology: Topology, credentials: Credentials) -> tuple[AnyStep, ...]:
    names = topology.names
    return (
        Service(id="mariadb", title="MariaDB", unit=names.mariadb_unit),
        Service(id="memcached", title="memcached", unit=names.memcached_unit),
        Database(
            id="keystone-database",
            title="Database and account of Keystone",
            name="keystone",
            user="keystone",
            password=credentials["keystone_database"],
            clients=("localhost",),
        ),
    )


def _keystone(topology: Topology, credentials: Credentials) -> tuple[AnyStep, ...]:
    names = topology.names
    return (
        File(
            id="keystone-configuration",
            title="Configuration of Keystone",
            path=CONFIGURATION,
            group="keystone",
            mode="640",
            content=SecretStr(_configuration(_database_password(credentials), names.mariadb_socket)),
        ),
        Script(
            id="keystone-schema",
            title="Keystone's database schema",
            unless=SecretStr("runuser -u keystone -- keystone-manage db_sync --check"),
            script=SecretStr(_manage("db_sync", user="keystone")),
        ),
        _key_repository("fernet"),
        _key_repository("credential"),
        Link(
            id="keystone-site",
            title="Keystone's site in httpd",
            path=f"{names.httpd_confdir}/wsgi-keystone.conf",
            target="/usr/share/keystone/wsgi-keystone.conf",
        ),
        Service(
            id="httpd",
            title="httpd with Keystone",
            unit=names.httpd_unit,
            restart_after=("packages", "keystone-configuration", "keystone-site"),
        ),
    )


def _database_password(credentials: Credentials) -> str:
    """Return the password as it stands in a URL.

    Keystone's migrations (29.0.2) hand that URL to a ConfigParser, which takes each "%" for a reference; so
    nothing that has to be quoted can be in it.
    """
    password = credentials["keystone_database"].get_secret_value()
    if not password or quote(password, safe="") != password:
        raise InputError(
            f"{credentials.path}: keystone_database has characters that Keystone can't take.",
            hint="Letters, digits and -_.~ can be used; without the entry, one is made.",
        )
    return password


def _manage(arguments: str, *, user: str = "root") -> str:
    """Return a script that runs keystone-manage, which says only in its log why it failed.

    The log is not shown: its last lines may have the database's address with the password.
    """
    return (
        f"runuser -u {user} -- keystone-manage {arguments} || {{\n"
        "    echo 'The reason is in /var/log/keystone/keystone.log on the host.' >&2; exit 1\n}\n"
    )


def _configuration(password: str, socket: str) -> str:
    return textwrap.dedent(
        f"""\
        # Written by `rdo cloud`; it is written anew when that runs again. Other settings go to
        # /etc/keystone/keystone.conf or to a file of another name in this folder.
        [database]
        connection = mysql+pymysql://keystone:{password}@localhost/keystone?unix_socket={socket}

        [cache]
        enabled = true
        backend = dogpile.cache.pymemcache
        memcache_servers = 127.0.0.1:11211
        # Or whoever asks first after a restart of memcached finds a dead connection, and gets a 500.
        enable_retry_client = true
        """
    )


def _key_repository(kind: str) -> Script:
    return Script(
        id=f"keystone-{kind}-keys",
        title=f"Keystone's {kind} keys",
        unless=SecretStr(f"test -s /etc/keystone/{kind}-keys/0"),
        script=SecretStr(_manage(f"{kind}_setup --keystone-user keystone --keystone-group keystone")),
    )


def _clients(topology: Topology, credentials: Credentials) -> tuple[AnyStep, ...]:
    password = credentials["admin"].get_secret_value()
    settings = {
        "auth_url": topology.identity_url,
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    clouds = "clouds:\n  rdo:\n    auth:\n"
    # JSON texts are YAML texts too: a password of digits stays one.
    clouds += "".join(f"      {name}: {json.dumps(value)}\n" for name, value in settings.items())
    clouds += f"    region_name: {topology.region}\n    identity_api_version: 3\n"
    exports = "".join(f"export OS_{name.upper()}={shlex.quote(value)}\n" for name, value in settings.items())
    exports += f"export OS_REGION_NAME={topology.region}\nexport OS_IDENTITY_API_VERSION=3\n"
    return (
        File(
            id="clouds",
            title="clouds.yaml of the administrator",
            path=CLOUDS,
            mode="600",
            content=SecretStr(clouds),
        ),
        File(
            id="keystonerc",
            title="keystonerc_admin",
            path=RC_FILE,
            mode="600",
            content=SecretStr(exports),
        ),
    )


def _bootstrap(topology: Topology, credentials: Credentials) -> Script:
    url = topology.identity_url
    # The guard is the real client with the real credentials: a token is issued, the catalog has our address.
    catalog = "openstack --os-cloud rdo endpoint list --service identity --format value --column URL"
    return Script(
        id="keystone-bootstrap",
        title="Administrator, project and catalog",
        unless=SecretStr(f'test "$({catalog} | sort | uniq -c | tr -s " ")" = " 3 {url}"'),
        script=SecretStr(
            f"export OS_BOOTSTRAP_PASSWORD={shlex.quote(credentials['admin'].get_secret_value())}\n"
            + _manage(
                "bootstrap --bootstrap-username admin --bootstrap-project-name admin"
                " --bootstrap-role-name admin --bootstrap-service-name keystone"
                f" --bootstrap-region-id {topology.region} --bootstrap-admin-url {url}"
                f" --bootstrap-internal-url {url} --bootstrap-public-url {url}"
            )
        ),
        retries=30,
    )
