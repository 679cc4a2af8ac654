"""``rdo cloud``, day by day: hosts come and leave, passwords change, all stops, is kept and brought back."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.known_clouds import (
    Checks,
    CloudName,
    Json,
    Yes,
    apply_plans,
    base_of,
    changing,
    cloud_named,
    deployment_of,
    describe,
    file_of,
    look_first,
    print_report,
)
from rdo.cli.output import print

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdo.cloud.everywhere import HostActions

app = typer.Typer()

_LeaveMounted = Annotated[
    bool,
    typer.Option(
        "--leave-mounted",
        help="Where other file systems are mounted, leave the data, instead of refusing.",
    ),
]

_BACKUPS = Path("backups")
_Limit = Annotated[
    int, typer.Option("--limit", min=1, help="Seconds for each database, and for each host's files.")
]
_LIMIT = 7200


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The new host's name.")],
    cloud: CloudName = None,
    on_test_host: Annotated[bool, typer.Option("--on-test-host", help="A test host, made for it.")] = False,
    host: Annotated[str | None, typer.Option("--host", help="Where it is, [user@]address.")] = None,
    checks: Checks = True,
    as_json: Json = False,
) -> None:
    """Let a further host join a cloud, for virtual machines; the others are only told of it.

    Of a cloud with a file, the file has to name the host first. A cloud that was put up without one gets the
    host that --host or --on-test-host says.

    Examples:
        rdo cloud add compute2 cloud.yaml
        rdo cloud add demo2 demo --on-test-host
        rdo cloud add compute2 production --host root@192.0.2.12
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import allinone as simple
    from rdo.common.errors import InputError

    installation = open_installation()
    paths = installation.paths
    with changing(paths, cloud, "add") as described:
        named = any(one.name == name for one in described.hosts)
        if named and (on_test_host or host):
            raise InputError(
                f"{described.name} has a host {name} already; without options it is put up (again)."
            )
        if on_test_host:
            distribution, series, base = base_of(installation, described.series, described.platform)
            with progress() as report:
                described = simple.add_test_host(
                    distribution, series, base, installation, report, cloud=described, name=name
                )
        elif host is not None:
            described = simple.with_compute(described, simple.compute_at(name, host))
        elif not named:
            raise InputError(
                f"{described.name} has no host {name}.",
                hint="Write it under `hosts` in the cloud's file, or say --host or --on-test-host.",
            )
        joining = describe(installation, described, None).joining(name)
        print_report(
            apply_plans(joining, dry_run=False, checks=checks, file=file_of(cloud)), as_json, "changed"
        )


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The host that leaves.")],
    cloud: CloudName = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="The host is gone: start its machines on other hosts.")
    ] = False,
    leave_mounted: _LeaveMounted = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove a host for machines from a cloud: its machines move to other hosts, running, and it is cleared.

    The other hosts are told. If the cloud has a file, remove the host from the file afterwards. --dead
    doesn't contact the host; make sure that it is off. Its machines start on other hosts: with their disks if
    these are in Ceph, else from their images.

    After an interruption, run the same command again.

    Examples: rdo cloud remove demo2 demo --yes; rdo cloud remove compute7 cloud.yaml --dead --yes
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import leaving
    from rdo.cloud.records import remember

    installation = open_installation()
    paths = installation.paths
    described = cloud_named(paths, cloud)
    if not yes:
        deployment = describe(installation, described, None, all_run=not dead)
        leaving.without(described, name)
        machines = leaving.machines_on(deployment, name)
        print(f"{len(machines)} machines would move off {name}, and it would leave {described.name}.")
        print(*machines, "Nothing was done. --yes does it.", sep="\n")
        return
    with changing(paths, cloud, "remove") as described:
        rest = leaving.without(described, name)
        deployment = describe(installation, described, None, all_run=not dead)
        with progress() as report, report.task(f"{name} leaves {described.name}"):
            leaving.leave(deployment, name, dead=dead, leave_mounted=leave_mounted, report=report.message)
        remember(paths, rest)
        told = describe(installation, rest, None).telling()
        print_report(apply_plans(told, dry_run=False, checks=True), as_json, "changed")
    if (file := file_of(cloud)) is not None:
        print(f"{file} names {name} still; without it there, `up` won't bring it back.", file=sys.stderr)


