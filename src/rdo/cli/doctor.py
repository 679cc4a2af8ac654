"""``rdo doctor``: what this machine lacks, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.building.preflight import Shortcoming
    from rdo.common.installation import Installation
    from rdo.common.paths import Paths

app = typer.Typer()


@app.command()
def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Ask the package index and the mirror, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what this machine lacks for building packages and for test hosts, and how to mend it.

    The exit status is 0 where nothing is lacking and 1 otherwise. Nothing is changed.

    Examples: rdo doctor; rdo doctor --online
    """
    from rdo.building.enforcement import description
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json

    installation = open_installation()
    paths = installation.paths
    limits = description()
    found = {title: check() for title, check in _checks(installation, online).items()}
    lacking = [one for shortcomings in found.values() for one in shortcomings]
    if as_json:
        print_json(
            {
                "checks": {
                    title: [{"what": one.what, "mend": one.mend} for one in shortcomings]
                    for title, shortcomings in found.items()
                },
                "limits": limits,
                "state": str(paths.state),
                "cache": str(paths.cache),
            }
        )
    else:
        for title, shortcomings in found.items():
            print(f"{title:26} {'well' if not shortcomings else ''}".rstrip())
            for one in shortcomings:
                print(f"    {one.what}\n    -> {one.mend}")
        print(f"A build may use {limits}.")
        print(f"State is kept in {paths.state}, what can be made again in {paths.cache}.")
    if lacking:
        raise typer.Exit(1)


def _checks(installation: Installation, online: bool) -> dict[str, Callable[[], list[Shortcoming]]]:
    from rdo.building import preflight as building
    from rdo.cloud.testhosts import preflight as hosts

    paths = installation.paths
    checks: dict[str, Callable[[], list[Shortcoming]]] = {
        "Distribution's data": lambda: _data(paths),
        "Building packages": lambda: building.preflight(paths),
        "Sealed sandboxes": lambda: _sandbox(paths),
        "Folders of state and cache": lambda: building.open_folders(paths),
        "Test hosts": hosts.preflight,
    }
    if online:
        checks["Package index"] = lambda: _index(installation)
        checks["Mirror of the base system"] = lambda: _mirror(installation)
    return checks


def _data(paths: Paths) -> list[Shortcoming]:
    from rdo.building.preflight import Shortcoming
    from rdo.common.errors import DataError
    from rdo.distribution.load import Distribution

    try:
        Distribution.load(paths.distribution).check()
    except DataError as error:
        return [Shortcoming(str(problem), "Mend the file.") for problem in error.problems]
    return []


def _sandbox(paths: Paths) -> list[Shortcoming]:
    """Start a real sandbox; that says more than any list of what the kernel should have."""
    import os

    from rdo.building.preflight import Shortcoming
    from rdo.building.sealed import missing_tools, probe

    if os.geteuid() != 0 or missing_tools():
        return []  # said already
    problem = probe(paths)
    mend = "Mounting overlays and making namespaces must be allowed to root here."
    return [] if problem is None else [Shortcoming(problem, mend)]


def _index(installation: Installation) -> list[Shortcoming]:
    from rdo.building.preflight import Shortcoming
    from rdo.common.errors import RdoError
    from rdo.upstream.index import Index

    try:
        installation.part(Index.open).versions("pbr")
    except RdoError as error:
        return [Shortcoming(error.what, "Set PIP_INDEX_URL or pip's index-url to an index that answers.")]
    return []


def _mirror(installation: Installation) -> list[Shortcoming]:
    import httpx

    from rdo.building.preflight import Shortcoming
    from rdo.building.roots import mirror
    from rdo.common.download import download
    from rdo.common.errors import RdoError

    try:
        address = mirror(installation.settings)
        place = f"{address.rstrip('/')}/dists/trixie/InRelease"
        download(place, lambda _: None, limit=60.0, longest=16 << 20)
    except RdoError as error:
        return [Shortcoming(error.what, error.hint or "Write Debian's mirror into apt's sources.")]
    except httpx.HTTPError as error:
        return [
            Shortcoming(f"The mirror does not answer: {error}", "Look at apt's sources and at the network.")
        ]
    return []
