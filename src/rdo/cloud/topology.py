"""What a cloud consists of: hosts and their roles, networks, services, storage.

:class:`Cloud` is what an operator writes (:mod:`rdo.cloud.cloudfile` reads it); everything has a default that
fits one host. :class:`Site` adds what is not the operator's to say: the repository's key, a platform's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

from pydantic import Field, ValidationError, field_validator, model_validator

from rdo.cloud import names
from rdo.cloud.plan import Part


class Role(StrEnum):
    """What a host is for: ``controller`` has APIs, database, broker; ``network`` the way outside."""

    CONTROLLER = "controller"
    NETWORK = "network"
    COMPUTE = "compute"
    STORAGE = "storage"


Service = Literal[
    "keystone",
    "glance",
    "placement",
    "neutron",
    "nova",
    "cinder",
    "swift",
    "barbican",
    "ironic",
    "heat",
    "horizon",
]

#: In the order in which they are put up; each needs some of those before it.
SERVICES: tuple[Service, ...] = get_args(Service)
#: Those that a cloud has only where it says so.
FURTHER: tuple[Service, ...] = ("swift", "barbican", "ironic", "heat")
CORE: tuple[Service, ...] = tuple(service for service in SERVICES if service not in FURTHER)

#: What each service can't be without.
NEEDS: Mapping[Service, tuple[Service, ...]] = {
    "keystone": (),
    "glance": ("keystone",),
    "placement": ("keystone",),
    "neutron": ("keystone",),
    "nova": ("keystone", "glance", "placement", "neutron"),
    "cinder": ("keystone", "glance"),
    "swift": ("keystone",),
    "barbican": ("keystone",),
    "ironic": ("keystone",),
    "heat": ("keystone",),
    "horizon": ("keystone", "glance", "nova", "neutron"),
}


class Repository(Part):
    """Where the host gets its packages: the address, and the key that signed them."""

    series: str
    platform: str
    server: str = Field(description="URL above all repositories, without a slash at its end")
    public_key: str = Field(description="armored OpenPGP certificate")


class PlatformNames(Part):
    """What a platform calls things (from its description; EL's names by default)."""

    httpd_unit: str = "httpd"
    httpd_confdir: str = "/etc/httpd/conf.d"
    httpd_user: str = "apache"
    httpd_modules: str = Field(
        default="", description="shell command that makes httpd load its modules for TLS and for proxies"
    )
    mariadb_unit: str = "mariadb"
    mariadb_confdir: str = "/etc/my.cnf.d"
    mariadb_socket: str = "/var/lib/mysql/mysql.sock"
    memcached_unit: str = "memcached"
    rabbitmq_unit: str = "rabbitmq-server"
    ovn_central_unit: str = "ovn-northd"
    ovn_host_unit: str = "ovn-controller"
    openvswitch_unit: str = "openvswitch"
    libvirt_unit: str = "libvirtd"
    qemu_user: str = "qemu"
    libvirt_tls_unit: str = Field(default="libvirtd-tls.socket", description="its socket for other hosts")


#: Instead of an address for SSH: the host is the machine that the command runs on.
LOCAL = "local"


class Host(Part):
    """One machine of the cloud."""

    name: names.HostName
    address: names.IpAddress = Field(description="where its services listen and others reach it")
    roles: tuple[Role, ...] = Field(default=tuple(Role), min_length=1)
    ssh: names.Login | None = Field(
        default=None, description="[user@]address for SSH, root@address by default; local: this very machine"
    )
    tunnel: IPv4Interface | None = Field(
        default=None, description="address and prefix for tunnels; its address by default"
    )
    tunnel_interface: names.Interface | None = Field(default=None, description="the interface that has it")
    external_interface: names.Interface | None = Field(
        default=None, description="interface on the external network; without one it stays inside the host"
    )

    @field_validator("roles")
    @classmethod
    def _once(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        if len(set(roles)) != len(roles):
            raise ValueError("a role is named twice")
        return roles


class External(Part):
    """The network that floating IPs are from."""

    name: names.Line = "public"
    subnet: IPv4Network = IPv4Network("203.0.113.0/24")
    gateway: IPv4Address = IPv4Address("203.0.113.1")
    first: IPv4Address = IPv4Address("203.0.113.100")
    last: IPv4Address = IPv4Address("203.0.113.250")
    mtu: int = Field(default=1500, ge=576, le=9216)

    @model_validator(mode="after")
    def _inside(self) -> External:
        outside = [name for name in ("gateway", "first", "last") if getattr(self, name) not in self.subnet]
        if outside:
            raise ValueError(f"{', '.join(outside)}: not in {self.subnet}")
        if self.first > self.last:
            raise ValueError(f"first ({self.first}) comes after last ({self.last})")
        if self.first <= self.gateway <= self.last:
            raise ValueError(f"the gateway {self.gateway} is among the floating IPs")
        return self


class Pools(Part):
    """How the pools of a Ceph cluster are called."""

    images: names.Pool = "images"
    volumes: names.Pool = "volumes"
    disks: names.Pool = "vms"


class Cluster(Part):
    """A Ceph cluster that is there already. Its monitors speak the protocol of version 2, at port 3300."""

    fsid: UUID
    monitors: tuple[names.IpAddress, ...] = Field(min_length=1)
    keyrings: Path = Field(description="folder with ceph.client.NAME.keyring of glance, cinder and nova")
    pools: Pools = Pools()


class Storage(Part):
    """Where images, volumes and the disks of virtual machines are."""

    images: Literal["file", "rbd"] = "rbd"
    volumes: Literal["rbd", "lvm", "nfs"] = "rbd"
    disks: Literal["local", "rbd"] = "rbd"
    size: int = Field(default=8, ge=1, description="GiB that the small Ceph takes of its host's disk")
    cluster: Cluster | None = Field(default=None, description="an existing Ceph; a small one is made without")
    nfs_share: names.Share | None = Field(default=None, description="server:/path, for volumes on NFS")
    volume_group: names.VolumeGroup = Field(default="cinder-volumes", description="for volumes on LVM")

    @property
    def ceph(self) -> bool:
        """Whether anything is in Ceph."""
        return "rbd" in (self.images, self.volumes, self.disks)

    @model_validator(mode="after")
    def _complete(self) -> Storage:
        if (self.volumes == "nfs") != (self.nfs_share is not None):
            raise ValueError("nfs_share goes with `volumes: nfs`, and that with it")
        if self.cluster is not None and not self.ceph:
            raise ValueError("cluster goes with rbd for images, volumes or disks")
        return self


#: project -> section -> option -> value
Options = Mapping[str, Mapping[names.Section, Mapping[names.Option, names.Value]]]


class Cloud(Part):
    """A cloud as its operator describes it."""

    name: names.HostName = "rdo"
    series: names.Line | None = Field(default=None, description="the newest maintained one by default")
    platform: names.Line | None = Field(default=None, description="of all hosts")
    region: names.Region = "RegionOne"
    repository: names.Address | None = Field(
        default=None, description="URL above the repositories; ours by default"
    )
    repository_key: names.Line | None = Field(
        default=None, description="file of the key that signed the repository, or the key's fingerprint"
    )
    services: tuple[Service, ...] = CORE
    hosts: tuple[Host, ...] = Field(min_length=1)
    external: External = External()
    storage: Storage = Storage()
    workers: int = Field(default=1, ge=1, le=64, description="processes of each API and each worker service")
    datapath: Literal["kernel", "userspace"] = Field(
        default="kernel", description="of Open vSwitch; userspace where the kernel has none"
    )
    virtualization: Literal["auto", "kvm", "qemu"] = Field(
        default="auto", description="auto: kvm where it really works"
    )
    firewall: bool = Field(default=True, description="close ports that are for the cloud's hosts to others")
    options: Options = Field(default={}, description="further options: project -> section -> option -> value")

    @field_validator("services")
    @classmethod
    def _ordered(cls, services: tuple[Service, ...]) -> tuple[Service, ...]:
        missing = {
            f"{need} ({one} needs it)" for one in services for need in NEEDS[one] if need not in services
        }
        if missing:
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
        return tuple(one for one in SERVICES if one in services)

    @model_validator(mode="after")
    def _consistent(self) -> Cloud:
        wrong = []
        if self.repository_key is not None and self.repository is None:
            wrong.append("repository_key goes with repository")
        for what in ("name", "address"):
            seen = [str(getattr(host, what)) for host in self.hosts]
            wrong += [
                f"the {what} {one} is used twice" for one in sorted({s for s in seen if seen.count(s) > 1})
            ]
        controllers = [host.name for host in self.hosts if Role.CONTROLLER in host.roles]
        if len(controllers) != 1:
            wrong.append(f"one host must be the controller, not {len(controllers)}")
        if "nova" in self.services and not self.having(Role.COMPUTE):
            wrong.append("no host has the role compute")
        if "neutron" in self.services and not self.having(Role.NETWORK):
            wrong.append("no host has the role network")
        if self.makes_ceph and len(self.having(Role.STORAGE)) != 1:
            wrong.append("one host must have the role storage, for the small Ceph")
        elif "swift" in self.services and len(self.having(Role.STORAGE)) != 1:
            wrong.append("one host must have the role storage, for Swift's objects")
        if self.datapath == "userspace" and len(self.hosts) > 1:
            wrong += [
                f"{host.name} lacks tunnel and tunnel_interface, which the userspace datapath needs"
                for host in self.hosts
                if host.tunnel is None or host.tunnel_interface is None
            ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def having(self, role: Role) -> list[Host]:
        """Return the hosts of a role."""
        return [host for host in self.hosts if role in host.roles]

    @property
    def controller(self) -> Host:
        """The host of the APIs."""
        return self.having(Role.CONTROLLER)[0]

    @property
    def uses_ceph(self) -> bool:
        """Whether a service that is here keeps something in Ceph."""
        return bool(self.ceph_users)

    @property
    def makes_ceph(self) -> bool:
        """Whether that is a small Ceph of the cloud's own."""
        return self.uses_ceph and self.storage.cluster is None

    @property
    def ceph_users(self) -> list[Service]:
        """The services that keep something in Ceph."""
        storage = self.storage
        kept = {"glance": storage.images, "cinder": storage.volumes, "nova": storage.disks}
        return [service for service in self.services if kept.get(service) == "rbd"]


class Site(Part):
    """A cloud with all that its plan is made of, its secrets apart."""

    cloud: Cloud
    repository: Repository
    names: PlatformNames = PlatformNames()

    @cached_property
    def controller(self) -> str:
        """The controller's address, as URLs have it."""
        return in_url(self.cloud.controller.address)

    def url(self, port: int, path: str = "") -> str:
        """Return the address of an API on the controller."""
        return f"https://{self.controller}:{port}{path}"

    @property
    def identity_url(self) -> str:
        """Keystone's address, for clients."""
        return self.url(5000, "/v3")


def in_url(address: IPv4Address | IPv6Address) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if address.version == 6 else str(address)


def reasons(error: ValueError) -> str:
    """Return what is wrong with a cloud that did not come from a file, in one line and without its values."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        ": ".join(
            [*(str(step) for step in row["loc"][-1:]), str(row.get("ctx", {}).get("error", row["msg"]))]
        )
        for row in error.errors(include_url=False)
    )
