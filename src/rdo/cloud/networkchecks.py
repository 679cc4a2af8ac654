"""What a host's own network has against a plan: interfaces that it needs, names that lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from rdo.cloud.plan import Target
from rdo.cloud.roles.base import BEGIN, END
from rdo.cloud.shell import sh
from rdo.cloud.topology import Cloud, Host

#: Prints what :func:`judge` reads.
LOOK = sh(
    r"""
ls /sys/class/net | sed 's/^/interface|/'
ip -o addr show scope global | awk '{print "address|" $2 "|" $4}'
ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/default|\1/p'
for bridge in br-ex br-tun0; do
    ovs-vsctl --timeout=5 list-ports $bridge 2>/dev/null | sed "s/^/bridged|/"
done
sed %(ours)s /etc/hosts | awk '{sub(/#.*/, "")} NF > 1 {print "hosts|" FNR "|" $0}'
""",
    ours=f"/^{BEGIN}$/,/^{END}$/s/.*//",
)
_OURS = ("br-ex", "br-int", "br-tun0", "lo", "ovs-netdev", "ovs-system")


@dataclass(frozen=True)
class _Network:
    """A host's interfaces with their addresses, those in rdo's bridges, that of the default route."""

    addresses: Mapping[str, Sequence[str]]
    bridged: frozenset[str]
    default: frozenset[str]


def judge(cloud: Cloud, host: Host, target: Target, said: str) -> list[str]:
    """Return what is wrong, a line each.

    :param target: how the host is reached
    :param said: what :data:`LOOK` printed there; other lines don't matter
    """
    rows = [line.split("|") for line in said.splitlines()]
    addresses: dict[str, list[str]] = {row[1]: [] for row in rows if row[0] == "interface"}
    for row in rows:
        if row[0] == "address":
            addresses.setdefault(row[1], []).append(row[2])
    network = _Network(
        addresses=addresses,
        bridged=frozenset(row[1] for row in rows if row[0] == "bridged"),
        default=frozenset(row[1] for row in rows if row[0] == "default"),
    )
    wrong = [*_names(cloud, host, rows)]
    if "neutron" in cloud.services and addresses:
        wrong += _interfaces(cloud, host, target, network)
    return wrong


def _names(cloud: Cloud, host: Host, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of /etc/hosts that lead to another host than the cloud's of that name."""
    known = {one.name: one.address for one in cloud.hosts}
    for row in rows:
        if row[0] != "hosts":
            continue
        there, *names = row[2].split()
        try:
            address = ip_address(there.partition("%")[0])
        except ValueError:
            continue
        for name in {*names} & known.keys():
            own = name == host.name and address.is_loopback
            if address != known[name] and not own:
                yield (
                    f"{host.name}: line {row[1]} of /etc/hosts says that {name} is {address}, and the cloud "
                    f"says {known[name]}. Take {name} out of that line."
                )


def _interfaces(cloud: Cloud, host: Host, target: Target, network: _Network) -> Iterator[str]:
    """Yield why an interface can't be put into a bridge, which takes it away from the host itself."""
    given = {"external_interface": host.external_interface}
    if cloud.datapath == "userspace" and host.tunnel is not None:
        given["tunnel_interface"] = host.tunnel_interface
    for setting, name in given.items():
        if name is None:
            continue
        what = f"{host.name}: {setting}: {name}"
        if name in _OURS:
            yield f"{what} can't go into a bridge. Name the interface that does."
        elif name not in network.addresses:
            there = ", ".join(
                f"{one} ({', '.join(own)})" if own else one
                for one, own in sorted(network.addresses.items())
                if one not in _OURS
            )
            yield f"{what} isn't there. The host has {there}."
        elif name not in network.bridged:
            yield from _taken(what, host, target, name, network)
    if host.external_interface is not None and host.external_interface == host.tunnel_interface:
        yield f"{host.name}: {host.external_interface} is its external_interface and its tunnel_interface."


def _taken(what: str, host: Host, target: Target, name: str, network: _Network) -> Iterator[str]:
    reached = {str(host.address), target.host}
    for own in network.addresses[name]:
        address = str(ip_interface(own).ip)
        if address in reached:
            yield f"{what} has {address}, by which the host is reached; in a bridge it would be cut off."
        elif host.tunnel is None or address != str(host.tunnel.ip) or "external" in what:
            yield f"{what} has {address}, which the host would lose. Remove it, or name another interface."
    if name in network.default:
        yield f"{what} has the host's default route, which would be cut off."
