"""The hosts' networks: bridges in a network namespace of their own, and a namespace with three veths a host.

``eth0`` is for management and has an address from the start. ``eth1`` (tunnels) and ``eth2`` (the external
network of a cloud, whose gateway is the bridge) have none until a cloud gives them to its virtual switches.

Nothing of it is in the machine's own namespace, so installations and test runs side by side don't collide
though all use 192.0.2.0/24 (TEST-NET-1, RFC 5737), and hosts have no way out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.process import CommandError, run

SUBNET = ipaddress.IPv4Network("192.0.2.0/24")
BRIDGE_ADDRESS = "192.0.2.1"
"""The bridge's own address, where the repository is served."""

OUTSIDE = ipaddress.IPv4Interface("203.0.113.1/24")
"""Address of the external network's bridge: the gateway of clouds on several hosts (TEST-NET-3)."""

_LIMIT = 60.0
"""Seconds for one of `ip`'s commands, which wait for other namespaces' ends."""
_FIRST_HOST = 10
_BRIDGE = "br0"
# interface of a host -> (its bridge, the first letter of its port there)
_LINKS = {"eth0": (_BRIDGE, "v"), "eth1": ("br1", "t"), "eth2": ("br2", "x")}
_NAMESPACES = Path("/run/netns")


def installation_tag(paths: Paths) -> str:
    """Return 8 hexadecimal digits that name this installation's namespaces and control groups."""
    return hashlib.sha256(str(paths.state).encode()).hexdigest()[:8]


def free_address(taken: Iterable[str]) -> str:
    """Return the lowest address from 192.0.2.10 on that no host has.

    :raises RdoError: all are taken
    """
    used = set(taken)
    for number in range(_FIRST_HOST, SUBNET.num_addresses - 1):
        address = str(SUBNET[number])
        if address not in used:
            return address
    raise RdoError("All addresses of test hosts are taken.", hint="rdo host destroy NAME")


@dataclass(frozen=True)
class Network:
    """The network of one installation. Every method may be called again, or after half of it was lost."""

    tag: str

    @classmethod
    def of(cls, paths: Paths) -> Network:
        """Return the network of the installation that keeps its state in ``paths``."""
        return cls(installation_tag(paths))

    @property
    def namespace(self) -> str:
        """Name of the bridge's namespace."""
        return f"rdo-{self.tag}"

    @property
    def namespace_file(self) -> Path:
        """The file that stands for the bridge's namespace."""
        return _NAMESPACES / self.namespace

    def host_namespace(self, name: str) -> str:
        """Name of a host's namespace."""
        return f"rdo-{self.tag}-{name}"

    def ensure_bridge(self) -> None:
        """Make the namespace and the bridge where they are not there.

        :raises CommandError: the kernel or the rights don't allow it
        """
        _ensure_namespace(self.namespace)
        own = {_BRIDGE: f"{BRIDGE_ADDRESS}/{SUBNET.prefixlen}", "br2": str(OUTSIDE)}
        for bridge, _ in _LINKS.values():
            if not _has_link(self.namespace, bridge):
                _ip(self.namespace, "link", "add", bridge, "type", "bridge")
            if bridge in own:
                _ip(self.namespace, "addr", "replace", own[bridge], "dev", bridge)
            _ip(self.namespace, "link", "set", bridge, "up")

    def ensure_host(self, name: str, address: str) -> None:
        """Make a host's namespace with its interfaces on the bridges where they are not there."""
        self.ensure_bridge()
        inner = self.host_namespace(name)
        _ensure_namespace(inner)
        packed = ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)
        for number, (link, (bridge, letter)) in enumerate(_LINKS.items()):
            port = f"{letter}{address.rpartition('.')[2]}"
            if not _has_link(inner, link):
                peer = ("peer", "name", link, "address", f"02:{number:02x}:{packed}", "netns", inner)
                _ip(self.namespace, "link", "add", port, "type", "veth", *peer)
            _ip(self.namespace, "link", "set", port, "master", bridge, "up")
        _ip(inner, "addr", "replace", f"{address}/{SUBNET.prefixlen}", "dev", "eth0")
        _ip(inner, "link", "set", "eth0", "up")

    def attach_outside(self, name: str, address: str) -> None:
        """Give a host an address on the external network, at its ``eth2``, as a host outside has one."""
        inner = self.host_namespace(name)
        _ip(inner, "addr", "replace", f"{address}/{OUTSIDE.network.prefixlen}", "dev", "eth2")
        _ip(inner, "link", "set", "eth2", "up")

    def remove_host(self, name: str) -> None:
        """Remove a host's namespace; its veth pair goes with it."""
        inner = self.host_namespace(name)
        for link in _LINKS:
            if _has_link(inner, link):
                # The namespace itself may linger while a last process holds it; its cables must not.
                _ip(inner, "link", "del", link)
        _remove_namespace(inner)

    def remove(self) -> None:
        """Remove everything, also what hosts that are not there any more have left."""
        if _NAMESPACES.is_dir():
            for leftover in sorted(_NAMESPACES.glob(f"{self.namespace}-*")):
                _remove_namespace(leftover.name)
        _remove_namespace(self.namespace)


def _ip(namespace: str, *arguments: str) -> None:
    run(["ip", "-n", namespace, *arguments], timeout=_LIMIT)


def _has_link(namespace: str, link: str) -> bool:
    return run(["ip", "-n", namespace, "link", "show", link], check=False, timeout=_LIMIT).status == 0


def _ensure_namespace(name: str) -> None:
    if run(["ip", "-n", name, "link", "set", "lo", "up"], check=False, timeout=_LIMIT).status == 0:
        return
    # A file without a namespace behind it is left by a kill between its making and the mount on it.
    (_NAMESPACES / name).unlink(missing_ok=True)
    try:
        run(["ip", "netns", "add", name], timeout=_LIMIT)
    except CommandError as error:
        raise RdoError(
            f"A network namespace could not be made: {error.what}",
            hint="Test hosts need root and the `ip` program (package iproute2).",
        ) from error
    run(["ip", "-n", name, "link", "set", "lo", "up"], timeout=_LIMIT)


def _remove_namespace(name: str) -> None:
    if (_NAMESPACES / name).exists():
        run(["ip", "netns", "del", name], timeout=_LIMIT)