@app.command()
def rotate(
    cloud: CloudName,
    passwords: Annotated[bool, typer.Option("--passwords", help="Make all passwords anew.")] = False,
    certificates: Annotated[
        bool, typer.Option("--certificates", help="Make the hosts' certificates and keys anew.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make passwords or certificates anew and put them in force. APIs are away meanwhile; machines run on.

    The keys of Ceph's clients and the authority stay. An interrupted run is finished by `rdo cloud up`.

    Examples: rdo cloud rotate demo --passwords; rdo cloud rotate demo --passwords --certificates --yes
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud.everywhere import stop_openstack
    from rdo.common.errors import InputError

    if not (passwords or certificates):
        raise InputError("What is to be made anew?", hint="--passwords, --certificates, or both.")
    if not yes:
        deployment = deployment_of(cloud, None)
        what = ["passwords"] * passwords + ["hosts' certificates"] * certificates
        names = deployment.credentials.names() if passwords else []
        print(f"The {' and the '.join(what)} of {deployment.name} would be made anew. --yes does it.")
        print(*names, sep="\n")
        return
    with changing(open_installation().paths, cloud, "rotate"):
        deployment = deployment_of(cloud, None)
        with progress() as report:
            look_first(deployment, file_of(cloud), report)
        if passwords:
            deployment.credentials.renew()
        if certificates:
            deployment.authority.renew()
        # who has old passwords still would ask for tokens over and over, while those who have new ones start
        with progress() as report, report.task(f"Stopping {deployment.name}'s services"):
            stop_openstack(deployment, report=report.message)
        print_report(apply_plans(deployment_of(cloud, None), dry_run=False, checks=False), as_json, "changed")


@app.command()
def down(
    cloud: CloudName,
    data: Annotated[
        bool, typer.Option("--data", help="Remove databases, images, volumes, disks and keys as well.")
    ] = False,
    leave_mounted: _LeaveMounted = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove a cloud from its hosts. Machines are stopped; data stays unless --data is given.

    `rdo cloud up` afterwards brings the cloud back with its data. Packages of the platform stay. `rdo host
    destroy` removes test hosts.

    Examples: rdo cloud down demo; rdo cloud down demo --yes; rdo cloud down cloud.yaml --data --yes;
    rdo cloud down cloud.yaml --data --leave-mounted --yes
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud.clearing import mounted, require_unmounted
    from rdo.cloud.records import forget
    from rdo.cloud.takedown import removals, take_down

    paths = open_installation().paths
    with changing(paths, cloud, "down") if yes else nullcontext():
        deployment = deployment_of(cloud, None)
        planned = removals(deployment, data=data)
        if data and not leave_mounted:
            require_unmounted(mounted(deployment))
        if _only_shown(planned, as_json, yes, "" if data else " Data stays; --data removes it."):
            return
        with progress() as report, report.task(f"Taking down {deployment.name}", len(planned)) as task:

            def tell(line: str) -> None:
                task.advance()
                report.message(line)

            take_down(deployment, data=data, leave_mounted=leave_mounted, report=tell)
        if data:
            forget(paths, deployment.name)
    if not as_json:
        print(f"{deployment.name} is down." + (" Its data was removed." if data else " Its data was kept."))


@app.command()
def stop(
    cloud: CloudName,
    patience: Annotated[
        int, typer.Option("--patience", min=0, help="Seconds that machines have to shut down.")
    ] = 60,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Shut all machines down and stop all services, in order, so that hosts can be switched off.

    Hosts that boot start their services themselves; `rdo cloud start` starts all in order, and the machines
    that ran. Run again, it goes on where it was.

    Examples: rdo cloud stop demo; rdo cloud stop demo --patience 300 --yes
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import halting

    with changing(open_installation().paths, cloud, "stop") if yes else nullcontext():
        deployment = deployment_of(cloud, None)
        planned = halting.halts(deployment)
        if _only_shown(planned, as_json, yes):
            return
        with progress() as report, report.task(f"Stopping {deployment.name}"):
            halting.stop(deployment, patience=patience, report=report.message)
    if not as_json:
        print(f"{deployment.name} is stopped. Next: rdo cloud start {cloud}")


@app.command()
def start(cloud: CloudName, as_json: Json = False) -> None:
    """Start a cloud that was stopped, in order; machines that ran start again.

    It is `rdo cloud up` without a look at the hosts first: what else does not hold is made to hold as well.

    Example: rdo cloud start demo
    """
    from rdo.cli.installation import open_installation

    with changing(open_installation().paths, cloud, "start"):
        deployment = deployment_of(cloud, None)
        print_report(apply_plans(deployment, dry_run=False, checks=False), as_json, "changed")


@app.command()
def backup(
    cloud: CloudName = None,
    folder: Annotated[
        Path, typer.Argument(help="Folder of backups; each backup is a folder in it.")
    ] = _BACKUPS,
    show: Annotated[
        Path | None, typer.Option("--show", help="Instead, check all of this backup and show what it is.")
    ] = None,
    limit: _Limit = _LIMIT,
    as_json: Json = False,
) -> None:
    """Copy a cloud's databases, keys and this machine's records of it into a new folder, while it runs.

    Images, volumes and disks of machines are not copied. The backup holds passwords and keys, unencrypted;
    only its owner can read it.

    Examples: rdo cloud backup demo /srv/backups; rdo cloud backup demo /srv/backups --limit 14400;
    rdo cloud backup --show /srv/backups/demo-20261127T063000Z
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.cloud import backup as copies
    from rdo.common.errors import InputError

    if show is not None:
        if cloud is not None:
            raise InputError("--show is of a backup that is there, and goes without a cloud.")
        place, manifest = show, copies.read(show)
    else:
        with (
            changing(open_installation().paths, cloud, "backup") as described,
            progress() as report,
            report.task(f"Copying {described.name}"),
        ):
            deployment = deployment_of(cloud, None)
            place, manifest = copies.make(deployment, folder, limit=limit, report=report.message)
    if as_json:
        print_json({"folder": str(place), **manifest.model_dump(mode="json")})
        return
    size = sum(piece.size for piece in manifest.pieces) / 2**20
    print(f"{place}: {manifest.cloud}, OpenStack {manifest.series}, {manifest.made:%Y-%m-%d %H:%M} UTC")
    print(f"{len(manifest.pieces)} files, {size:.1f} MiB: {', '.join(manifest.databases)}")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup, as `rdo cloud backup` has made it.")],
    limit: _Limit = _LIMIT,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Restore a cloud from a backup: what changed in the cloud since then is lost.

    This machine's records of the cloud (hosts, passwords, authority) stay; the backup fills in what is
    missing. Hosts may be new ones at the same addresses. After an interruption, run the same command again.

    Example: rdo cloud restore /srv/backups/demo-20261127T063000Z --yes
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import backup as copies
    from rdo.cloud import busy, restoring

    manifest = copies.read(folder)
    if not yes:
        print(f"# {manifest.cloud}, OpenStack {manifest.series}", *restoring.actions(manifest), sep="\n")
        print("Nothing was done. --yes does it.")
        return
    paths = open_installation().paths
    with busy.changing(paths, manifest.cloud, "rdo cloud restore"):
        restoring.take_home(paths, folder, manifest)
        deployment = deployment_of(manifest.cloud, None)
        restoring.check(deployment, manifest)
        apply_plans(deployment, dry_run=False, checks=True)
        with progress() as report, report.task(f"Bringing {manifest.cloud} back"):
            restoring.restore(deployment, folder, manifest, limit=limit, report=report.message)
        print_report(apply_plans(deployment, dry_run=False, checks=False), as_json, "changed")


def _only_shown(planned: Sequence[HostActions], as_json: bool, yes: bool, more: str = "") -> bool:
    """Print what would be done on each host, and tell whether that is all that is wanted."""
    from rdo.cli.show import print_json

    if as_json:
        print_json(planned)
    elif not yes:
        for host in planned:
            print(f"# {host.host}", *host.actions, sep="\n")
        print(f"Nothing was done. --yes does it.{more}")
    return not yes
