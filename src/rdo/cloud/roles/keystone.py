"""Keystone in httpd, the administrator's credentials, and what the catalog and the accounts begin with.

The steps follow upstream's installation guide for Keystone (docs.openstack.org/keystone, "Install and
configure"), in its order; each asks the host first whether it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, File, Objects, Script, Stage
from rdo.cloud.roles import heat, mariadb, swift, web
from rdo.cloud.roles.node import CA, CLOUD, Node, Options, merged
from rdo.cloud.shell import Shell, here, lines, sh
from rdo.cloud.texts import Text, json_text
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

# With new keys what is in the database could not be read any more. Tokens, which the other keys are for, are
# not kept.
_REFUSE = sh(
    """
    rdo_count=$(mariadb -NBe 'SELECT COUNT(*) FROM keystone.credential' 2>/dev/null || echo 0)
    if [ "$rdo_count" != 0 ]; then
        echo "$rdo_count of Keystone's credentials are encrypted with keys that are gone." >&2
        echo 'Bring /etc/keystone/credential-keys back from a backup, or delete these credentials.' >&2
        exit 1
    fi
    """
)


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not node.is_controller:
        return
    yield node.packages("keystone", "openstack-keystone", "python3-pymysql", "python3-openstackclient")
    yield node.config("keystone", _options(node))
    yield mariadb.schema("keystone", "openstack-keystone", _manage("db_sync", user="keystone"))
    for kind, before in (("fernet", sh("")), ("credential", _REFUSE)):
        yield Script(
            id=f"keystone-{kind}-keys",
            title=f"Keystone's {kind} keys",
            stage=Stage.SCHEMA,
            group="keystone",
            unless=sh("test -s %(key)s", key=f"/etc/keystone/{kind}-keys/0"),
            script=lines(
                [
                    before,
                    _manage(f"{kind}_setup", "--keystone-user", "keystone", "--keystone-group", "keystone"),
                ]
            ),
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
            wanted=json_text(_accounts(node, services)),
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


def _manage(*words: str, user: str = "root") -> Shell:
    """Return a script that runs keystone-manage, which says only in its log why it failed.

    The log is not shown: its last lines may have the database's address with the password.
    """
    return sh(
        """\
        runuser -u %(user)s -- keystone-manage %(words)s || {
            echo 'The reason is in /var/log/keystone/keystone.log on the host.' >&2; exit 1
        }
        """,
        user=user,
        words=words,
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
    settings: dict[str, str | Text] = {
        "auth_url": node.site.identity_url,
        "username": "admin",
        "password": node.secret("admin"),
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    others = {"region_name": node.site.cloud.region, "identity_api_version": "3", "cacert": CA}
    # JSON is YAML too, and a password of digits stays a text in it
    clouds = json_text({"clouds": {CLOUD: {"auth": settings, **others}}}, indent=2)
    exports = [
        sh("export %(name)s=%(value)s", name=f"OS_{name.upper()}", value=value)
        for name, value in (settings | others).items()
    ]
    for name, title, path, text in (
        ("clouds", "clouds.yaml of the administrator", CLOUDS, clouds),
        ("keystonerc", "keystonerc_admin", RC_FILE, lines(exports)),
    ):
        yield File(
            id=name,
            title=title,
            stage=Stage.CONFIGURATION,
            group="clients",
            path=path,
            mode="600",
            content=Text(text, "\n"),
        )


def _bootstrap(node: Node) -> Script:
    url, password = node.site.identity_url, node.secret("admin")
    # The guard asks for a token with the real credentials, and the catalog in it for our address; the client
    # itself would take seconds for that.
    account = {"name": "admin", "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    wanted = {"auth": {"identity": {"methods": ["password"], "password": {"user": account}}, "scope": scope}}
    guard = sh(
        """
        found=$(curl --silent --fail --max-time 20 --cacert %(ca)s \\
            --header 'Content-Type: application/json' --data @- %(tokens)s %(wanted)s
        )
        test "$(grep -oE %(endpoint)s <<<"$found" | wc -l)" = 3
        """,
        ca=CA,
        tokens=f"{url}/auth/tokens",
        wanted=here(json_text(wanted)),
        endpoint=f'"url": ?"{url}"',
    )
    bootstrap = _manage(
        *("bootstrap", "--bootstrap-username", "admin", "--bootstrap-project-name", "admin"),
        *("--bootstrap-role-name", "admin", "--bootstrap-service-name", "keystone"),
        *("--bootstrap-region-id", node.site.cloud.region, "--bootstrap-admin-url", url),
        *("--bootstrap-internal-url", url, "--bootstrap-public-url", url),
    )
    return Script(
        id="keystone-bootstrap",
        title="Administrator, project and catalog",
        stage=Stage.IDENTITY,
        unless=guard,
        script=lines([sh("export OS_BOOTSTRAP_PASSWORD=%(password)s", password=password), bootstrap]),
        retries=30,
    )
