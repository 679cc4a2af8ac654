"""What is kept here of each cloud that was put up from here: its topology, and which file describes it.

Passwords and authority lie in the same folder, ``<state>/clouds/<name>``. A name stands for one cloud:
another one of the same name would have the first one's secrets, and take them along when it goes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pydantic import ValidationError

from rdo.cloud.cloudfile import read_cloud
from rdo.cloud.testhosts import hosts
from rdo.cloud.testhosts.network import SUBNET
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.topology import Cloud
from rdo.common.errors import DataError, InputError, Problem, UnknownNameError
from rdo.common.files import make_folder, write_atomically
from rdo.common.paths import Paths

TOPOLOGY = "cloud.json"
_ORIGIN = "origin.json"
_NAMELESS = "name is missing, as `name: prod`: it is what passwords and records of the cloud are kept by"


def remember(paths: Paths, cloud: Cloud, *, origin: Path | None = None) -> None:
    """Keep a cloud's topology, so that its name is enough from then on.

    :param origin: the operator's file that it is from; without one, what is known of that stays
    """
    keep_topology(paths.clouds / cloud.name, cloud, origin=origin)


def keep_topology(folder: Path, cloud: Cloud, *, origin: Path | None = None) -> None:
    """Keep a cloud's topology in its folder; see :func:`remember`."""
    make_folder(folder, private=True)
    write_atomically(folder / TOPOLOGY, cloud.model_dump_json(indent=1) + "\n")
    if origin is not None:
        write_atomically(folder / _ORIGIN, json.dumps({"file": str(origin.resolve())}) + "\n")


def forget(paths: Paths, name: str) -> None:
    """Remove what is kept of a cloud here: topology, passwords, certificates, logs."""
    shutil.rmtree(paths.clouds / name, ignore_errors=True)


def recall(paths: Paths, name: str) -> Cloud:
    """Return the topology of a cloud that was put up from here.

    :raises UnknownNameError: there is none of that name
    :raises InputError: what is kept of it can't be read
    """
    try:
        return Cloud.model_validate_json((paths.clouds / name / TOPOLOGY).read_text())
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(
            f"What is kept of {name} can't be read: {reasons}.", hint="Was it written by a newer rdo?"
        ) from error
    except FileNotFoundError:
        known = sorted(file.parent.name for file in paths.clouds.glob(f"*/{TOPOLOGY}"))
        raise UnknownNameError("cloud", name, known) from None


def described(paths: Paths, file: Path, *, adopt: bool = False) -> Cloud:
    """Return the cloud of an operator's file; a name stands for one cloud only.

    :param adopt: the operator says that it is the cloud that is kept under this name
    :raises DataError: mistakes in the file; it has no name
    :raises InputError: another cloud is kept under its name
    """
    cloud = read_cloud(file)
    # for a while files had none, and all of them were the same cloud
    if "name" not in cloud.model_fields_set and not _is_kept(paths, cloud):
        raise DataError([Problem(file, 1, _NAMELESS)])
    require_same(paths, cloud, file, adopt=adopt)
    return cloud


def require_same(paths: Paths, cloud: Cloud, origin: Path | None, *, adopt: bool = False) -> None:
    """Do nothing where no other cloud is kept under a cloud's name.

    It is the same one if it is from the same file, or if its controller is at the same address. Test hosts
    that are gone are nobody's.

    :param origin: the operator's file that it is from
    :param adopt: the operator says that it is the same
    :raises InputError: another one is kept
    """
    try:
        kept = recall(paths, cloud.name)
    except UnknownNameError:
        return
    known = _origin(paths, cloud.name)
    if adopt or _is_kept(paths, cloud) or (origin is not None and known == str(origin.resolve())):
        return
    if kept.controller.address in SUBNET and not test_hosts_of(paths, kept):
        return
    whence = f" of {known}" if known else ""
    raise InputError(
        f"The name {cloud.name} is another cloud's{whence}, whose controller is {kept.controller.address}; "
        f"{origin or 'this one'} says {cloud.controller.address}. By its name its passwords, authority and "
        "records are kept.",
        hint=f"Give this one another name. If it is the same cloud at a new address: "
        f"rdo cloud up {origin or cloud.name} --adopt",
    )


def require_on_test_hosts(paths: Paths, name: str) -> None:
    """Do nothing where no cloud on other hosts than test hosts is kept under a name.

    :raises InputError: one is
    """
    try:
        kept = recall(paths, name)
    except UnknownNameError:
        return
    if kept.controller.address not in SUBNET:
        raise InputError(
            f"The name {name} is another cloud's, at {kept.controller.address}, which isn't a test host.",
            hint="Give this one another name: --name",
        )


def _is_kept(paths: Paths, cloud: Cloud) -> bool:
    try:
        return recall(paths, cloud.name).controller.address == cloud.controller.address
    except UnknownNameError:
        return False


def _origin(paths: Paths, name: str) -> str | None:
    try:
        value = json.loads((paths.clouds / name / _ORIGIN).read_text())["file"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return str(value)


def test_hosts_of(paths: Paths, cloud: Cloud) -> dict[str, TestHost]:
    """Return those of a cloud's hosts that are test hosts of this installation, by name and address."""
    known = {host.name: host for host in hosts.list_hosts(paths)}
    return {
        host.name: known[host.name]
        for host in cloud.hosts
        if host.name in known and known[host.name].address == str(host.address)
    }
