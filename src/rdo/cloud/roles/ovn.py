"""Open vSwitch and OVN: the northbound and southbound databases on the controller, a chassis on each host."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from rdo.cloud.plan import AnyStep, File, Script, Service
from rdo.cloud.roles.node import CA, CERTIFICATE, Node, key_path
from rdo.cloud.shell import Shell, lines, sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Host, Role

PHYSICAL = "physnet1"
_BRIDGE = "br-ex"
_TUNNEL_BRIDGE = "br-tun0"
# what a setting has put into br-ex, apart from what OVN and operators have there
_MARKED = sh("ovs-vsctl --bare --columns=name find port external_ids:rdo=external")
_CHASSIS = {Role.COMPUTE, Role.NETWORK}
_NORTH, _SOUTH = 6641, 6642
# The switch is stopped by then, and its database has all of this.
_UNDO = sh("rm -f /etc/openvswitch/conf.db /var/lib/openvswitch/conf.db")


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
        ready=sh("ovn-nbctl --timeout=5 get-connection && ovn-sbctl --timeout=5 get-connection"),
    )
    # set-connection drops all connections and everybody reconnects; hence only where it says something else.
    for tool, port in (("ovn-nbctl", _NORTH), ("ovn-sbctl", _SOUTH)):
        where = f"pssl:{port}:{node.address}"
        yield Script(
            id=f"{tool}-connection",
            title=f"TLS of OVN at port {port}",
            group="ovn",
            unless=sh(
                """
                set -e
                %(tool)s --timeout=5 get-connection | grep -qF %(where)s
                %(tool)s --timeout=5 get-ssl | grep -qF %(key)s
                """,
                tool=tool,
                where=where,
                key=key_path("root"),
            ),
            script=sh(
                """
                %(tool)s --timeout=20 set-ssl %(files)s
                %(tool)s --timeout=20 set-connection %(where)s
                """,
                tool=tool,
                where=where,
                files=[key_path("root"), CERTIFICATE, CA],
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
        content=Text(f"{host.name}\n"),
    )
    yield Service(
        id="openvswitch",
        title="Open vSwitch",
        group="ovn",
        unit=node.names.openvswitch_unit,
        restart_after=("openvswitch-packages", "openvswitch-id"),
        ready=sh("ovs-vsctl --timeout=5 show"),
    )
    if userspace:
        # without it TCP over veth and virtio comes with checksums that nobody computed
        yield Script(
            id="openvswitch-userspace",
            title="Offloads of the userspace datapath",
            group="ovn",
            unless=sh(
                'test "$(ovs-vsctl get Open_vSwitch . other_config:userspace-tso-enable)" = \'"true"\''
            ),
            script=sh(
                """
                ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true
                systemctl restart %(unit)s
                """,
                unit=node.names.openvswitch_unit,
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
    make = [_bridge(_BRIDGE, kind)]
    look = [sh('test "$(ovs-vsctl get bridge br-ex datapath_type)" = %(kind)s', kind=kind)]
    outside = host.external_interface
    own = f"{external.gateway}/{external.subnet.prefixlen}"
    # one that an earlier setting has put there would bridge two networks
    make.append(
        sh(
            """
            for old in $(%(marked)s); do
                [ "$old" = %(port)s ] || ovs-vsctl del-port br-ex "$old"
            done
            """,
            marked=_MARKED,
            port=outside or "",
        )
    )
    look.append(sh('test "$(%(marked)s)" = %(port)s', marked=_MARKED, port=outside or ""))
    if outside is not None:
        # a name without an interface would stay in the bridge, and be taken for one that comes later
        make.append(_up(outside))
        add = sh("ovs-vsctl --may-exist add-port br-ex %(port)s", port=outside)
        make.append(sh("%(add)s -- set port %(port)s external-ids:rdo=external", add=add, port=outside))
        make.append(sh("ip addr del %(own)s dev br-ex 2>/dev/null || true", own=own))
        look.append(sh('test "$(ovs-vsctl iface-to-br %(port)s)" = br-ex', port=outside))
        look.append(sh("if %(there)s; then exit 1; fi", there=_has_address(own, _BRIDGE)))
    elif Role.NETWORK in host.roles:
        make.append(_address(own, _BRIDGE))
        look.append(_has_address(own, _BRIDGE))
    make.append(_up(_BRIDGE))
    if host.tunnel is not None and host.tunnel_interface is not None and kind == "netdev":
        # tunnels of the userspace datapath leave through a bridge of their own
        port = host.tunnel_interface
        make += [
            _bridge(_TUNNEL_BRIDGE, kind),
            sh("ovs-vsctl --may-exist add-port br-tun0 %(port)s", port=port),
            sh("ip addr flush dev %(port)s", port=port),
            _address(str(host.tunnel), _TUNNEL_BRIDGE),
            _up(port),
            _up(_TUNNEL_BRIDGE),
        ]
        look.append(_has_address(str(host.tunnel), _TUNNEL_BRIDGE))
    return Script(
        id="bridges",
        title="Bridges of Open vSwitch",
        group="ovn",
        unless=lines([sh("set -e"), *look]),
        script=lines(make),
        undo=_UNDO,
    )


def _bridge(name: str, kind: str) -> Shell:
    return sh(
        "ovs-vsctl --may-exist add-br %(name)s -- set bridge %(name)s %(type)s",
        name=name,
        type=f"datapath_type={kind}",
    )


def _up(interface: str) -> Shell:
    return sh("ip link set %(interface)s up", interface=interface)


def _address(own: str, interface: str) -> Shell:
    return sh("ip addr replace %(own)s dev %(interface)s", own=own, interface=interface)


def _has_address(own: str, interface: str) -> Shell:
    return sh("ip -o addr show dev %(interface)s | grep -qF %(own)s", own=f" {own} ", interface=interface)


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
    ids = [f'external-ids:{key}="{value}"' for key, value in wanted.items()]
    look = [sh("set -e"), sh("rdo_all=$(ovs-vsctl get Open_vSwitch . external_ids)")]
    for key, value in wanted.items():
        pattern = f'[{{ ]{key}="?{value}"?[,}}]'
        look.append(sh('grep -qE %(pattern)s <<<"$rdo_all"', pattern=pattern))
    look.append(sh("ovs-vsctl get-ssl | grep -qF %(key)s", key=key_path("root")))
    look.append(sh("ovs-vsctl get-manager | grep -qxF ptcp:6640:127.0.0.1"))
    make = [
        sh("ovs-vsctl set Open_vSwitch . %(ids)s", ids=ids),
        sh("ovs-vsctl set-ssl %(files)s", files=[key_path("root"), CERTIFICATE, CA]),
        # os-vif and Neutron's agents talk to Open vSwitch here, without root
        sh("ovs-vsctl set-manager ptcp:6640:127.0.0.1"),
    ]
    return Script(
        id="openvswitch-settings",
        title="The host's place in OVN",
        group="ovn",
        unless=lines(look),
        script=lines(make),
    )
