"""Swift: the proxy on the controller behind httpd's TLS; what it keeps is on the storage host.

One host has one device, ``/srv/node/data``; each object is kept once. Operators put a file system of its own
there. Rings of one device are the same wherever they are made, so each host makes its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, File, Script, Service, Stage
from rdo.cloud.roles import web
from rdo.cloud.roles.node import Node, Options, merged, option_text
from rdo.cloud.shell import both, lines, sh
from rdo.cloud.texts import Text, join
from rdo.cloud.topology import Role, in_url

#: Whoever has it may do everything in all accounts; it is given to nobody.
RESELLER = "ResellerAdmin"
#: What one may do with one's own project's account follows from these.
OPERATORS = "admin, member"

_FOLDER = "/etc/swift"
_DEVICES, _DEVICE = "/srv/node", "data"
# Where the proxy listens for httpd.
_INSIDE = 8081
#: server -> its port, and the programs that look after what it keeps
_SERVERS = {
    "account": (6202, ("auditor", "reaper", "replicator")),
    "container": (6201, ("auditor", "replicator", "sharder", "updater")),
    "object": (6200, ("auditor", "replicator", "updater", "expirer")),
}
_PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl formpost ratelimit"
    " authtoken keystoneauth staticweb copy container-quotas account-quotas slo dlo versioned_writes symlink"
    " proxy-logging proxy-server"
)
#: filters that only have to be named -> their entry points in Swift
_FILTERS = {
    "account-quotas": "account_quotas",
    "bulk": "bulk",
    "catch_errors": "catch_errors",
    "container-quotas": "container_quotas",
    "copy": "copy",
    "dlo": "dlo",
    "formpost": "formpost",
    "gatekeeper": "gatekeeper",
    "healthcheck": "healthcheck",
    "listing_formats": "listing_formats",
    "proxy-logging": "proxy_logging",
    "ratelimit": "ratelimit",
    "slo": "slo",
    "symlink": "symlink",
    "tempurl": "tempurl",
}


def is_storage(node: Node) -> bool:
    """Tell whether objects are kept on a host."""
    return node.has("swift") and Role.STORAGE in node.host.roles


def ports(node: Node) -> list[str]:
    """Return the TCP ports that are for the cloud's hosts only."""
    return ["6200-6202"] if is_storage(node) else []


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of the controller and of the storage host."""
    proxy, storage = node.has("swift") and node.is_controller, is_storage(node)
    if not (proxy or storage):
        return
    names = ["openstack-swift-proxy", "python3-swiftclient"] if proxy else []
    names += [f"openstack-swift-{server}" for server in _SERVERS] if storage else []
    yield node.packages("swift", *names)
    yield _file(node, "hash", "swift.conf", _hash(node), title="Where Swift keeps what")
    yield _rings(node)
    causes = ("swift-packages", "swift-hash", "swift-rings")
    if proxy:
        own = node.site.cloud.options.get("swift", {})
        parts = merged(_proxy(node), {section: {**rows} for section, rows in own.items()})
        yield _file(node, "configuration", "proxy-server.conf", parts, title="Configuration of swift's proxy")
        yield _site(node)
        yield Service(
            id="swift-proxy",
            title="swift-proxy",
            stage=Stage.SERVICES,
            group="swift-proxy",
            unit="openstack-swift-proxy",
            restart_after=(*causes, "swift-configuration"),
            ready=sh(
                "curl --silent --fail --output /dev/null --max-time 20 %(url)s",
                url=f"http://127.0.0.1:{_INSIDE}/healthcheck",
            ),
        )
    if storage:
        yield _device()
        yield _file(node, "expirer", "object-expirer.conf", _expirer(), title="What removes old objects")
        for server, (port, helpers) in _SERVERS.items():
            step = f"{server}-configuration"
            title = f"Configuration of swift's {server}s"
            parts = _storage(node, server, port, helpers)
            yield _file(node, step, f"{server}-server.conf", parts, title=title)
            after = (*causes, f"swift-{step}", "swift-device")
            for unit in (server, *(f"{server}-{helper}" for helper in helpers)):
                more = ("swift-expirer",) if unit == "object-expirer" else ()
                yield Service(
                    id=f"swift-{unit}",
                    title=f"swift-{unit}",
                    stage=Stage.SERVICES,
                    group=f"swift-{server}",
                    unit=f"openstack-swift-{unit}",
                    restart_after=(*after, *more),
                )


def _file(node: Node, name: str, file: str, parts: Options, *, title: str) -> File:
    """Return the step of one of Swift's files, which replaces the package's: Swift reads no second one."""
    rows: list[str | Text] = [WRITTEN]
    for section, options in parts.items():
        rows.append(f"[{section}]")
        rows += [Text(f"{option} = ", swift_text(value)) for option, value in options.items()]
        rows.append("")
    return File(
        id=f"swift-{name}",
        title=title,
        stage=Stage.CONFIGURATION,
        group="swift",
        path=f"{_FOLDER}/{file}",
        group_owner="swift",
        mode="640",
        content=Text(join("\n", rows), "\n"),
    )


def swift_text(value: object) -> Text:
    """Return a value as it stands in one of Swift's files, so that Swift reads exactly this value.

    Swift takes "%%" for "%" only where "%(" is in the value as well (swift/common/utils/config.py,
    ``NicerInterpolation``).
    """
    if not isinstance(value, Text):
        return Text(option_text(value))
    return value.each(lambda clear: clear.replace("%", "%%")) if "%(" in value.reveal() else value


def _hash(node: Node) -> Options:
    # With another one nothing would be found again, so it is no password that could be made anew.
    secret = node.secret("swift_hash_encryption")
    return {
        "swift-hash": {
            "swift_hash_path_prefix": secret.derive(lambda clear: clear[:16]),
            "swift_hash_path_suffix": secret.derive(lambda clear: clear[16:]),
        },
        "storage-policy:0": {"name": "Policy-0", "default": "yes"},
    }


def _rings(node: Node) -> Script:
    (host,) = node.site.cloud.having(Role.STORAGE)
    told, address = f"{_FOLDER}/rdo-rings", str(host.address)
    # 1024 partitions, one copy; one device has them all, whatever the seed
    made = [
        sh(
            """\
            swift-ring-builder %(builder)s create 10 1 0 >/dev/null
            swift-ring-builder %(builder)s add --region 1 --zone 1 --ip %(ip)s --port %(port)s \\
                --device %(device)s --weight 100 >/dev/null
            swift-ring-builder %(builder)s rebalance 1 >/dev/null""",
            builder=f"{name}.builder",
            ip=in_url(host.address),
            port=port,
            device=_DEVICE,
        )
        for name, (port, _) in _SERVERS.items()
    ]
    there = [sh("test -s %(ring)s", ring=f"{_FOLDER}/{name}.ring.gz") for name in _SERVERS]
    files = [f"{name}.{kind}" for name in _SERVERS for kind in ("builder", "ring.gz")]
    return Script(
        id="swift-rings",
        title="Rings of Swift",
        stage=Stage.CONFIGURATION,
        group="swift",
        path=told,
        unless=both(*there, sh('test "$(cat %(told)s)" = %(address)s', told=told, address=address)),
        script=sh(
            """
            rdo_work=$(mktemp -d %(folder)s/rings.XXXXXX)
            trap 'rm -rf "$rdo_work"' EXIT
            cd "$rdo_work"
            %(made)s
            chgrp swift %(files)s
            chmod 640 %(files)s
            mv -f %(files)s %(folder)s/
            echo %(address)s >%(told)s
            """,
            folder=_FOLDER,
            made=lines(made),
            files=files,
            address=address,
            told=told,
        ),
        undo=sh("rm -f %(files)s", files=[f"{_FOLDER}/{name}" for name in files]),
    )


def _device() -> Script:
    place = f"{_DEVICES}/{_DEVICE}"
    return Script(
        id="swift-device",
        title="Place of objects",
        stage=Stage.CONFIGURATION,
        group="swift",
        unless=sh('test "$(stat -c %U %(place)s)" = swift', place=place),
        script=sh("install -d -o swift -g swift -m 750 %(place)s", place=place),
    )


def _proxy(node: Node) -> Options:
    found: Options = {
        "DEFAULT": {"bind_ip": "127.0.0.1", "bind_port": _INSIDE, "workers": node.site.cloud.workers},
        "pipeline:main": {"pipeline": _PIPELINE},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
        "filter:authtoken": {
            "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
            # public containers and temporary addresses are for those who have no token
            "delay_auth_decision": "true",
            **node.token_check("swift")["keystone_authtoken"],
        },
        "filter:keystoneauth": {
            "use": "egg:swift#keystoneauth",
            "operator_roles": OPERATORS,
            "reseller_admin_role": RESELLER,
        },
        "filter:versioned_writes": {
            "use": "egg:swift#versioned_writes",
            "allow_versioned_writes": "true",
            "allow_object_versioning": "true",
        },
        # it is httpd that has TLS
        "filter:staticweb": {"use": "egg:swift#staticweb", "url_scheme": "https"},
        "filter:cache": {"use": "egg:swift#memcache", "memcache_servers": "127.0.0.1:11211"},
    }
    return found | {f"filter:{name}": {"use": f"egg:swift#{entry}"} for name, entry in _FILTERS.items()}


def _storage(node: Node, server: str, port: int, helpers: tuple[str, ...]) -> Options:
    found: Options = {
        "DEFAULT": {
            "bind_ip": str(node.host.address),
            "bind_port": port,
            "workers": node.site.cloud.workers,
            "devices": _DEVICES,
            # it may be a folder
            "mount_check": "false",
        },
        "pipeline:main": {"pipeline": f"healthcheck recon {server}-server"},
        f"app:{server}-server": {"use": f"egg:swift#{server}"},
        "filter:healthcheck": {"use": "egg:swift#healthcheck"},
        "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": "/var/cache/swift"},
    }
    return found | {f"{server}-{helper}": {} for helper in helpers if helper != "expirer"}


def _expirer() -> Options:
    return {
        "object-expirer": {},
        "pipeline:main": {"pipeline": "catch_errors proxy-server"},
        "app:proxy-server": {"use": "egg:swift#proxy"},
        "filter:catch_errors": {"use": "egg:swift#catch_errors"},
    }


def _site(node: Node) -> File:
    port = web.port("swift")
    inside = f"http://127.0.0.1:{_INSIDE}/"
    return web.written_site(
        node,
        "swift-proxy",
        f"Listen {port}\n<VirtualHost *:{port}>\n"
        "    # an object's name is its sender's: neither slashes nor escapes in it are looked at here\n"
        "    AllowEncodedSlashes NoDecode\n"
        "    # Swift says itself how large an object may be\n"
        "    LimitRequestBody 0\n"
        f"    ProxyPass / {inside} nocanon timeout=300 retry=0\n"
        f"    ProxyPassReverse / http://{node.site.controller}:{port}/\n"
        "    ProxyPreserveHost On\n"
        "</VirtualHost>\n",
    )
