"""Keystone in httpd, the administrator's credentials, and what the catalog and the accounts begin with.

The steps follow upstream's installation guide for Keystone (docs.openstack.org/keystone, "Install and
configure"), in its order; each asks the host first whether it is needed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, File, Objects, Script, Stage
from rdo.cloud.roles import heat, mariadb, swift, web
from rdo.cloud.roles.node import CA, CLOUD, Node, Options, merged
from rdo.cloud.topology import Service as Name

CLOUDS = "/etc/openstack/clouds.yaml"
RC_FILE = "/root/keystonerc_admin"

#: service -> (its type, its name for people, path), of the catalog
CATALOG: dict[Name, tuple[str, str, str]] = {
    "glance": ("image", "OpenStack Image service", ""),
    "placement": ("placement", "OpenStack Placement service", ""),
    "neutron": ("network", "OpenStack Networking service", ""),
    "nova": ("compute", "OpenStack Compute service", "/v2.1"),
    "cinder": ("block-storage", "OpenStack Block Storage service", "/v3"),
    "swift": ("object-store", "OpenStack Object Storage service", "/v1/AUTH_%(tenant_id)s"),
    "barbican": ("key-manager", "OpenStack Key Manager service", ""),
    "ironic": ("baremetal", "OpenStack Bare Metal service", ""),
    "heat": ("orchestration", "OpenStack Orchestration service", "/v1/%(tenant_id)s"),
}


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not node.is_controller:
        return
    yield node.packages("keystone", "openstack-keystone", "python3-pymysql", "python3-openstackclient")
    yield node.config("keystone", _options(node))
    yield mariadb.schema("keystone", "openstack-keystone", _manage("db_sync", user="keystone"))
    for kind in ("fernet", "credential"):
        yield Script(
            id=f"keystone-{kind}-keys",
            title=f"Keystone's {kind} keys",
            stage=Stage.SCHEMA,
            group="keystone",
            unless=SecretStr(f"test -s /etc/keystone/{kind}-keys/0"),
            script=SecretStr(_manage(f"{kind}_setup --keystone-user keystone --keystone-group keystone")),
        )
    yield from _clients(node)


def identity(node: Node) -> Iterator[AnyStep]:
    """Yield the administrator and the services' accounts, once httpd runs."""
    if not node.is_controller:
        return
    yield _bootstrap(node)
    services = [name for name in CATALOG if node.has(name)]
    if services:
        yield Objects(
            id="accounts",
            title="Accounts and endpoints of the services",
            stage=Stage.IDENTITY,
            cloud=CLOUD,
            wanted=SecretStr(json.dumps(_accounts(node, services))),
        )


def _accounts(node: Node, services: list[Name]) -> dict[str, object]:
    rows = []
    for name in services:
        type_, description, path = CATALOG[name]
        rows.append(
            {
                "name": "cinderv3" if name == "cinder" else name,
                "type": type_,
                "description": description,
                "url": node.site.url(web.port(name), path),
            }
        )
    if node.has("heat"):
        rows.append(
            {
                "name": "heat-cfn",
                "type": "cloudformation",
                "description": "OpenStack Orchestration service, in the manner of CloudFormation",
                "url": node.site.url(web.HEAT_CFN, "/v1"),
            }
        )
    further = heat.accounts(node) if node.has("heat") else {}
    if node.has("swift"):
        further["further_roles"] = [*further.get("further_roles", ()), swift.RESELLER]
    users = [{"name": name, "password": node.secret(f"{name}_service")} for name in services]
    return {
        "region": node.site.cloud.region,
        "services": rows,
        "project": "service",
        "users": users,
        # `service` for what one service asks of another, `admin` for what still asks for that
        "roles": ["service", "admin"],
        **further,
    }


def _manage(arguments: str, *, user: str = "root") -> str:
    """Return a script that runs keystone-manage, which says only in its log why it failed.

    The log is not shown: its last lines may have the database's address with the password.
    """
    return (
        f"runuser -u {user} -- keystone-manage {arguments} || {{\n"
        "    echo 'The reason is in /var/log/keystone/keystone.log on the host.' >&2; exit 1\n}\n"
    )


def _options(node: Node) -> Options:
    cache = {
        "enabled": "true",
        "backend": "dogpile.cache.pymemcache",
        "memcache_servers": "127.0.0.1:11211",
        # Or whoever asks first after a restart of memcached finds a dead connection, and gets a 500.
        "enable_retry_client": "true",
    }
    return merged(node.database("keystone"), {"cache": cache})


def _clients(node: Node) -> Iterator[AnyStep]:
    password = node.secret("admin")
    settings = {
        "auth_url": node.site.identity_url,
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    region = node.site.cloud.region
    clouds = f"clouds:\n  {CLOUD}:\n    auth:\n"
    # JSON texts are YAML texts too: a password of digits stays one.
    clouds += "".join(f"      {name}: {json.dumps(value)}\n" for name, value in settings.items())
    clouds += f"    region_name: {region}\n    identity_api_version: 3\n    cacert: {CA}\n"
    exports = "".join(f"export OS_{name.upper()}={shlex.quote(value)}\n" for name, value in settings.items())
    exports += f"export OS_REGION_NAME={region}\nexport OS_IDENTITY_API_VERSION=3\nexport OS_CACERT={CA}\n"
    for name, title, path, text in (
        ("clouds", "clouds.yaml of the administrator", CLOUDS, clouds),
        ("keystonerc", "keystonerc_admin", RC_FILE, exports),
    ):
        yield File(
            id=name,
            title=title,
            stage=Stage.CONFIGURATION,
            group="clients",
            path=path,
            mode="600",
            content=SecretStr(text),
        )


def _bootstrap(node: Node) -> Script:
    url = node.site.identity_url
    # The guard asks for a token with the real credentials, and the catalog in it for our address; the client
    # itself would take seconds for that.
    account = {"name": "admin", "domain": {"id": "default"}, "password": node.secret("admin")}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    wanted = {"auth": {"identity": {"methods": ["password"], "password": {"user": account}}, "scope": scope}}
    guard = (
        f"found=$(curl --silent --fail --max-time 20 --cacert {CA} --header 'Content-Type: application/json'"
        f" --data @- {url}/auth/tokens <<'JSON'\n{json.dumps(wanted)}\nJSON\n)\n"
        f'test "$(grep -oE \'"url": ?"{url}"\' <<<"$found" | wc -l)" = 3\n'
    )
    return Script(
        id="keystone-bootstrap",
        title="Administrator, project and catalog",
        stage=Stage.IDENTITY,
        unless=SecretStr(guard),
        script=SecretStr(
            f"export OS_BOOTSTRAP_PASSWORD={shlex.quote(node.secret('admin'))}\n"
            + _manage(
                "bootstrap --bootstrap-username admin --bootstrap-project-name admin"
                " --bootstrap-role-name admin --bootstrap-service-name keystone"
                f" --bootstrap-region-id {node.site.cloud.region} --bootstrap-admin-url {url}"
                f" --bootstrap-internal-url {url} --bootstrap-public-url {url}"
            )
        ),
        retries=30,
    )
