"""Plans of clouds with every service, on one host and on several, with passwords of an operator's."""

from __future__ import annotations

import base64
import string
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pydantic import SecretStr

from rdo.cloud.credentials import Credentials
from rdo.cloud.passwordrules import fault
from rdo.cloud.pki import Authority
from rdo.cloud.plan import Plan
from rdo.cloud.roles import plans
from rdo.cloud.topology import SERVICES, Cloud, Cluster, Repository, Site, Storage

#: All names of passwords that a cloud of all services has, and those of a Ceph of others.
NAMES = (
    *("admin", "horizon", "metadata_proxy", "heat_domain", "heat_encryption", "barbican_encryption"),
    "swift_hash_encryption",
    *(f"{service}_service" for service in SERVICES if service not in ("keystone", "horizon")),
    *(f"{service}_database" for service in SERVICES if service not in ("swift", "horizon")),
    *(f"{service}_messaging" for service in ("nova", "neutron", "cinder", "ironic", "heat")),
    *(f"ceph_{client}" for client in ("glance", "cinder", "nova")),
)
#: Names of Ceph's cluster and of libvirt's entries, made like passwords; they aren't secrets.
IDENTIFIERS = ("ceph_fsid", "ceph_nova_libvirt", "ceph_cinder_libvirt")

_PRINTABLE = "".join(chr(code) for code in range(32, 127))
# what some reader takes for something else comes often
_ODD = st.text(st.one_of(st.sampled_from("$%'\"\\ #;{}()&@/:=`!~"), st.sampled_from(_PRINTABLE)), min_size=32)
_URL = st.text(string.ascii_letters + string.digits + "._~-", min_size=32, max_size=40)
_HEX = st.text("0123456789abcdef", min_size=32, max_size=32)


def password(name: str) -> st.SearchStrategy[str]:
    """Draw what can be a password of this name, odd as may be."""
    if name.startswith("ceph_"):
        return _HEX
    kind = _URL if name.endswith(("_database", "_messaging")) or name == "swift_hash_encryption" else _ODD
    letter = "ß" if name in ("admin", "horizon") else "x"
    drawn = kind.map(lambda text: letter + text[:31])
    return drawn.filter(lambda value: fault(name, value) is None)


def passwords() -> st.SearchStrategy[dict[str, str]]:
    """Draw a password for each name."""
    return st.fixed_dictionaries({name: password(name) for name in NAMES})


def _several(**fields: Any) -> Cloud:
    rows: tuple[dict[str, Any], ...] = (
        {"name": "a", "address": "192.0.2.10", "roles": ["controller", "storage"]},
        {"name": "b", "address": "192.0.2.11", "roles": ["compute"]},
        {"name": "c", "address": "192.0.2.12", "roles": ["compute", "network"], "external_interface": "eth2"},
    )
    for number, row in enumerate(rows, 1):
        row |= {"tunnel": f"198.51.100.{number}/24", "tunnel_interface": "eth1"}
    return Cloud.model_validate({"services": SERVICES, "hosts": rows, **fields})


_ELSEWHERE = Cluster.model_validate(
    {
        "fsid": "4b5c8c0a-ff60-454b-a1b4-9747aa737d19",
        "monitors": ["192.0.2.50", "2001:db8::5"],
        "keyrings": "/nowhere",
    }
)
#: Among them all kinds of steps, and all back ends.
CLOUDS: Mapping[str, Cloud] = {
    "one": Cloud.model_validate(
        {"services": SERVICES, "hosts": [{"name": "one", "address": ip_address("2001:db8::10")}]}
    ),
    "several": _several(datapath="userspace", firewall=True, virtualization="kvm"),
    "elsewhere": _several(storage=Storage(cluster=_ELSEWHERE)),
    "files": _several(
        storage=Storage(images="file", volumes="nfs", disks="local", nfs_share="192.0.2.60:/volumes")
    ),
}
CEPH_KEYS = {
    f"ceph_key_{client}": base64.b64encode(f"a key of Ceph's for {client}".encode()).decode()
    for client in ("glance", "cinder", "nova")
}


def make_plans(cloud: Cloud, folder: Path, values: Mapping[str, str]) -> list[Plan]:
    """Make the plans of a cloud with these passwords; what else it has is kept in the folder."""
    site = Site(
        cloud=cloud,
        repository=Repository(
            series="2026.1", platform="debian13", server="http://192.0.2.1:8080", public_key="KEY"
        ),
    )
    given = {name: SecretStr(value) for name, value in values.items()}
    credentials, authority = Credentials(folder / "passwords.json", given), Authority(folder / "pki")
    found = plans(site, credentials, authority)
    credentials.keep()
    authority.keep()
    return found
