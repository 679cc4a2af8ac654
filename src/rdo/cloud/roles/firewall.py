"""Who may reach what: ports that hosts of the cloud need of each other are closed to everybody else.

The rules are a table of their own in nftables, so that those of the host stay, whoever made them:
the table only refuses. Where firewalld runs, which refuses what it was not told of, it is told.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, File, Script, Service
from rdo.cloud.roles import ceph, swift, web
from rdo.cloud.roles.node import Node
from rdo.cloud.shell import both, lines, sh
from rdo.cloud.texts import Text
from rdo.cloud.topology import Role

RULES = "/etc/rdo/firewall.nft"
UNIT = "rdo-firewall"
_UNIT = f"/etc/systemd/system/{UNIT}.service"
_CONSOLE = 6080
_GENEVE = 6081


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of every host."""
    if not node.site.cloud.firewall:
        return
    yield node.packages("firewall", "nftables")
    yield File(
        id="firewall-rules",
        title="Rules of the firewall",
        group="firewall",
        about_hosts=True,
        path=RULES,
        content=Text(rules(node)),
    )
    yield File(
        id="firewall-unit",
        title="Unit of the firewall",
        group="firewall",
        path=_UNIT,
        content=Text(
            textwrap.dedent(
                f"""\
                {WRITTEN}
                [Unit]
                Description=Ports that are for the cloud's own hosts
                DefaultDependencies=no
                Before=network-pre.target shutdown.target
                Wants=network-pre.target
                Conflicts=shutdown.target

                [Service]
                Type=oneshot
                RemainAfterExit=yes
                ExecStart=/usr/sbin/nft -f {RULES}
                ExecStop=-/usr/sbin/nft delete table inet rdo

                [Install]
                WantedBy=sysinit.target
                """
            )
        ),
    )
    yield Service(
        id="firewall",
        title="Firewall",
        group="firewall",
        about_hosts=True,
        unit=UNIT,
        restart_after=("firewall-packages", "firewall-rules", "firewall-unit"),
        ready=sh("nft list table inet rdo"),
    )
    yield _firewalld(node)


def public(node: Node) -> list[str]:
    """Return the TCP ports that anybody may reach."""
    if not node.is_controller:
        return []
    ports = [site[2] for service, sites in web.SITES.items() if node.has(service) for site in sites]
    # Nova's metadata is for the agents beside the machines
    found = {port for port in ports if port != web.METADATA}
    if node.has("nova"):
        found.add(_CONSOLE)
    if node.has("horizon"):
        found |= {80, 443}
    found |= {port for service, sites in web.FURTHER_SITES.items() if node.has(service) for _, port in sites}
    return [str(port) for port in sorted(found)]


def internal(node: Node) -> list[str]:
    """Return the TCP ports, and ranges of them, that are for the cloud's hosts only."""
    found = []
    if node.is_controller:
        found += ["3306", "4369", "5671", "6641-6642", str(web.METADATA), "11211", "25672"]
    if ceph.is_server(node):
        found += ["3300", "6789", "6800-7568"]
    found += swift.ports(node)
    if node.is_compute:
        # consoles, libvirt, QEMU's migrations
        found += ["5900-6923", "16514", "49152-49215"]
    if {Role.COMPUTE, Role.NETWORK} & set(node.host.roles):
        found.append("6640")
    # what is for anybody on another port of a range stays so
    return sorted(found, key=lambda port: int(port.partition("-")[0]))


def rules(node: Node) -> str:
    """Return the rules of a host, for ``nft -f``."""
    peers = [host.address for host in node.site.cloud.hosts]
    peers += [host.tunnel.ip for host in node.site.cloud.hosts if host.tunnel is not None]
    accept = []
    for version, word in ((4, "ip"), (6, "ip6")):
        own = sorted({str(address) for address in peers if address.version == version})
        if own:
            accept.append(f"{word} saddr {{ {', '.join(own)} }} accept")
    if ports := public(node):
        accept.append(f"tcp dport {{ {', '.join(ports)} }} accept")
    refuse = [f"udp dport {_GENEVE} drop"]
    if ports := internal(node):
        refuse.insert(0, f"tcp dport {{ {', '.join(ports)} }} reject with tcp reset")
    rows = ["iif lo accept", "ct state established,related accept", *accept, *refuse]
    chain = "".join(f"        {line}\n" for line in rows)
    return (
        f"{WRITTEN}\n"
        "table inet rdo\ndelete table inet rdo\ntable inet rdo {\n    chain input {\n"
        "        type filter hook input priority filter; policy accept;\n"
        f"{chain}    }}\n}}\n"
    )


def _firewalld(node: Node) -> Script:
    peers = [host.address for host in node.site.cloud.hosts if host.address != node.host.address]
    ports = [f"{port}/tcp" for port in public(node)]
    runs, reload = sh("systemctl is-active --quiet firewalld || exit 0"), sh("firewall-cmd --quiet --reload")
    look = [sh("firewall-cmd --quiet --query-port=%(port)s", port=port) for port in ports]
    look += [sh("firewall-cmd --quiet --zone=trusted --query-source=%(peer)s", peer=peer) for peer in peers]
    make = [sh("firewall-cmd --quiet --permanent --add-port=%(port)s", port=port) for port in ports]
    undo = [sh("firewall-cmd --quiet --permanent --remove-port=%(port)s", port=port) for port in ports]
    for peer in peers:
        make.append(sh("firewall-cmd --quiet --permanent --zone=trusted --add-source=%(peer)s", peer=peer))
        undo.append(sh("firewall-cmd --quiet --permanent --zone=trusted --remove-source=%(peer)s", peer=peer))
    return Script(
        id="firewalld",
        title="Ports and hosts in firewalld, where that runs",
        group="firewall",
        about_hosts=True,
        unless=lines([runs, both(*look) if look else sh("true")]),
        script=lines([*make, reload]),
        undo=lines([runs, *undo, reload]),
    )
