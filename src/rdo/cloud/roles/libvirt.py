"""libvirt on hosts of virtual machines: migration over TLS, and the keys of disks in Ceph."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, Link, Script, Service
from rdo.cloud.roles import ceph
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a host of virtual machines."""
    if not node.is_compute:
        return
    names = ["libvirt-daemon", "libvirt-client", "qemu-kvm", "qemu-img"]
    if node.site.cloud.storage.ceph:
        names.append("qemu-kvm-block-rbd")
    yield node.packages("libvirt", *names)
    # libvirt and QEMU look for keys at these places unless they are told otherwise
    for path, target in (
        ("/etc/pki/CA/cacert.pem", CA),
        ("/etc/pki/libvirt/servercert.pem", CERTIFICATE),
        ("/etc/pki/libvirt/clientcert.pem", CERTIFICATE),
        ("/etc/pki/libvirt/private/serverkey.pem", key_path("root")),
        ("/etc/pki/libvirt/private/clientkey.pem", key_path("root")),
    ):
        name = path.rpartition("/")[2].removesuffix(".pem")
        yield Link(id=f"libvirt-{name}", title=f"libvirt's {name}", group="libvirt", path=path, target=target)
    yield Service(
        id="libvirt",
        title="libvirt",
        group="libvirt",
        unit=node.names.libvirt_unit,
        restart_after=("libvirt-packages",),
        ready=SecretStr("timeout 10 virsh -c qemu:///system version"),
    )
    if node.site.cloud.storage.ceph:
        yield from _keys(node)


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
            unless=SecretStr(f'test "$(virsh secret-get-value {ident})" = "{value}"'),
            script=SecretStr(
                textwrap.dedent(
                    f"""
                    work=$(mktemp -d)
                    trap 'rm -rf "$work"' EXIT
                    cat >"$work/secret.xml" <<'XML'
                    <secret ephemeral='no' private='no'>
                      <uuid>{ident}</uuid>
                      <usage type='ceph'><name>client.{client} of rdo</name></usage>
                    </secret>
                    XML
                    printf '%s' '{value}' >"$work/key"
                    virsh secret-define "$work/secret.xml" >/dev/null
                    virsh secret-set-value {ident} --file "$work/key" >/dev/null
                    """
                )
            ),
        )
