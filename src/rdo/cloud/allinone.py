"""Clouds that need no file: all on one host, or on a few test hosts that are made for it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Interface, ip_address

from rdo.cloud import busy
from rdo.cloud.hostbase import ensure_cloud_base
from rdo.cloud.records import recall, remember, require_on_test_hosts, test_hosts_of
from rdo.cloud.testhosts import hosts
from rdo.cloud.testhosts.network import OUTSIDE, Network
from rdo.cloud.testhosts.records import TestHost
from rdo.cloud.topology import CORE, FURTHER, LOCAL, NEEDS, SERVICES, Cloud, Host, Role, Service, reasons
from rdo.common.errors import InputError, UnknownNameError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release

#: How test hosts' further interfaces are called, see :mod:`rdo.cloud.testhosts.network`.
_TUNNEL, _EXTERNAL = "eth1", "eth2"


def chosen_services(*, further: Sequence[str] = (), only: Sequence[str] = ()) -> tuple[Service, ...]:
    """Return the services of a cloud without a file; empty where nothing was chosen.

    :param further: beside the usual ones
    :param only: instead of the usual ones, with what they can't be without
    :raises InputError: there is no such service, or both were given
    """
    if further and only:
        raise InputError("--with adds to the usual services, --only replaces them; one is enough.")
    known: Sequence[str] = SERVICES if only else FURTHER
    if wrong := sorted({*further, *only} - {*known}):
        what = "service" if only else "further service"
        raise InputError(f"{', '.join(wrong)}: no {what}.", hint=f"There are {', '.join(known)}.")
    if further:
        return tuple(one for one in SERVICES if one in CORE or one in further)
    wanted = {one for one in SERVICES if one in only}
    while needed := {need for one in wanted for need in NEEDS[one]} - wanted:
        wanted |= needed
    return tuple(one for one in SERVICES if one in wanted)


def on_host(
    name: str, target: str | None, repository: str | None, *, services: tuple[Service, ...] = CORE
) -> Cloud:
    """Return a cloud on one host that is there already.

    :param target: ``[user@]address``; None for this machine, which is reached without SSH
    :raises InputError: the address is none, or this machine has none that others could reach
    """
    address = own_address() if target is None else target.rpartition("@")[2]
    try:
        return Cloud(
            name=name,
            repository=repository,
            services=services,
            hosts=(Host(name=name, address=ip_address(address), ssh=target or LOCAL),),
        )
    except ValueError as error:
        raise InputError(
            f"{name}, {target or 'this machine'}: {reasons(error)}",
            hint="--host user@ADDRESS, the address as digits.",
        ) from error


def own_address() -> str:
    """Return the address that this machine shows to others: that of its default route.

    :raises InputError: it has none
    """
    # nothing is sent: the kernel is only asked which way it would go (an address for documentation, RFC 5737)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError as error:
            raise InputError(
                "This machine has no address that others could reach.",
                hint="--host root@ADDRESS says which one it is.",
            ) from error
        address: str = asked.getsockname()[0]
    return address


def on_test_hosts(
    name: str, made: Sequence[TestHost], series: str, *, services: tuple[Service, ...] = CORE
) -> Cloud:
    """Return a cloud on test hosts: all on one, or controller, compute and network on three and more.

    Their kernel may have no openvswitch.
    """
    common = {
        "name": name,
        "series": series,
        "platform": made[0].platform,
        "services": services,
        "datapath": "userspace",
    }
    if len(made) == 1:
        # with a place for tunnels from the start, so that a second host changes nothing on it
        tunnel = _tunnel(made[0])
        only = Host(
            name=made[0].name,
            address=ip_address(made[0].address),
            tunnel=tunnel,
            tunnel_interface=_TUNNEL,
        )
        return Cloud.model_validate({**common, "hosts": (only,)})
    roles = [(Role.CONTROLLER, Role.STORAGE), (Role.COMPUTE,), (Role.NETWORK,)]
    if len(made) == 2:
        roles = [(Role.CONTROLLER, Role.STORAGE, Role.NETWORK), (Role.COMPUTE,)]
    rows = []
    for number, host in enumerate(made):
        own = roles[number] if number < len(roles) else (Role.COMPUTE,)
        outside = _EXTERNAL if Role.NETWORK in own else None
        rows.append(
            Host(
                name=host.name,
                address=ip_address(host.address),
                roles=own,
                tunnel=_tunnel(host),
                tunnel_interface=_TUNNEL,
                external_interface=outside,
            )
        )
    return Cloud.model_validate({**common, "hosts": tuple(rows)})


def compute_at(name: str, target: str) -> Host:
    """Return a host for virtual machines.

    :param target: ``[user@]address``
    :raises InputError: the name or the address is none
    """
    try:
        address = ip_address(target.rpartition("@")[2])
        return Host(name=name, address=address, ssh=target, roles=(Role.COMPUTE,))
    except ValueError as error:
        raise InputError(
            f"{name}, {target}: {reasons(error)}", hint="--host user@ADDRESS, as digits."
        ) from error


def _tunnel(host: TestHost) -> IPv4Interface:
    return IPv4Interface(f"198.51.100.{host.address.rpartition('.')[2]}/24")


def with_compute(cloud: Cloud, host: Host) -> Cloud:
    """Return a cloud with one more host.

    :raises InputError: its name or address is another one's
    """
    try:
        return Cloud.model_validate({**dict(cloud), "hosts": (*cloud.hosts, host)})
    except ValueError as error:
        raise InputError(f"{host.name} can't join {cloud.name}: {reasons(error)}") from error


def add_test_host(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    cloud: Cloud,
    name: str,
) -> Cloud:
    """Return a cloud with one more host for virtual machines, a test host that is made and booted.

    :raises InputError: not root, the cloud's other hosts are no test hosts, or the name is taken
    """
    paths = installation.paths
    known = {host.name for host in hosts.list_hosts(paths)}
    if foreign := [host.name for host in cloud.hosts if host.name not in known]:
        raise InputError(f"{', '.join(foreign)}: no test host, and can't be reached from one.")
    if name in known or name in {host.name for host in cloud.hosts}:
        raise InputError(f"There is a host called {name} already.", hint="rdo host list")
    with busy.changing_hosts(paths, [name], "rdo cloud add"):
        layers = ensure_cloud_base(distribution, release, platform, installation, progress, cloud)
        hosts.create(paths, [name], layers=layers, platform=platform.name, progress=progress)
        (made,) = hosts.start(paths, [name], progress=progress)
    return with_compute(
        cloud,
        Host(
            name=name,
            address=ip_address(made.address),
            roles=(Role.COMPUTE,),
            tunnel=_tunnel(made),
            tunnel_interface=_TUNNEL,
        ),
    )


def make_test_hosts(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    name: str,
    nodes: int,
    services: tuple[Service, ...] = (),
) -> Cloud:
    """Return a cloud on test hosts; those that are not there yet are made and booted.

    A cloud of that name that is there stays what it has become: hosts may have joined it.

    :param services: of a new cloud; the usual ones by default
    :raises InputError: not root, or hosts of this platform can't be made; or the cloud that is there lacks a
        service
    """
    paths = installation.paths
    require_on_test_hosts(paths, name)
    if (kept := _kept(paths, name)) is not None:
        _require_made_for(kept, services)
        names = [host.name for host in kept.hosts]
        with busy.changing_hosts(paths, names, "rdo cloud up"):
            hosts.start(paths, names, progress=progress)
        _let_out(paths, kept)
        return kept
    names = [name] if nodes == 1 else [f"{name}{number}" for number in range(1, nodes + 1)]
    # What packages a cloud needs hangs neither on how many hosts it has nor on their addresses.
    alike = Cloud(
        name=name,
        services=services or CORE,
        hosts=(Host(name=names[0], address=ip_address("192.0.2.10")),),
    )
    made = _ensure(names, alike, distribution, release, platform, installation, progress)
    cloud = on_test_hosts(name, made, release.series, services=services or CORE)
    _let_out(paths, cloud)
    remember(paths, cloud)
    return cloud


def rehearse(
    like: Cloud,
    name: str,
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
) -> Cloud:
    """Return a cloud on test hosts that is otherwise as an operator's file says; what is missing is made.

    :param like: the file's cloud, whose own hosts are not touched
    :param name: of the rehearsal, so that nothing that is kept of the real one is mixed up with it
    :raises InputError: not root, hosts of this platform can't be made, or those that are there lack something
    """
    paths = installation.paths
    require_on_test_hosts(paths, name)
    if (kept := _kept(paths, name)) is not None:
        _require_made_for(kept, like.services)
    names = [f"{name}-{host.name}" for host in like.hosts]
    made = _ensure(names, like, distribution, release, platform, installation, progress)
    cloud = rehearsal(like, name, made, release.series)
    _let_out(paths, cloud)
    remember(paths, cloud)
    return cloud


def rehearsal(like: Cloud, name: str, made: Sequence[TestHost], series: str) -> Cloud:
    """Return a cloud as a file has it, on test hosts in the place of its own ones."""
    alone = len(made) == 1
    rows = []
    for host, own in zip(made, like.hosts, strict=True):
        changed = {
            "name": host.name,
            "address": ip_address(host.address),
            "ssh": None,
            "tunnel": _tunnel(host),
            "tunnel_interface": _TUNNEL,
            "external_interface": _EXTERNAL if Role.NETWORK in own.roles and not alone else None,
        }
        rows.append(own.model_copy(update=changed))
    ours = {"name": name, "series": series, "platform": made[0].platform, "hosts": tuple(rows)}
    as_they_are = {"datapath": "userspace", "virtualization": "auto"}
    return Cloud.model_validate(
        {**dict(like), **ours, **as_they_are, "repository": None, "repository_key": None}
    )


def _ensure(
    names: Sequence[str],
    alike: Cloud,
    distribution: Distribution,
    release: Release,
    platform: Platform,
    installation: Installation,
    progress: Progress,
) -> list[TestHost]:
    """Make those test hosts that are not there yet, from a base for such a cloud, and boot all of them."""
    paths = installation.paths
    with busy.changing_hosts(paths, names, "rdo cloud up"):
        known = {host.name for host in hosts.list_hosts(paths)}
        if missing := [one for one in names if one not in known]:
            layers = ensure_cloud_base(distribution, release, platform, installation, progress, alike)
            hosts.create(paths, missing, layers=layers, platform=platform.name, progress=progress)
        return list(hosts.start(paths, names, progress=progress))


def _require_made_for(kept: Cloud, services: Sequence[Service]) -> None:
    if lacking := sorted(set(services) - set(kept.services)):
        raise InputError(
            f"{kept.name} is there without {', '.join(lacking)}, which its hosts were not made for.",
            hint=f"Another --name, or rdo host destroy {' '.join(h.name for h in kept.hosts)} first.",
        )


def _kept(paths: Paths, name: str) -> Cloud | None:
    """Return the cloud of a name, if there is one and all its hosts are test hosts that are there still."""
    try:
        kept = recall(paths, name)
    except UnknownNameError:
        return None
    return kept if len(test_hosts_of(paths, kept)) == len(kept.hosts) else None


def _let_out(paths: Paths, cloud: Cloud) -> None:
    """Give the controller a way to the network outside, which floating IPs are reached through from there."""
    if Role.NETWORK not in cloud.controller.roles:
        own = str(cloud.controller.address).rpartition(".")[2]
        outside = f"{OUTSIDE.network.network_address + int(own)}"
        Network.of(paths).attach_outside(cloud.controller.name, outside)
