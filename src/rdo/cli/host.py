"""``rdo host``: test hosts, machines with systemd that boot in a second from one shared base."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.cloud.testhosts.records import TestHost
    from rdo.common.paths import Paths

app = typer.Typer(no_args_is_help=True, help="Test hosts: create, list, shell, destroy.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _complete_name(incomplete: str) -> list[str]:
    from rdo.cloud.testhosts import hosts

    return [host.name for host in hosts.list_hosts(_paths()) if host.name.startswith(incomplete)]


_Names = Annotated[list[str], typer.Argument(help="Names of hosts.", autocompletion=_complete_name)]
_Name = Annotated[str, typer.Argument(help="Name of a host.", autocompletion=_complete_name)]


@app.command()
def create(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names; host1, host2… where none is given.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=50, help="How many, where no name is given.")] = 1,
    platform: Annotated[str, typer.Option(help="Platform of the hosts.")] = "debian13",
    release: Annotated[
        str | None,
        typer.Option("--release", help="Series whose packages they shall run; the newest by default."),
    ] = None,
    debs: Annotated[
        list[str] | None, typer.Option("--package", help="A package of the platform to have on them besides.")
    ] = None,
    in_memory: Annotated[bool, typer.Option("--in-memory", help="Keep their disks in memory.")] = False,
    as_json: _Json = False,
) -> None:
    """Create hosts and boot them; it returns when they answer over ssh.

    The first host of a platform makes the shared base, which takes a minute or two; after that a host takes
    about a second. On it is what the packages of the published repository take from the platform.

    A host's root is not kept from becoming this machine's: run there what you would run as root here.

    Examples:
        rdo host create
        rdo host create controller compute
        rdo host create --count 3
    """
    from rdo.cli.defaults import choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.cloud import busy
    from rdo.cloud.hostbase import ensure_base
    from rdo.cloud.testhosts import hosts, records
    from rdo.common.errors import InputError

    hosts.require_root()
    if names and count != 1:
        raise InputError("--count goes without names.")
    installation = open_installation()
    paths = installation.paths
    wanted = names or _free_names([host.name for host in hosts.list_hosts(paths)], count)
    for name in wanted:
        records.check_name(name)
    distribution = open_distribution(installation)
    description = distribution.platform(platform)
    series = choose_release(release, installation, distribution)
    with busy.changing_hosts(paths, wanted, "rdo host create"), progress() as report:
        layers = ensure_base(distribution, series, description, installation, report, debs=debs or ())
        made = hosts.create(
            paths, wanted, layers=layers, platform=platform, in_memory=in_memory, progress=report
        )
    _print_hosts(made, as_json)


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the hosts with their addresses and states."""
    from rdo.cloud.testhosts import hosts

    _print_hosts(hosts.list_hosts(_paths()), as_json)


@app.command()
def shell(
    name: _Name,
    command: Annotated[list[str] | None, typer.Argument(help="A command to run instead of a shell.")] = None,
) -> None:
    """Open a shell on a host as root, or run a command there; the exit status is the command's.

    Examples:
        rdo host shell host1
        rdo host shell host1 -- systemctl status
    """
    from rdo.cloud.testhosts import hosts, ssh
    from rdo.common.errors import InputError

    host = hosts.get(_paths(), name)
    if host.state != "running":
        raise InputError(f"{name} is {host.state}.", hint=f"rdo host start {name}")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(ssh.interactive_ssh(host, command or (), terminal=terminal))


@app.command()
def start(names: _Names, as_json: _Json = False) -> None:
    """Boot hosts that are stopped or crashed.

    Example: rdo host start host1
    """
    from rdo.cli.show import progress
    from rdo.cloud import busy
    from rdo.cloud.testhosts import hosts

    paths = _paths()
    known = [hosts.get(paths, name).name for name in names]
    hosts.require_root()
    with busy.changing_hosts(paths, known, "rdo host start"), progress() as report:
        _print_hosts(hosts.start(paths, known, progress=report), as_json)


@app.command()
def stop(names: _Names, as_json: _Json = False) -> None:
    """Power hosts off in order.

    Example: rdo host stop host1
    """
    from rdo.cloud.testhosts import hosts

    _each(hosts.stop, names, as_json, command="rdo host stop")


@app.command()
def crash(names: _Names, as_json: _Json = False) -> None:
    """Kill hosts, as a power cut does: also those that another command is changing.

    Example: rdo host crash host1
    """
    from rdo.cloud.testhosts import hosts

    _each(hosts.crash, names, as_json)


@app.command()
def reboot(names: _Names, as_json: _Json = False) -> None:
    """Reboot hosts in order; it returns when they answer over ssh again.

    Example: rdo host reboot host1
    """
    from rdo.cloud.testhosts import hosts

    _each(hosts.reboot, names, as_json, command="rdo host reboot")


@app.command()
def destroy(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of hosts.", autocompletion=_complete_name)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All hosts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Remove hosts with all that is on them.

    Examples:
        rdo host destroy host1
        rdo host destroy --all --yes
    """
    from rdo.cloud import busy
    from rdo.cloud.testhosts import hosts
    from rdo.common.errors import InputError

    hosts.require_root()
    if bool(names) == all_:
        raise InputError("Say which hosts: names, or --all.")
    paths = _paths()
    doomed = [hosts.get(paths, name).name for name in names or ()]
    if all_:
        doomed = [host.name for host in hosts.list_hosts(paths)]
    if doomed and not yes:
        typer.confirm(f"Destroy {', '.join(doomed)} with all that is on them?", abort=True, err=True)
    with busy.changing_hosts(paths, doomed, "rdo host destroy"):
        hosts.destroy(paths, doomed)
    print(f"Destroyed: {', '.join(doomed) or 'nothing'}", file=sys.stderr)


def _paths() -> Paths:
    from rdo.cli.installation import open_installation

    return open_installation().paths


def _free_names(taken: Sequence[str], count: int) -> list[str]:
    names: list[str] = []
    number = 1
    while len(names) < count:
        if f"host{number}" not in taken:
            names.append(f"host{number}")
        number += 1
    return names


def _each(
    act: Callable[[Paths, str], TestHost], names: Sequence[str], as_json: bool, *, command: str | None = None
) -> None:
    """Do something with hosts, one after the other; a ``command`` holds their locks meanwhile."""
    from rdo.cloud import busy
    from rdo.cloud.testhosts import hosts

    paths = _paths()
    # a name that is wrong is said before anything is done
    known = [hosts.get(paths, name).name for name in names]
    hosts.require_root()
    with nullcontext() if command is None else busy.changing_hosts(paths, known, command):
        _print_hosts([act(paths, name) for name in known], as_json)


def _print_hosts(found: Sequence[TestHost], as_json: bool) -> None:
    from rdo.cli import show

    if as_json:
        show.print_json([host.to_json() for host in found])
        return
    listing = show.table(None, "NAME", "ADDRESS", "STATE", "PLATFORM", "PID", "CREATED")
    for host in found:
        pid = "" if host.pid is None else str(host.pid)
        listing.add_row(host.name, host.address, host.state, host.platform, pid, host.created)
    show.OUT.print(listing)
