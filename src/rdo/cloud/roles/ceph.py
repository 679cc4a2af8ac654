"""Clients of Ceph, and a small one on one host: a monitor, a manager and one OSD in a file.

The small one is for clouds of a few hosts that have no Ceph yet; it keeps one copy of everything. Where the
cloud's file says a cluster that is there already, pools, accounts and keys are its own.
"""

from __future__ import annotations

import base64
import struct
import textwrap
import uuid
from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, File, Script, Service, Stage
from rdo.cloud.roles.node import Node
from rdo.cloud.shell import Shell, here, lines, sh
from rdo.cloud.texts import Text, fill
from rdo.cloud.topology import Cluster, Pools, Role, in_url

CONFIG = "/etc/ceph/ceph.conf"
#: The step that is there where a small Ceph is.
MONITOR_STORE = "ceph-monitor-store"
# Where no monitor runs it would try for five minutes.
_CEPH = sh("ceph --connect-timeout 5")


def given_key(client: str) -> str:
    """Return the name, among the cloud's passwords, of the key that an existing cluster gave to a client."""
    return f"ceph_key_{client}"


def secret_uuid(node: Node, client: str) -> str:
    """Return the identifier of libvirt's secret with a client's key."""
    # 32 hexadecimal digits that are made like a password, and no secret: virsh has it as an argument
    return str(uuid.UUID(node.secret(f"ceph_{client}_libvirt").reveal()))


def is_client(node: Node) -> bool:
    """Tell whether a host reads or writes in Ceph."""
    return node.site.cloud.uses_ceph and (node.is_controller or node.is_compute or is_server(node))


def pool(node: Node, service: str) -> str:
    """Return the pool of what a service keeps in Ceph."""
    cluster = node.site.cloud.storage.cluster
    pools = Pools() if cluster is None else cluster.pools
    return {"glance": pools.images, "cinder": pools.volumes, "nova": pools.disks}[service]


def is_server(node: Node) -> bool:
    """Tell whether a small Ceph of the cloud's own is on a host."""
    return node.site.cloud.makes_ceph and Role.STORAGE in node.host.roles


def key(node: Node, client: str) -> Text:
    """Return a client's key in Ceph's form: type 1 (AES), time of its making, length, 16 bytes; base64.

    Source: Ceph's sources, CryptoKey::encode. Made of the cloud's own secret: no host needs to ask Ceph. A
    cluster that is there already has given its clients their keys.
    """
    if node.site.cloud.storage.cluster is not None:
        return node.secret(given_key(client))
    return node.secret(f"ceph_{client}").derive(_as_key)


def _as_key(digits: str) -> str:
    raw = bytes.fromhex(digits)
    return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, len(raw)) + raw).decode()


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of Ceph's host and of its clients."""
    if not is_client(node):
        return
    yield node.packages("ceph", "ceph-common", "python3-rados", "python3-rbd")
    yield File(
        id="ceph-configuration",
        title="Configuration of Ceph",
        group="ceph",
        path=CONFIG,
        content=Text(_configuration(node)),
    )
    if is_server(node):
        yield node.packages("ceph-server", "ceph-mon", "ceph-mgr", "ceph-osd")
        yield from _server(node)
    for client in _clients(node):
        yield File(
            id=f"ceph-{client}-keyring",
            title=f"Ceph's key of {client}",
            stage=Stage.CONFIGURATION,
            group=client,
            path=f"/etc/ceph/ceph.client.{client}.keyring",
            group_owner=client,
            mode="640",
            content=_keyring(node, client),
        )
        if node.site.cloud.storage.cluster is not None:
            yield _reached(node, client)


def _keyring(node: Node, client: str, caps: str = "") -> Text:
    return fill(
        "[client.%(client)s]\n\tkey = %(key)s\n%(caps)s", client=client, key=key(node, client), caps=caps
    )


def _clients(node: Node) -> list[str]:
    there = {"glance": node.is_controller, "cinder": node.is_controller, "nova": node.is_compute}
    return [client for client in node.site.cloud.ceph_users if there[client]]


def _reached(node: Node, client: str) -> Script:
    """Return the step that fails, and says why, where a cluster that is there already refuses a client."""
    place = pool(node, client)
    look = sh("timeout 30 rbd --id %(client)s ls %(place)s", client=client, place=place)
    advice = f"client.{client} can't list the pool {place}: are monitors, fsid, its key and its caps right?"
    return Script(
        id=f"ceph-{client}-reached",
        title=f"Ceph lets {client} in",
        stage=Stage.CONFIGURATION,
        group=client,
        unless=look,
        script=sh("%(look)s >/dev/null || { echo %(advice)s >&2; exit 1; }", look=look, advice=advice),
    )


