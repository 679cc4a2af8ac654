"""libvirt on hosts of virtual machines: migration over TLS, and the keys of disks in Ceph."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, File, Link, Script, Service
from rdo.cloud.roles import ceph
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.shell import here, sh
from rdo.cloud.texts import Text


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a host of virtual machines."""
    if not node.is_compute:
        return
    names = ["libvirt-daemon", "libvirt-client", "qemu-kvm", "qemu-img"]
    if node.site.cloud.storage.ceph:
        names.append("qemu-kvm-block-rbd")
    yield node.packages("libvirt", *names)
    qemu = node.names.qemu_user
    yield node.key_for(qemu, group="libvirt")
    # libvirt and QEMU look for keys at these places unless they are told otherwise
    for path, target in (
        ("/etc/pki/CA/cacert.pem", CA),
        ("/etc/pki/libvirt/servercert.pem", CERTIFICATE),
        ("/etc/pki/libvirt/clientcert.pem", CERTIFICATE),
        ("/etc/pki/libvirt/private/serverkey.pem", key_path("root")),
        ("/etc/pki/libvirt/private/clientkey.pem", key_path("root")),
        # a machine's memory goes from QEMU to QEMU
        ("/etc/pki/qemu/ca-cert.pem", CA),
        ("/etc/pki/qemu/server-cert.pem", CERTIFICATE),
        ("/etc/pki/qemu/client-cert.pem", CERTIFICATE),
        ("/etc/pki/qemu/server-key.pem", key_path(qemu)),
        ("/etc/pki/qemu/client-key.pem", key_path(qemu)),
    ):
        of, name = ("QEMU", path) if "/qemu/" in path else ("libvirt", path)
        name = name.rpartition("/")[2].removesuffix(".pem")
        yield Link(
            id=f"{of.lower()}-{name}", title=f"{of}'s {name}", group="libvirt", path=path, target=target
        )
    causes = ["libvirt-packages"]
    if node.site.cloud.datapath == "userspace":
        hook = _hook()
        yield hook
        # it sees what hooks there are when it starts
        causes.append(hook.id)
    yield _socket(node)
    yield Service(
        id="libvirt",
        title="libvirt",
        group="libvirt",
        unit=node.names.libvirt_unit,
        restart_after=tuple(causes),
        ready=sh("timeout 10 virsh -c qemu:///system version"),
    )
    if node.site.cloud.storage.ceph:
        yield from _keys(node)


def _hook() -> File:
    """Return the step of a hook that sees to it that machines' interfaces are up.

    Open vSwitch in userspace reads an interface's flags, and writes them back with PROMISC a moment later
    (netdev_linux_update_flags). On a busy host libvirt's "up" falls in between, and is lost.
    """
    return File(
        id="libvirt-hook",
        title="Hook of libvirt, for interfaces of machines",
        group="libvirt",
        path="/etc/libvirt/hooks/qemu",
        mode="755",
        content=Text(
            textwrap.dedent(
                f"""\
                #!/bin/sh
                {WRITTEN}
                if [ "$2" = started ]; then
                    sed -n "s/.*<target dev='\\(tap[^']*\\)'.*/\\1/p" |
                        while read -r tap; do ip link set "$tap" up; done
                else
                    cat >/dev/null
                fi
                """
            )
        ),
    )


def _socket(node: Node) -> Script:
    """Return the step of the socket that other hosts migrate machines over, with certificates."""
    socket, unit = node.names.libvirt_tls_unit, node.names.libvirt_unit
    return Script(
        id="libvirt-tls",
        title="TLS of libvirt",
        group="libvirt",
        unless=sh(
            "systemctl is-active --quiet %(socket)s && systemctl is-enabled --quiet %(socket)s",
            socket=socket,
        ),
        # a socket can't be started while its service runs without it
        script=sh(
            "systemctl stop %(unit)s\nsystemctl enable --quiet --now %(socket)s\n", unit=unit, socket=socket
        ),
        undo=sh("systemctl disable --quiet --now %(socket)s 2>/dev/null || true", socket=socket),
    )


def _keys(node: Node) -> Iterator[AnyStep]:
    storage = node.site.cloud.storage
    clients = [("nova", storage.disks), ("cinder", storage.volumes if node.has("cinder") else "")]
    for client, place in clients:
        if place != "rbd":
            continue
        ident = ceph.secret_uuid(node, client)
        value = ceph.key(node, client)
        yield Script(
            id=f"libvirt-secret-{client}",
            title=f"Ceph's key of {client} in libvirt",
            group="libvirt",
            unless=sh('test "$(virsh secret-get-value %(ident)s)" = %(value)s', ident=ident, value=value),
            script=sh(
                """
                work=$(mktemp -d)
                trap 'rm -rf "$work"' EXIT
                cat >"$work/secret.xml" %(xml)s
                printf '%s' %(value)s >"$work/key"
                virsh secret-define "$work/secret.xml" >/dev/null
                virsh secret-set-value %(ident)s --file "$work/key" >/dev/null
                """,
                xml=here(_secret_xml(ident, client)),
                value=value,
                ident=ident,
            ),
        )


def _secret_xml(ident: str, client: str) -> str:
    return textwrap.dedent(
        f"""\
        <secret ephemeral='no' private='no'>
          <uuid>{ident}</uuid>
          <usage type='ceph'><name>client.{client} of rdo</name></usage>
        </secret>
        """
    )
