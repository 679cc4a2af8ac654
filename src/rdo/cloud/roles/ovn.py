"""Open vSwitch and OVN: the northbound and southbound databases on the controller, a chassis on each host."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, File, Script, Service
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.topology import Host, Role

PHYSICAL = "physnet1"
_BRIDGE = "br-ex"
_TUNNEL_BRIDGE = "br-tun0"
_CHASSIS = {Role.COMPUTE, Role.NETWORK}
_NORTH, _SOUTH = 6641, 6642
# The switch is stopped by then, and its database has all of this.
_UNDO = "rm -f /etc/openvswitch/conf.db /var/lib/openvswitch/conf.db"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a host of any role, as far as it has to do with networks."""
    if not node.has("neutron"):
        return
    if not (node.is_controller or is_chassis(node)):
        return
    yield node.packages("openvswitch", "openvswitch", *(["ovn-host"] if is_chassis(node) else []))
    if node.is_controller:
        yield node.packages("ovn", "ovn-central")
        yield from _central(node)
    if is_chassis(node):
        yield from _chassis(node)


def is_chassis(node: Node) -> bool:
    """Tell whether ports of virtual machines, or gateways, can be on a host."""
    return bool(_CHASSIS & set(node.host.roles))


def overlay_version(node: Node) -> int:
    """Return the IP version of the cloud's tunnels: 6 where one has it, since its header is the larger."""
    ends = [_tunnel_end(host) for host in node.site.cloud.hosts if set(host.roles) & _CHASSIS]
    return max((end.version for end in ends), default=4)


def _tunnel_end(host: Host) -> IPv4Address | IPv6Address:
    return host.tunnel.ip if host.tunnel is not None else host.address


def north(node: Node) -> str:
    """Return the northbound database's address."""
    return f"ssl:{node.site.controller}:{_NORTH}"


def south(node: Node) -> str:
    """Return the southbound database's address."""
    return f"ssl:{node.site.controller}:{_SOUTH}"


def _central(node: Node) -> Iterator[AnyStep]:
    yield Service(
        id="ovn-central",
        title="OVN's databases and northd",
        group="ovn",
        unit=node.names.ovn_central_unit,
        restart_after=("ovn-packages",),
        ready=SecretStr("ovn-nbctl --timeout=5 get-connection && ovn-sbctl --timeout=5 get-connection"),
    )
    # set-connection drops all connections and everybody reconnects; hence only where it says something else.
    for tool, port in (("ovn-nbctl", _NORTH), ("ovn-sbctl", _SOUTH)):
        where = f"pssl:{port}:{node.address}"
        words = f"{key_path('root')} {CERTIFICATE} {CA}"
        yield Script(
            id=f"{tool}-connection",
            title=f"TLS of OVN at port {port}",
            group="ovn",
            unless=SecretStr(
                f"set -e\n{tool} --timeout=5 get-connection | grep -qF {where}\n"
                f"{tool} --timeout=5 get-ssl | grep -qF {key_path('root')}\n"
            ),
            script=SecretStr(
                f"{tool} --timeout=20 set-ssl {words}\n{tool} --timeout=20 set-connection {where}\n"
            ),
        )


def _chassis(node: Node) -> Iterator[AnyStep]:
    host, cloud = node.host, node.site.cloud
    userspace = cloud.datapath == "userspace"
    # Open vSwitch puts the id of this file in force at each start; OVN must not see another one meanwhile.
    yield File(
        id="openvswitch-id",
        title="The host's name in OVN",
        group="ovn",
        path="/etc/openvswitch/system-id.conf",
        content=SecretStr(f"{host.name}\n"),
    )
    yield Service(
        id="openvswitch",
        title="Open vSwitch",
        group="ovn",
        unit=node.names.openvswitch_unit,
        restart_after=("openvswitch-packages", "openvswitch-id"),
        ready=SecretStr("ovs-vsctl --timeout=5 show"),
    )
    if userspace:
        # without it TCP over veth and virtio comes with checksums that nobody computed
        yield Script(
            id="openvswitch-userspace",
            title="Offloads of the userspace datapath",
            group="ovn",
            unless=SecretStr(
                'test "$(ovs-vsctl get Open_vSwitch . other_config:userspace-tso-enable)" = \'"true"\''
            ),
            script=SecretStr(
                "ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true\n"
                f"systemctl restart {node.names.openvswitch_unit}\n"
            ),
        )
    yield _bridges(node)
    yield _settings(node)
    yield Service(
        id="ovn-controller",
        title="OVN's controller",
        group="ovn",
        unit=node.names.ovn_host_unit,
        restart_after=("openvswitch-packages",),
    )