def _server(node: Node) -> Iterator[AnyStep]:
    host = node.host.name
    yield Script(
        id=MONITOR_STORE,
        title="Ceph's monitor",
        group="ceph",
        unless=sh("test -e %(done)s", done=f"/var/lib/ceph/mon/ceph-{host}/done"),
        script=_monitor(node),
    )
    yield Service(
        id="ceph-monitor",
        title="Ceph's monitor runs",
        group="ceph",
        unit=f"ceph-mon@{host}",
        restart_after=("ceph-server-packages",),
        ready=sh("timeout 10 %(ceph)s -s", ceph=_CEPH),
    )
    yield Script(
        id="ceph-manager-store",
        title="Ceph's manager",
        group="ceph",
        unless=sh("test -s %(keyring)s", keyring=f"/var/lib/ceph/mgr/ceph-{host}/keyring"),
        script=sh(
            """
            ceph config set mon mon_allow_pool_size_one true
            ceph config set mon auth_allow_insecure_global_id_reclaim false
            install -d -o ceph -g ceph %(folder)s
            cd %(folder)s
            ceph auth get-or-create %(name)s mon 'allow profile mgr' osd 'allow *' mds 'allow *' >.new
            chown ceph:ceph .new
            chmod 600 .new
            mv .new keyring
            """,
            folder=f"/var/lib/ceph/mgr/ceph-{host}",
            name=f"mgr.{host}",
        ),
    )
    yield Service(
        id="ceph-manager",
        title="Ceph's manager runs",
        group="ceph",
        unit=f"ceph-mgr@{host}",
        restart_after=("ceph-server-packages",),
    )
    yield Script(
        id="ceph-osd-store",
        title="Ceph's disk",
        group="ceph",
        unless=sh("test -e /var/lib/ceph/osd/ceph-0/ready && test -e /var/lib/ceph/osd/ceph-0/rdo-done"),
        script=_OSD,
    )
    yield Service(
        id="ceph-osd",
        title="Ceph's disk runs",
        group="ceph",
        unit="ceph-osd@0",
        restart_after=("ceph-server-packages",),
        ready=sh("%(ceph)s osd stat | grep -q ' 1 up'", ceph=_CEPH),
    )
    yield _pools(node)


def _pools(node: Node) -> Script:
    make, look = [], [sh("set -e"), sh("rdo_keys=$(mktemp)"), sh("trap 'rm -f \"$rdo_keys\"' EXIT")]
    users = node.site.cloud.ceph_users
    for service in users:
        make.append(
            sh(
                "ceph osd pool ls | grep -qx %(pool)s ||"
                " { ceph osd pool create %(pool)s 8 8 --size 1 --yes-i-really-mean-it"
                " && rbd pool init %(pool)s; }",
                pool=pool(node, service),
            )
        )
    for service in users:
        rights = f"profile rbd pool={pool(node, service)}"
        if service != "glance" and "glance" in users:
            # volumes and disks are clones of images
            rights += f", profile rbd-read-only pool={pool(node, 'glance')}"
        keyring = _keyring(node, service, f'\tcaps mon = "profile rbd"\n\tcaps osd = "{rights}"\n')
        make.append(sh("ceph auth import -i - %(keyring)s", keyring=here(keyring)))
        # Each is asked for with its own key, which no process list shows; `ceph` takes far longer to start.
        look.append(sh('cat >"$rdo_keys" %(keyring)s', keyring=here(_keyring(node, service))))
        look.append(
            sh(
                'timeout 30 rbd --id %(service)s --keyring "$rdo_keys" ls %(pool)s',
                service=service,
                pool=pool(node, service),
            )
        )
    return Script(
        id="ceph-pools",
        title="Pools and accounts of Ceph",
        group="ceph",
        unless=lines(look),
        script=lines(make),
    )


