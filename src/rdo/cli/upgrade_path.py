"""``rdo upgrade-path``: what becomes of each package on hosts that go from one series to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.building.rpminfo import RpmInfo
    from rdo.distribution.load import Distribution
    from rdo.repository.upgrade import UpgradePath

app = typer.Typer()


@app.command()
def upgrade_path(
    old: Annotated[str, typer.Argument(help="The series that hosts have: 2025.2")],
    new: Annotated[str, typer.Argument(help="The series that they go to: 2026.1")],
    platform: Annotated[str | None, typer.Option("--platform", help="The platform: debian13, el10.")] = None,
    write: Annotated[
        bool,
        typer.Option(help="Add the orphans to the new series' data: they are obsoleted then. Publish again."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what becomes of each package of one published repository when hosts go to the next by dnf upgrade.

    A package must go up, or another must take its place; exit status 1 where one has a lower version than
    before, is left behind without a successor, or would be held back.

    Examples: rdo upgrade-path 2025.2 2026.1; rdo upgrade-path 2025.2 2026.1 --write
    """
    from rdo.building.planner import RootPlanner
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.repository.closure import published_infos
    from rdo.repository.publish import show
    from rdo.repository.upgrade import upgrade_path as work_out

    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    base = choose_platform(platform, choose_release(new, installation, distribution), distribution)
    choose_platform(base.name, choose_release(old, installation, distribution), distribution)
    before, after = (published_infos(show(paths, base.name, s).path, paths) for s in (old, new))
    with progress() as report:
        records = RootPlanner(base, installation, report).records
    found = work_out(before, after, records, architecture=base.architecture)
    if as_json:
        print_json(
            {
                "upgraded": found.upgraded,
                "replaced": found.replaced,
                "same": found.same,
                "left": found.left,
                "findings": [finding.as_json() for finding in found.findings],
            }
        )
    else:
        _show(found)
    if write:
        _write(distribution, new, found, before)
    if found.findings:
        raise typer.Exit(1)


def _show(found: UpgradePath) -> None:
    for old, new in found.replaced:
        print(f"{old}: {new} takes its place")
    for nevra in found.left:
        print(f"{nevra}: it is left to the platform, which has a package of that name")
    for finding in found.findings:
        print(f"{finding.kind}: {finding}")
    print(
        f"{len(found.upgraded)} packages are upgraded, {len(found.same)} are the same,"
        f" {len(found.replaced)} are replaced, {len(found.left)} left to the platform;"
        f" {len(found.findings) or 'no'} findings"
    )


def _write(distribution: Distribution, series: str, found: UpgradePath, before: list[RpmInfo]) -> None:
    """Add orphans to the data, but none of a name that some platform has for a package of its own.

    Obsoleting those would take the platform's own package away from hosts.
    """
    import sys

    from rdo.common.files import write_atomically
    from rdo.distribution.obsoletes import load_obsoletes, render_obsoletes
    from rdo.packaging.naming import python_package

    target = distribution.path / "releases" / f"{series}.obsoletes"
    platforms = [distribution.platform(name) for name in distribution.platforms()]
    theirs = {
        python_package(dist) for platform in platforms for dist in platform.provides.keys() - platform.own
    }
    orphans = {finding.package for finding in found.findings if finding.kind == "orphan"}
    added = {info.name: f"{info.epoch or 0}:{info.version}" for info in before if info.nevra in orphans}
    for name in sorted(added.keys() & theirs):
        print(f"{name} is not added: a platform has a package of that name", file=sys.stderr)
        del added[name]
    if added:
        write_atomically(target, render_obsoletes(load_obsoletes(target) | added))
    print(f"{len(added)} added to {target}", file=sys.stderr)
