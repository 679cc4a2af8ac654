"""``rdo repo``: publish, check, serve and show repositories."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.common.installation import Installation
    from rdo.distribution.models import Platform, Release
    from rdo.repository.publish import Published
    from rdo.repository.removal import Removal

app = typer.Typer(no_args_is_help=True, help="Repositories: publish, check, serve.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Series = Annotated[
    str | None, typer.Option("--release", help="The series; the newest maintained one by default.")
]
_PlatformName = Annotated[str | None, typer.Option("--platform", help="The platform: debian13, el10.")]
_Address = Annotated[
    str | None,
    typer.Option(
        help="URL under which clients reach the folder of repositories; by default the one that was last "
        "published with, at first a file: URL."
    ),
]


@app.command()
def publish(
    release: _Series = None, platform: _PlatformName = None, address: _Address = None, as_json: _Json = False
) -> None:
    """Sign and publish what the last build made and what is published, if it is closed and free of conflicts.

    Use it after a build with --no-publish, or to change the address. It removes nothing from the repository;
    `rdo repo remove` does.

    Example: rdo repo publish --release 2026.1 --address http://packages.example.org
    """
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.cli.installation import open_installation
    from rdo.cli.show import progress
    from rdo.repository import keys
    from rdo.repository.publication import publish_last_run

    installation = open_installation()
    paths = installation.paths
    chosen, base = _choose(installation, release, platform)
    key = keys.load(paths)
    with progress() as report:
        published = publish_last_run(
            State.open(installation).last_run(base.name, chosen.series),
            release=chosen,
            platform=base,
            store=open_store(installation),
            key=key,
            installation=installation,
            address=address,
            progress=report,
        )
    _print(published, as_json)


@app.command()
def remove(
    projects: Annotated[list[str], typer.Argument(help="Projects that `rdo repo show` lists as asked for.")],
    release: _Series = None,
    platform: _PlatformName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    as_json: _Json = False,
) -> None:
    """Remove projects from the published repository, with every package that no other project needs.

    Nothing is built: what remains is what was published before. Hosts keep what they have installed.

    Examples: rdo repo remove cliff --dry-run; rdo repo remove cliff
    """
    from rdo.building.store import open_store
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.repository import keys
    from rdo.repository.removal import plan_removal
    from rdo.repository.removal import remove as remove_from_repository

    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    chosen = choose_release(release, installation, distribution)
    base = choose_platform(platform, chosen, distribution)
    published = None
    with progress() as report:
        if dry_run:
            removal = plan_removal(distribution, chosen, base, projects, installation, report)
        else:
            store, key = open_store(installation), keys.load(paths)
            removal, published = remove_from_repository(
                distribution, chosen, base, projects, installation, store, key, report
            )
    if as_json:
        snapshot = None if published is None else _fields(published)
        print_json(asdict(removal) | {"published": snapshot})
        return
    _show_removal(removal, done=published is not None)


@app.command()
def check(release: _Series = None, platform: _PlatformName = None, as_json: _Json = False) -> None:
    """Check the published repository: signatures, hashes, closure, conflicts. Exit status 1 with findings.

    Examples: rdo repo check; rdo repo check --release 2026.1 --platform debian13 --json
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json
    from rdo.repository import keys, metadata
    from rdo.repository.closure import platform_checker
    from rdo.repository.publish import published_rpms, show, verify_files

    installation = open_installation()
    paths = installation.paths
    chosen, base = _choose(installation, release, platform)
    published = show(paths, base.name, chosen.series)
    damaged = verify_files(published.path, keys.load(paths))
    findings = []
    if not damaged:
        files = published_rpms(published.path)
        described = [metadata.describe(file, paths.metadata) for file in files]
        findings = sorted(platform_checker(base, installation)(described, files))
    if as_json:
        print_json(
            {
                "repository": str(published.path.parent.parent),
                "digest": published.digest,
                "packages": published.packages,
                "clean": not (damaged or findings),
                "damaged": damaged,
                "findings": [finding.as_json() for finding in findings],
            }
        )
    else:
        for line in (*damaged, *findings):
            print(line)
        count = len(damaged) + len(findings)
        print(f"{published.packages} packages of {published.digest[:12]}: {count or 'no'} findings")
    if damaged or findings:
        raise typer.Exit(1)


