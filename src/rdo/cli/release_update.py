"""``rdo release update``: what upstream has released for a series since its data were written."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.distribution.models import Release
    from rdo.distribution.updating import Update


def update(
    series: Annotated[str, typer.Argument(help="The series: 2026.1")],
    releases: Annotated[
        Path,
        typer.Option(help="The codename's deliverables, or a checkout of openstack/releases.", exists=True),
    ],
    constraints: Annotated[
        Path, typer.Option(help="upper-constraints, or a checkout of openstack/requirements.", exists=True)
    ],
    index: Annotated[
        bool, typer.Option("--index", help="Take services' releases that are on the index alone, too.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the release's file and lock; only shown otherwise.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show, or apply, what upstream has released for a series since its data were written.

    Clients and libraries stay on the versions that the series' constraints pin; services move to their newest
    release of the series. With --apply, the hashes of what is new are looked up on the index and locked.

    Example: rdo release update 2026.1 --releases ~/releases --constraints ~/requirements
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.release import IndexListing
    from rdo.common.files import locked
    from rdo.distribution.load import Distribution
    from rdo.distribution.lockfile import load_lock
    from rdo.distribution.updating import lock_updates, updated_release, updates_between

    installation = open_installation()
    paths = installation.paths
    distribution = Distribution.load(paths.distribution)
    before, listing = distribution.release(series), IndexListing(installation)
    pythons = sorted({distribution.platform(name).python for name in before.platforms})
    after = updated_release(
        before,
        deliverables=releases,
        constraints=constraints,
        pythons=pythons,
        listing=listing,
        index=index,
    )
    if apply:
        with locked(paths.cache / f"lock-{series}"):
            # others may have added to the lock meanwhile
            sources = load_lock(distribution.path / "releases" / f"{series}.lock")
            before = before.model_copy(update={"sources": sources})
            found = updates_between(before, after)
            after, refreshed = lock_updates(before, after, found, listing)
            for dist, version in refreshed.missing:
                print(f"{dist} {version}: no sdist on the index", file=sys.stderr)
            _write(distribution.path / "releases" / f"{series}.yaml", after)
    _show(series, updates_between(before, after), apply, as_json)


def _write(target: Path, release: Release) -> None:
    """Write the lock before the file: a lock with a line too many harms nothing."""
    from rdo.common.files import write_atomically
    from rdo.distribution.lockfile import save_lock
    from rdo.distribution.releasefile import render

    save_lock(target.with_suffix(".lock"), release.sources)
    write_atomically(target, render(release))


def _show(series: str, found: list[Update], applied: bool, as_json: bool) -> None:
    from rdo.cli.show import OUT, print_json, table

    if as_json:
        print_json([asdict(item) for item in found])
    elif found:
        shown = table(None, "project", "old", "new", "kind", "why")
        for item in found:
            why = f"{item.reason}; lower than before" if item.lower else item.reason
            shown.add_row(item.project, item.old or "", item.new or "", item.kind, why)
        OUT.print(shown)
    state = "written" if applied else "not written; --apply writes them"
    print(f"{series}: {len(found)} changes, {state}" if found else f"{series} is up to date", file=sys.stderr)
