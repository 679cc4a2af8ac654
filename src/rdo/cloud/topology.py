"""What a cloud consists of. Today: one controller with Keystone, on one host."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from pydantic import Field

from rdo.cloud.plan import Part


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
    mariadb_unit: str = "mariadb"
    memcached_unit: str = "memcached"
    mariadb_socket: str = "/var/lib/mysql/mysql.sock"


class Topology(Part):
    """One controller: its host, its address, where its packages come from."""

    host: str
    address: IPv4Address | IPv6Address
    region: str = "RegionOne"
    repository: Repository
    names: PlatformNames = PlatformNames()

    @property
    def identity_url(self) -> str:
        """Keystone's address, for clients."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"http://{host}:5000/v3"