@app.command()
def lint(
    release: _Series = None,
    platform: _PlatformName = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Show warnings as well.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="At once; all processors by default.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Run rpmlint over every package that is published. Exit status 1 with errors.

    What it said of a package is kept: a second run looks only at what is new. What is no mistake here is
    filtered by distribution/rpmlint.toml, each line with its reason.

    Examples: rdo repo lint --release 2026.1; rdo repo lint --warnings
    """
    from rdo.building.session import default_jobs
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.repository.lint import lint as run
    from rdo.repository.publish import published_rpms
    from rdo.repository.publish import show as find
    from rdo.repository.snapshot_writer import KEY_FILE

    installation = open_installation()
    paths = installation.paths
    chosen, base = _choose(installation, release, platform)
    snapshot = find(paths, base.name, chosen.series).path
    rpms = published_rpms(snapshot)
    with progress() as report:
        key = snapshot / KEY_FILE
        found = run(rpms, base, installation, report, key=key, jobs=jobs or default_jobs())
    errors = [remark for remark in found if remark.level == "E"]
    shown = found if warnings else errors
    if as_json:
        print_json({"packages": len(rpms), "errors": len(errors), "remarks": [asdict(r) for r in shown]})
    else:
        for remark in shown:
            print(remark)
        warned = sum(remark.level == "W" for remark in found)
        print(f"{len(rpms)} packages: {len(errors) or 'no'} errors, {warned} warnings")
    if errors:
        raise typer.Exit(1)


@app.command("try")
def try_(
    release: _Series = None,
    platform: _PlatformName = None,
    upgrade_from: Annotated[
        str | None, typer.Option(help="Install all of this series first, then upgrade it by dnf.")
    ] = None,
    each: Annotated[
        list[str] | None,
        typer.Option(
            "--each", help="Instead: these packages each by itself, in sealed roots; names, or '*' for all."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="With --each, at once; all processors by default."),
    ] = None,
    host: Annotated[str, typer.Option(help="Name of the host; an older one is destroyed.")] = "trial",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the host as it is afterwards.")] = False,
    as_json: _Json = False,
) -> None:
    """Install everything that is published on a fresh test host, and look at it there.

    All packages at once, by the host's dnf, signatures checked; then whether files, units and configuration
    are in order. Exit status 1 where something is not; the host stays then, for a look at it.

    With --each no package hides what another forgot to require: each is installed by itself, and imported
    where there is just what it asks for. What was tried is kept; an interrupted run goes on from there.

    Examples:
        rdo repo try --release 2026.1
        rdo repo try --release 2026.1 --upgrade-from 2025.2
        rdo repo try --each 'openstack-nova*'
        rdo repo try --each '*'
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.cloud import busy
    from rdo.cloud.testhosts import hosts
    from rdo.cloud.trial import try_repository

    installation = open_installation()
    paths = installation.paths
    chosen, base = _choose(installation, release, platform)
    if each:
        _try_each(installation, chosen, base, each, jobs, as_json)
        return
    hosts.require_root()
    # until it is destroyed: a second run of that name would begin with destroying it
    with busy.changing_hosts(paths, [host], "rdo repo try"):
        with progress() as report:
            found = try_repository(
                chosen.series, base, installation, report, name=host, upgrade_from=upgrade_from
            )
        if found.ok and not keep:
            hosts.destroy(paths, [host])
    if as_json:
        print_json(found)
    else:
        for check in found.checks:
            for problem in check.problems:
                print(problem)
            print(f"{check.name}: {len(check.problems) or 'no'} problems, {check.seconds:.1f} s")
    if not found.ok:
        raise typer.Exit(1)


def _try_each(
    installation: Installation,
    release: Release,
    platform: Platform,
    patterns: list[str],
    jobs: int | None,
    as_json: bool,
) -> None:
    from rdo.building.session import default_jobs
    from rdo.cli.show import print_json, progress
    from rdo.cloud.alone import summary, try_each

    with progress() as report:
        found = try_each(
            release.series, platform, installation, report, patterns=patterns, jobs=jobs or default_jobs()
        )
    if as_json:
        print_json(found)
    else:
        for row in found:
            for problem in row.problems:
                print(f"{row.package}: {problem}")
        print(summary(found))
    if any(row.problems for row in found):
        raise typer.Exit(1)


@app.command()
def serve(
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 8080,
) -> None:
    """Serve all published repositories over HTTP until Ctrl-C.

    Example: rdo repo serve --address 0.0.0.0 --port 8080
    """
    import sys

    from rdo.cli.installation import open_installation
    from rdo.repository.serve import serve as serve_forever

    root = open_installation().paths.repositories
    root.mkdir(parents=True, exist_ok=True)
    print(f"Serving {root} at {address}:{port}", file=sys.stderr)
    serve_forever(root, address, port)


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the published repositories."""
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json
    from rdo.repository.snapshots import current, snapshots

    rows: list[dict[str, Any]] = []
    for folder in sorted(open_installation().paths.repositories.glob("*")):
        live = current(folder)
        if live is not None:
            rows.append(
                {"name": folder.name, "current": live.name, "snapshots": [s.name for s in snapshots(folder)]}
            )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        count = len(row["snapshots"])
        print(f"{row['name']:24} {row['current'][:12]}  {count} snapshot{'s' if count != 1 else ''}")


@app.command()
def show(
    release: _Series = None, platform: _PlatformName = None, address: _Address = None, as_json: _Json = False
) -> None:
    """Show the published repository: its place, its address, its packages.

    Example: rdo repo show --release 2026.1 --json
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json
    from rdo.repository.publish import published_rpms
    from rdo.repository.publish import show as find

    installation = open_installation()
    paths = installation.paths
    chosen, base = _choose(installation, release, platform)
    published = find(paths, base.name, chosen.series, address)
    names = [rpm.filename for rpm in published_rpms(published.path)]
    if as_json:
        print_json(_fields(published) | {"files": names})
        return
    _print(published, as_json=False)
    for name in names:
        print(f"  {name}")


def _show_removal(removal: Removal, *, done: bool) -> None:
    for file in removal.packages:
        print(f"  {file}")
    what = "Removed" if done else "Would be removed"
    print(f"{what}: {', '.join(removal.names)}; {len(removal.packages)} packages, source packages included")
    if removal.needed:
        print(f"Other projects need these, so their packages stay: {', '.join(removal.needed)}")


def _choose(
    installation: Installation, release: str | None, platform: str | None
) -> tuple[Release, Platform]:
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution

    distribution = open_distribution(installation)
    chosen = choose_release(release, installation, distribution)
    return chosen, choose_platform(platform, chosen, distribution)


def _fields(published: Published) -> dict[str, Any]:
    return {key: str(v) if isinstance(v, Path) else v for key, v in asdict(published).items()}


def _print(published: Published, as_json: bool) -> None:
    from rdo.cli.show import print_json

    if as_json:
        print_json(_fields(published))
        return
    print(f"path       {published.path}")
    print(f"address    {published.address}")
    print(f"packages   {published.packages} and {published.sources} source packages")
    print(f"asked for  {' '.join(published.requested)}")
    print(f"changed    {'yes' if published.changed else 'no, it is published already'}")