def _bridges(node: Node) -> Script:
    """Return the step of br-ex, with the external interface or else the network's gateway, and of br-tun0."""
    host, external = node.host, node.site.cloud.external
    kind = "netdev" if node.site.cloud.datapath == "userspace" else "system"
    make = [f"ovs-vsctl --may-exist add-br {_BRIDGE} -- set bridge {_BRIDGE} datapath_type={kind}"]
    look = [f'test "$(ovs-vsctl get bridge {_BRIDGE} datapath_type)" = {kind}']
    if host.external_interface is not None:
        make.append(f"ovs-vsctl --may-exist add-port {_BRIDGE} {host.external_interface}")
        make.append(f"ip link set {host.external_interface} up")
        look.append(f'test "$(ovs-vsctl iface-to-br {host.external_interface})" = {_BRIDGE}')
    elif Role.NETWORK in host.roles:
        own = f"{external.gateway}/{external.subnet.prefixlen}"
        make.append(f"ip addr replace {own} dev {_BRIDGE}")
        look.append(f"ip -o addr show dev {_BRIDGE} | grep -qF ' {own} '")
    make.append(f"ip link set {_BRIDGE} up")
    if host.tunnel is not None and host.tunnel_interface is not None and kind == "netdev":
        # tunnels of the userspace datapath leave through a bridge of their own
        make += [
            f"ovs-vsctl --may-exist add-br {_TUNNEL_BRIDGE}"
            f" -- set bridge {_TUNNEL_BRIDGE} datapath_type=netdev"
            f" -- --may-exist add-port {_TUNNEL_BRIDGE} {host.tunnel_interface}",
            f"ip addr flush dev {host.tunnel_interface}",
            f"ip addr replace {host.tunnel} dev {_TUNNEL_BRIDGE}",
            f"ip link set {host.tunnel_interface} up",
            f"ip link set {_TUNNEL_BRIDGE} up",
        ]
        look.append(f"ip -o addr show dev {_TUNNEL_BRIDGE} | grep -qF ' {host.tunnel} '")
    return Script(
        id="bridges",
        title="Bridges of Open vSwitch",
        group="ovn",
        unless=SecretStr("set -e\n" + "\n".join(look)),
        script=SecretStr("\n".join(make)),
        undo=_UNDO,
    )


def _settings(node: Node) -> Script:
    host, cloud = node.host, node.site.cloud
    wanted = {
        "ovn-remote": south(node),
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": str(_tunnel_end(host)),
        "ovn-bridge": "br-int",
        "system-id": host.name,
        "hostname": host.name,
        "ovn-bridge-mappings": f"{PHYSICAL}:{_BRIDGE}",
    }
    if cloud.datapath == "userspace":
        wanted["ovn-bridge-datapath-type"] = "netdev"
    if Role.NETWORK in host.roles:
        wanted["ovn-cms-options"] = "enable-chassis-as-gw"
    ids = [shlex.quote(f'external-ids:{key}="{value}"') for key, value in wanted.items()]
    ssl = f"{key_path('root')} {CERTIFICATE} {CA}"
    look = ["set -e", "rdo_all=$(ovs-vsctl get Open_vSwitch . external_ids)"]
    for key, value in wanted.items():
        pattern = f'[{{ ]{key}="?{value}"?[,}}]'
        look.append(f'grep -qE {shlex.quote(pattern)} <<<"$rdo_all"')
    look.append(f"ovs-vsctl get-ssl | grep -qF {key_path('root')}")
    look.append("ovs-vsctl get-manager | grep -qxF ptcp:6640:127.0.0.1")
    make = [
        f"ovs-vsctl set Open_vSwitch . {' '.join(ids)}",
        f"ovs-vsctl set-ssl {ssl}",
        # os-vif and Neutron's agents talk to Open vSwitch here, without root
        "ovs-vsctl set-manager ptcp:6640:127.0.0.1",
    ]
    return Script(
        id="openvswitch-settings",
        title="The host's place in OVN",
        group="ovn",
        unless=SecretStr("\n".join(look)),
        script=SecretStr("\n".join(make)),
    )