def _monitor(node: Node) -> Shell:
    host, address = node.host.name, node.address
    return sh(
        """
        if [ -e /var/lib/ceph/osd/ceph-0/rdo-done ]; then
            echo 'The store of the monitor is gone, and only it knows what is on the disk of Ceph here.' >&2
            echo 'Bring it back, in /var/lib/ceph/mon; with a new one, that would be lost.' >&2
            exit 1
        fi
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        rm -rf --one-file-system --preserve-root=all %(folder)s
        ceph-authtool --create-keyring "$work/mon" --gen-key -n mon. --cap mon 'allow *' >/dev/null
        ceph-authtool --create-keyring /etc/ceph/ceph.client.admin.keyring --gen-key -n client.admin \\
            --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *' >/dev/null
        chmod 600 /etc/ceph/ceph.client.admin.keyring
        ceph-authtool "$work/mon" --import-keyring /etc/ceph/ceph.client.admin.keyring >/dev/null
        monmaptool --create --addv %(host)s %(addresses)s --fsid %(fsid)s "$work/map" >/dev/null
        chown ceph:ceph "$work/mon" "$work/map"
        install -d -o ceph -g ceph /var/lib/ceph/mon %(folder)s
        runuser -u ceph -- ceph-mon --mkfs -i %(host)s --monmap "$work/map" --keyring "$work/mon"
        touch %(folder)s/done
        """,
        folder=f"/var/lib/ceph/mon/ceph-{host}",
        host=host,
        addresses=f"[v2:{address}:3300,v1:{address}:6789]",
        fsid=_fsid(node),
    )


_OSD = sh(
    """
    folder=/var/lib/ceph/osd/ceph-0
    # pools are made when the disk runs for the first time
    if ceph osd ls | grep -qx 0 && ceph osd pool ls | grep -qvx '[.]mgr'; then
        echo "Ceph has pools, and their disk, $folder, is gone. Bring it back." >&2
        echo 'Is a file system not mounted there? A new disk would be empty.' >&2
        exit 1
    fi
    systemctl stop ceph-osd@0 2>/dev/null || true
    if ceph osd ls | grep -qx 0; then ceph osd purge 0 --yes-i-really-mean-it; fi
    rm -rf --one-file-system --preserve-root=all $folder
    id=$(cat /proc/sys/kernel/random/uuid)
    secret=$(ceph-authtool --gen-print-key)
    test "$(printf '{"cephx_secret": "%s"}' "$secret" | ceph osd new $id -i -)" = 0
    install -d -o ceph -g ceph /var/lib/ceph/osd $folder
    ( umask 077; printf '[osd.0]\\n\\tkey = %s\\n' "$secret" >$folder/keyring )
    chown ceph:ceph $folder/keyring
    runuser -u ceph -- ceph-osd -i 0 --mkfs --osd-uuid $id
    touch $folder/rdo-done
    """
)


def _fsid(node: Node) -> str:
    # the cluster's name, which clients' configuration has; no secret
    return str(uuid.UUID(node.secret("ceph_fsid").reveal()))


def _configuration(node: Node) -> str:
    cluster = node.site.cloud.storage.cluster
    return _of_small(node) if cluster is None else _of_cluster(cluster)


def _of_cluster(cluster: Cluster) -> str:
    monitors = ",".join(f"[v2:{in_url(address)}:3300]" for address in cluster.monitors)
    return textwrap.dedent(
        f"""\
        {WRITTEN}
        [global]
        fsid = {cluster.fsid}
        mon_host = {monitors}
        ms_client_mode = secure
        ms_mon_client_mode = secure
        [client]
        log_to_file = false
        admin_socket =
        """
    )


def _of_small(node: Node) -> str:
    server = node.site.cloud.having(Role.STORAGE)[0]
    address = in_url(server.address)
    return textwrap.dedent(
        f"""\
        {WRITTEN}
        [global]
        fsid = {_fsid(node)}
        mon_initial_members = {server.name}
        mon_host = [v2:{address}:3300,v1:{address}:6789]
        public_addr = {server.address}
        # traffic is encrypted as well as signed
        ms_cluster_mode = secure
        ms_service_mode = secure
        ms_client_mode = secure
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_crush_chooseleaf_type = 0
        osd_pool_default_pg_num = 8
        osd_pool_default_pg_autoscale_mode = off
        mon_allow_pool_size_one = true
        mon_warn_on_pool_no_redundancy = false
        osd_memory_target = 939524096
        [client]
        log_to_file = false
        admin_socket =
        [osd]
        bluestore_block_size = {node.site.cloud.storage.size * 1024**3}
        bluestore_block_create = true
        osd_max_object_name_len = 256
        """
    )
