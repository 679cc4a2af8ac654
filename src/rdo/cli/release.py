"""``rdo release``: what is in a release of OpenStack, and importing one."""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print
from rdo.cli.release_signatures import signatures
from rdo.cli.release_update import update

if TYPE_CHECKING:
    from rdo.common.installation import Installation
    from rdo.distribution.listing import Listed
    from rdo.distribution.lockfile import Sources
    from rdo.distribution.models import Release
    from rdo.upstream.models import IndexFile

app = typer.Typer(no_args_is_help=True, help="Releases of OpenStack: what is in one, importing one.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the releases that there is data of."""
    from rdo.cli.installation import open_installation
    from rdo.distribution.load import Distribution

    distribution = Distribution.load(open_installation().paths.distribution)
    releases = [distribution.release(series) for series in distribution.series()]
    if as_json:
        rows = [
            r.model_dump(
                mode="json", include={"series", "codename", "phase", "released", "slurp", "platforms"}
            )
            for r in releases
        ]
        print(json.dumps(rows, indent=1))
        return
    for r in releases:
        slurp = "SLURP" if r.slurp else ""
        print(f"{r.series}  {r.codename:12} {r.phase:14} {r.released}  {slurp:6} {', '.join(r.platforms)}")


@app.command()
def show(
    series: Annotated[str, typer.Argument(help="The series: 2026.1")],
    platform: Annotated[
        str | None, typer.Option(help="Also say what this platform's own packages offer.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show what is in a release, at which versions, for which platforms.

    Example: rdo release show 2026.1 --platform debian13
    """
    from rdo.cli.installation import open_installation
    from rdo.common.errors import InputError
    from rdo.distribution.load import Distribution

    distribution = Distribution.load(open_installation().paths.distribution)
    release = distribution.release(series)
    under = None if platform is None else distribution.platform(platform)
    if under is not None and under.name not in release.platforms:
        raise InputError(
            f"{series} is not made for {under.name}.", hint=f"It is made for {', '.join(release.platforms)}."
        )
    rows = []
    for project in release.projects.values():
        row: dict[str, object] = {
            "project": project.name,
            "dist": project.dist,
            "version": _shipped(release, project.dist, project.version),
            "type": project.type,
            "component": project.component,
            "repository": project.repository,
            "commit": project.commit,
        }
        if under is not None:
            offered = under.provides.get(project.dist)
            row["platform"] = None if offered is None else offered.model_dump()
        rows.append(row)
    if as_json:
        summary = release.model_dump(mode="json", exclude={"projects", "sources", "pins"})
        pins = {d: [p.model_dump() for p in pins] for d, pins in release.pins.items()}
        print(json.dumps({**summary, "projects": rows, "pins": pins}, indent=1))
        return
    _print_table(release, rows, None if under is None else under.name)


def _shipped(release: Release, dist: str, version: str) -> str:
    pins = release.pins.get(dist, ())
    return " | ".join(pin.version for pin in pins) or version


def _print_table(release: Release, rows: Sequence[dict[str, object]], platform: str | None) -> None:
    from rich.table import Table

    from rdo.cli.show import VisibleConsole

    table = Table(box=None, pad_edge=False)
    for title in ("project", "version", "type", "component", "index name"):
        table.add_column(title, overflow="fold")
    if platform is not None:
        table.add_column(f"{platform} has")
    for row in rows:
        cells = [str(row[key] or "") for key in ("project", "version", "type", "component", "dist")]
        if platform is not None:
            offered = row["platform"]
            cells.append(str(offered["version"]) if isinstance(offered, dict) else "")
        table.add_row(*cells)
    console = VisibleConsole(width=None if sys.stdout.isatty() else 140, markup=False)
    origins = [pins[0].origin for pins in release.pins.values()]
    console.print(
        f"OpenStack {release.series} ({release.codename}), {release.phase}, released {release.released},"
        f" for {', '.join(release.platforms)}",
        highlight=False,
    )
    console.print(table, highlight=False)
    console.print(
        f"{len(rows)} projects; {len(release.pins)} pins: {origins.count('constraints')} from constraints,"
        f" {origins.count('deliverable')} from deliverables, {origins.count('index')} from the index;"
        f" {len(release.sources)} sources locked by hash",
        highlight=False,
    )


@app.command("import")
def import_(
    series: Annotated[str, typer.Argument(help="The series: 2026.1")],
    releases: Annotated[
        Path,
        typer.Option(help="The codename's deliverables, or a checkout of openstack/releases.", exists=True),
    ],
    constraints: Annotated[
        Path, typer.Option(help="upper-constraints, or a checkout of openstack/requirements.", exists=True)
    ],
    status: Annotated[
        Path | None, typer.Option(help="series_status.yaml; needless with a checkout of openstack/releases.")
    ] = None,
    rdo_packages: Annotated[
        Path | None, typer.Option(help="JSON list of {project, component}: gives projects their component.")
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(help="A platform it is made for; again for more. As before if not said."),
    ] = None,
    update_open: Annotated[
        bool, typer.Option(help="Choose anew for names that upstream leaves open, too.")
    ] = False,
    newest_on_index: Annotated[
        bool,
        typer.Option(
            "--newest-on-index", help="Take versions of the series that the deliverables don't know yet."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Write nothing; print the difference.")] = False,
) -> None:
    """Write a release's data from OpenStack's own.

    Existing pins of what upstream leaves open (build tools) and the hash lock stay. Afterwards
    `rdo release lock` adds the hashes of what is new.

    Example: rdo release import 2026.1 --releases ~/releases --constraints ~/requirements --dry-run
    """
    from rdo.cli.installation import open_installation
    from rdo.common.files import write_atomically
    from rdo.distribution.importing import import_release
    from rdo.distribution.load import Distribution
    from rdo.distribution.releasefile import render
    from rdo.distribution.series_status import read_status

    installation = open_installation()
    distribution = Distribution.load(installation.paths.distribution)
    previous = distribution.release(series) if series in distribution.series() else None
    platforms = platform or list(previous.platforms if previous else distribution.platforms())
    imported = import_release(
        read_status(status or releases, series),
        deliverables=releases,
        constraints=constraints,
        platforms=platforms,
        pythons=sorted({distribution.platform(name).python for name in platforms}),
        listing=IndexListing(installation),
        components=_components(rdo_packages),
        also=distribution.coverage().dists,
        previous=previous,
        update_open=update_open,
        newest_on_index=newest_on_index,
    )
    for note in imported.notes:
        print(note, file=sys.stderr)
    target = distribution.path / "releases" / f"{series}.yaml"
    before = target.read_text() if target.exists() else ""
    after = render(imported.release)
    difference = list(
        difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), f"{series} before", f"{series} after", n=0
        )
    )
    if before or dry_run:
        print("".join(difference), end="")
    if not dry_run and difference:
        write_atomically(target, after)
    r = imported.release
    done = "nothing changed" if not difference else "not written" if dry_run else f"wrote {target}"
    print(f"{series}: {len(r.projects)} projects, {len(r.pins)} pins; {done}", file=sys.stderr)


def _components(path: Path | None) -> dict[str, str]:
    """Read the component of each project, by all names that it may have; empty without a file."""
    from rdo.distribution.project_list import load_project_list

    listed = () if path is None else load_project_list(path)
    return {name: entry.component for entry in listed if entry.component for name in entry.names}


@app.command()
def lock(
    series: Annotated[str, typer.Argument(help="The series: 2026.1")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Index names to lock; every pin of the release if none is said."),
    ] = None,
    again: Annotated[
        bool, typer.Option(help="Look up the locked ones too: are they the same still?")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Requests at once.", min=1, max=32)] = 8,
) -> None:
    """Add the hashes of the sdists that a release pins to its lock.

    Lines that are there stay. A file that is another one than the locked one is an error.

    Example: rdo release lock 2026.1 keystone oslo.config
    """
    from packaging.utils import canonicalize_name

    from rdo.cli.installation import open_installation
    from rdo.common.errors import UnknownNameError
    from rdo.common.files import locked
    from rdo.distribution.load import Distribution
    from rdo.distribution.lockfile import load_lock, refresh, save_lock, wanted

    installation = open_installation()
    distribution = Distribution.load(installation.paths.distribution)
    release = distribution.release(series)
    dists: list[str] | None = [canonicalize_name(name) for name in names] if names else None
    for dist in dists or ():
        if dist not in release.pins:
            raise UnknownNameError("pinned name", dist, release.pins)
    target = distribution.path / "releases" / f"{series}.lock"
    with locked(installation.paths.cache / f"lock-{series}"):
        known = load_lock(target)
        result = refresh(
            wanted(release, dists),
            known,
            IndexListing(installation),
            again=again,
            jobs=jobs,
            each=_now_and_then(lambda s: save_lock(target, s)),
        )
        if result.sources != known:
            save_lock(target, result.sources)
    for dist, version in result.missing:
        print(f"{dist} {version}: no sdist on the index", file=sys.stderr)
    print(
        f"{series}: {len(result.sources)} locked, {len(result.added)} of them new;"
        f" {len(result.missing)} have no sdist",
        file=sys.stderr,
    )


app.command()(update)
app.command()(signatures)


def _now_and_then(save: Callable[[Sources], None], seconds: float = 5.0) -> Callable[[Sources], None]:
    """Make ``save`` cheap enough to be called after every name: an interrupted run loses a few seconds."""
    last = time.monotonic()

    def maybe(sources: Sources) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            save(sources)
            last = time.monotonic()

    return maybe


class IndexListing:
    """The Python index as the distribution room's listing."""

    def __init__(self, installation: Installation) -> None:
        from rdo.upstream.index import Index

        self._index = installation.part(Index.open)

    def files(self, dist: str) -> list[Listed]:
        """Return the files of a canonical index name; none where the index has no such name."""
        from pypi_simple import NoSuchProjectError

        from rdo.upstream.index import PackageIndexError

        try:
            offered = self._index.versions(dist)
        except PackageIndexError as error:
            # An index that can't be reached is another matter: that must not look like "no sdist".
            if isinstance(error.__cause__, NoSuchProjectError):
                return []
            raise
        return [listed for file in offered if (listed := _listed(file)) is not None]


def _listed(file: IndexFile) -> Listed | None:
    from packaging.version import InvalidVersion, Version

    from rdo.distribution.listing import Listed

    try:
        version = Version(file.version or "")
    except InvalidVersion:
        return None
    return Listed(
        filename=file.filename,
        version=version,
        sdist=file.kind == "sdist",
        sha256=file.sha256,
        size=file.size,
        uploaded=None if file.uploaded is None else datetime.fromisoformat(file.uploaded),
        requires_python=file.requires_python,
        yanked=file.yanked,
    )
