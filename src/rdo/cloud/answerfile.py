"""Packstack's answer files as input: what they say of hosts, services and passwords becomes a cloud.

Packstack's keys are facts about another program (openstack/packstack, ``packstack/plugins``); those that have
a counterpart here are in the tables below. Any other key of its own is named in a remark, where it says
something.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

from pydantic import SecretStr, TypeAdapter, ValidationError

from rdo.cloud import names
from rdo.cloud.given import Given
from rdo.cloud.packstackkeys import FORMER, KEYS
from rdo.cloud.topology import CORE, NEEDS, SERVICES, Cloud, Host, Role, Service
from rdo.common.errors import DataError, Problem

_LINE = re.compile(r"(?P<key>\w+)\s*=\s*(?P<value>.*)")
#: service here -> the key that says whether it is wanted; Packstack always installs the rest
_WANTED: Mapping[Service, str] = {
    "glance": "CONFIG_GLANCE_INSTALL",
    "neutron": "CONFIG_NEUTRON_INSTALL",
    "nova": "CONFIG_NOVA_INSTALL",
    "cinder": "CONFIG_CINDER_INSTALL",
    "swift": "CONFIG_SWIFT_INSTALL",
    "ironic": "CONFIG_IRONIC_INSTALL",
    "heat": "CONFIG_HEAT_INSTALL",
    "horizon": "CONFIG_HORIZON_INSTALL",
}
#: those of them that Packstack leaves out by default
_UNASKED = ("ironic", "heat")
#: what Packstack installs beside them; on by its own default or not
_ELSEWHERE = {
    **dict.fromkeys(("CEILOMETER", "AODH"), "y"),
    **dict.fromkeys(("MANILA", "SAHARA", "MAGNUM", "TROVE", "PANKO"), "n"),
}
#: key -> name of the password here
_PASSWORDS: Mapping[str, str] = {
    "CONFIG_KEYSTONE_ADMIN_PW": "admin",
    "CONFIG_KEYSTONE_DB_PW": "keystone_database",
    "CONFIG_NEUTRON_METADATA_PW": "metadata_proxy",
    "CONFIG_HORIZON_SECRET_KEY": "horizon",
    "CONFIG_HEAT_DOMAIN_PASSWORD": "heat_domain",
    "CONFIG_HEAT_AUTH_ENC_KEY": "heat_encryption",
    "CONFIG_SWIFT_KS_PW": "swift_service",
    **{
        f"CONFIG_{service.upper()}_{short}_PW": f"{service}_{name}"
        for service in ("glance", "nova", "neutron", "cinder", "ironic", "heat")
        for short, name in (("DB", "database"), ("KS", "service"))
    },
}
_UNDERSTOOD = (
    *_WANTED.values(),
    *_PASSWORDS,
    *(f"CONFIG_{name}_INSTALL" for name in _ELSEWHERE),
    "CONFIG_MARIADB_INSTALL",
    "CONFIG_CONTROLLER_HOST",
    "CONFIG_COMPUTE_HOSTS",
    "CONFIG_NETWORK_HOSTS",
    "CONFIG_STORAGE_HOST",
    "CONFIG_KEYSTONE_REGION",
    "CONFIG_NEUTRON_L2_AGENT",
    "CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS",
    "CONFIG_NEUTRON_OVN_BRIDGE_IFACES",
    "CONFIG_CINDER_BACKEND",
    "CONFIG_CINDER_VOLUME_NAME",
    "CONFIG_CINDER_NFS_MOUNTS",
    "CONFIG_GLANCE_BACKEND",
    "CONFIG_NOVA_LIBVIRT_VIRT_TYPE",
    "CONFIG_SERVICE_WORKERS",
    "CONFIG_PROVISION_DEMO",
    "CONFIG_PROVISION_DEMO_FLOATRANGE",
    "CONFIG_DEBUG_MODE",
)
# How near a name has to be to be shown as what was meant.
_SLIP = 0.85
# Puppet fills these in on the host, and so does our default.
_NOTHING = ("", "n", "PW_PLACEHOLDER")
_FACT = re.compile(r"%\{.*\}")


@dataclass(frozen=True)
class Answers:
    """What an answer file says; ``remarks`` name, with their lines, what has no meaning here."""

    cloud: Cloud
    passwords: Mapping[str, Given]
    remarks: tuple[str, ...]


@dataclass
class _File:
    """The keys of a file, each with its line and value, and what is wrong with them."""

    path: Path
    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, key: str, message: str) -> None:
        self.problems.append(Problem(self.path, self.keys.get(key, (0, ""))[0], f"{key}: {message}"))

    def text(self, key: str, default: str = "") -> str:
        return self.keys.get(key, (0, ""))[1] or default

    def yes(self, key: str, default: str) -> bool:
        value = self.text(key, default)
        if value not in ("y", "n"):
            self.wrong(key, f"{value!r} is neither y nor n")
        return value == "y"

    def addresses(self, key: str) -> list[str]:
        found = [part.strip() for part in self.text(key).split(",") if part.strip()]
        for address in found:
            if not names.is_address(address):
                self.wrong(key, f"{address!r} is no address; names can't be used")
        for address in sorted({one for one in found if found.count(one) > 1}):
            self.wrong(key, f"{address} is there twice")
        return found

    def checked(self, key: str, form: Any, default: str = "", *, part: str | None = None) -> str:
        """Return a value, or a part of it, that has to have a form of :mod:`rdo.cloud.names`."""
        value = self.text(key, default) if part is None else part
        try:
            TypeAdapter(form).validate_python(value)
        except ValidationError as error:
            self.wrong(key, str(error.errors()[0]["ctx"]["error"]))
        return value

    def one_of(self, key: str, default: str, allowed: Mapping[str, str], why: str) -> str:
        value = self.text(key, default)
        if value not in allowed:
            self.wrong(key, f"{value!r} {why}; {' or '.join(allowed)} can be had")
            return next(iter(allowed.values()))
        return allowed[value]


def read_answers(path: Path, *, name: str, repository: str | None = None) -> Answers:
    """Read an answer file.

    :param name: of the cloud
    :param repository: URL above the repositories
    :raises DataError: all mistakes and contradictions in it, each with its line
    """
    file = _read(path)
    fields: dict[str, Any] = {
        "name": name,
        "repository": repository,
        "services": _services(file),
        "storage": _storage(file),
        "region": file.checked("CONFIG_KEYSTONE_REGION", names.Region, "RegionOne"),
    }
    fields["hosts"] = _hosts(file, fields["services"])
    _others(file, fields)
    if file.problems:
        raise DataError(file.problems)
    try:
        cloud = Cloud.model_validate(fields)
    except ValidationError as error:
        raise DataError([Problem(path, 0, str(one["msg"])) for one in error.errors()]) from error
    passwords = {
        ours: Given(SecretStr(value), path, file.keys[key][0])
        for key, ours in _PASSWORDS.items()
        if (value := file.text(key)) and value != "PW_PLACEHOLDER"
    }
    return Answers(cloud, passwords, tuple(_remarks(file)))


def _read(path: Path) -> _File:
    file = _File(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError([Problem(path, 0, f"can't be read: {reason}")]) from error
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(("#", ";")) or text == "[general]":
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            file.problems.append(Problem(path, number, "neither a comment, [general], nor KEY=value"))
            continue
        key = match["key"]
        if key in file.keys:
            first = file.keys[key][0]
            file.problems.append(Problem(path, number, f"{key} is in line {first} already"))
            continue
        file.keys[key] = (number, match["value"].strip())
        if key not in KEYS and not key.startswith(FORMER):
            near = difflib.get_close_matches(key, sorted(KEYS), 1, _SLIP)
            nearest = f"; did you mean {near[0]}?" if near else ""
            file.problems.append(Problem(path, number, f"Packstack has no key {key}{nearest}"))
    if not file.keys and not file.problems:
        raise DataError([Problem(path, 0, "it is empty")])
    return file


def _services(file: _File) -> tuple[Service, ...]:
    usual = {service: "n" if service in _UNASKED else "y" for service in _WANTED}
    off = {service for service, key in _WANTED.items() if not file.yes(key, usual[service])}
    if "nova" in off:
        off.add("placement")
    chosen = tuple(service for service in SERVICES if service in (*CORE, *_WANTED) and service not in off)
    for service in chosen:
        for need in NEEDS[service]:
            if need not in chosen:
                file.wrong(_WANTED[service], f"{service} needs {need}, which {_WANTED[need]} leaves out")
    if not file.yes("CONFIG_MARIADB_INSTALL", "y"):
        file.wrong("CONFIG_MARIADB_INSTALL", "a database elsewhere can't be used")
    return chosen


def _hosts(file: _File, services: tuple[Service, ...]) -> tuple[Host, ...]:
    roles: dict[str, list[Role]] = {}
    for key, role in (
        ("CONFIG_CONTROLLER_HOST", Role.CONTROLLER),
        ("CONFIG_NETWORK_HOSTS", Role.NETWORK),
        ("CONFIG_COMPUTE_HOSTS", Role.COMPUTE),
        ("CONFIG_STORAGE_HOST", Role.STORAGE),
    ):
        found = file.addresses(key)
        if role is Role.CONTROLLER and len(found) != 1:
            file.wrong(key, f"there is one controller; here are {len(found)} addresses")
        unneeded = {Role.COMPUTE: "nova", Role.STORAGE: "swift"}.get(role, "keystone") not in services
        if not found and not unneeded:
            # Packstack keeps Swift's objects there as well
            found = file.addresses("CONFIG_CONTROLLER_HOST")[:1]
        for address in found:
            roles.setdefault(address, [])
            if role not in roles[address]:
                roles[address].append(role)
    outside = _outside(file)
    if file.problems:
        return ()
    made, counts = [], dict.fromkeys(Role, 0)
    for address, own in roles.items():
        main = own[0]
        counts[main] += 1
        made.append(
            Host(
                name=main.value if main is Role.CONTROLLER else f"{main.value}{counts[main]}",
                address=ip_address(address),
                roles=tuple(own),
                external_interface=outside if Role.NETWORK in own else None,
            )
        )
    return tuple(made)


def _outside(file: _File) -> str | None:
    """Return the interface that is on the external network, if one is named."""
    key = "CONFIG_NEUTRON_OVN_BRIDGE_IFACES"
    interfaces = [pair.partition(":") for pair in file.text(key).split(",") if pair]
    outside = next((port for bridge, _, port in interfaces if bridge == "br-ex" and port), None)
    if interfaces and outside is None:
        file.wrong(key, "br-ex:INTERFACE is all that can be had")
    return None if outside is None else file.checked(key, names.Interface, part=outside)


def _storage(file: _File) -> dict[str, object]:
    found: dict[str, object] = {"disks": "local"}
    images = {"file": "file"}
    found["images"] = file.one_of("CONFIG_GLANCE_BACKEND", "file", images, "can't be had for images")
    back_ends = {"lvm": "lvm", "nfs": "nfs"}
    found["volumes"] = file.one_of("CONFIG_CINDER_BACKEND", "lvm", back_ends, "can't be had for volumes")
    shares = [part.strip() for part in file.text("CONFIG_CINDER_NFS_MOUNTS").split(",") if part.strip()]
    if found["volumes"] == "nfs":
        if len(shares) != 1:
            file.wrong("CONFIG_CINDER_NFS_MOUNTS", f"one share is needed, server:/path, not {len(shares)}")
        else:
            found["nfs_share"] = file.checked("CONFIG_CINDER_NFS_MOUNTS", names.Share, part=shares[0])
    elif shares:
        file.wrong("CONFIG_CINDER_NFS_MOUNTS", f"goes with CONFIG_CINDER_BACKEND=nfs, not {found['volumes']}")
    if file.text("CONFIG_CINDER_VOLUME_NAME"):
        found["volume_group"] = file.checked("CONFIG_CINDER_VOLUME_NAME", names.VolumeGroup)
    return found


def _others(file: _File, fields: dict[str, Any]) -> None:
    if "neutron" in fields["services"]:
        for key in ("CONFIG_NEUTRON_L2_AGENT", "CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS"):
            if "ovn" not in file.text(key, "ovn").split(","):
                file.wrong(key, f"{file.text(key)!r} can't be had: networks are OVN's here")
    kind = file.text("CONFIG_NOVA_LIBVIRT_VIRT_TYPE")
    if kind and not _FACT.fullmatch(kind):
        words = {"kvm": "kvm", "qemu": "qemu"}
        fields["virtualization"] = file.one_of("CONFIG_NOVA_LIBVIRT_VIRT_TYPE", kind, words, "can't be had")
    workers = file.text("CONFIG_SERVICE_WORKERS")
    if workers and not _FACT.fullmatch(workers):
        if workers.isdigit() and int(workers):
            fields["workers"] = int(workers)
        else:
            file.wrong("CONFIG_SERVICE_WORKERS", f"{workers!r} is no number")
    if file.yes("CONFIG_PROVISION_DEMO", "y") and (text := file.text("CONFIG_PROVISION_DEMO_FLOATRANGE")):
        fields["external"] = _external(file, text)
    if file.yes("CONFIG_DEBUG_MODE", "n"):
        debug = {"DEFAULT": {"debug": True}}
        fields["options"] = {name: debug for name in fields["services"] if name != "horizon"}
        if "swift" in fields["services"]:
            fields["options"]["swift"] = {"DEFAULT": {"log_level": "DEBUG"}}


def _external(file: _File, text: str) -> dict[str, object]:
    """Return the network of floating IPs: the gateway is its first address, floating IPs are the others."""
    try:
        network = IPv4Network(text)
        first, second, last = network[1], network[2], network[-2]
    except (ValueError, IndexError) as error:
        file.wrong("CONFIG_PROVISION_DEMO_FLOATRANGE", f"{text!r} is no network: {error}")
        return {}
    return {"subnet": network, "gateway": first, "first": second, "last": last}


def _remarks(file: _File) -> list[str]:
    found = []
    for key, (line, value) in file.keys.items():
        if (name := key.removeprefix("CONFIG_").removesuffix("_INSTALL")) in _ELSEWHERE:
            if file.yes(key, _ELSEWHERE[name]):
                found.append(f"{file.path}:{line}: {name.capitalize()} is not installed; it has no role here")
        elif key == _WANTED["ironic"] and value == "y":
            found.append(f"{file.path}:{line}: Ironic has its API and conductor; Nova does not use it here")
        elif key not in _UNDERSTOOD and value not in _NOTHING and not _FACT.search(value):
            found.append(f"{file.path}:{line}: {key} has no meaning here")
    return found
