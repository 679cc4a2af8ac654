"""``rdo verify``: build a package once more and compare it bit by bit."""

from __future__ import annotations

from typing import Annotated

import typer

from rdo.cli.output import print

app = typer.Typer()


@app.command()
def verify(
    package: Annotated[str, typer.Argument(help="A package or project: python-oslo-config, keystone.")],
    release: Annotated[
        str | None, typer.Option("--release", help="The series; the newest by default.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="The platform.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build a package again from the same inputs and compare every RPM, before signing.

    Differences are shown by header tag and by file; the exit status is 1 then.

    Example: rdo verify keystone
    """
    from rdo.building.finding import package_named
    from rdo.building.graph import build_graph
    from rdo.building.pipeline import prepare
    from rdo.building.rpmbuild import RootBuilder
    from rdo.building.session import run_session
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.building.verifying import verify as build_and_compare
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.show import print_json, progress
    from rdo.common.errors import InputError
    from rdo.common.paths import Paths

    paths = Paths.from_environment()
    distribution = open_distribution(paths)
    series = choose_release(release, distribution)
    base = choose_platform(platform, series, distribution)
    run = State.open(paths).last_run(base.name, series.series)
    if run is None:
        raise InputError(f"Nothing of {series.series} was built for {base.name} yet.", hint="Run rdo build.")
    name = package_named(package, {build.package for build in run.builds})
    with progress() as report, run_session(paths, base.name, series.series, report):
        prepared = prepare(distribution, series, base, run.asked, paths, report)
        builder = RootBuilder.make(base, paths, report)
        with report.task(f"Building {name} again"):
            found = build_and_compare(
                build_graph(prepared.requests),
                builder,
                open_store(paths),
                name,
                paths.cache / "verify",
                lambda: builder.planner.root.sandbox(paths),
            )
    if as_json:
        print_json(found.model_dump(mode="json") | {"identical": found.identical})
    else:
        for line in found.differences:
            print(line)
        verdict = "identical" if found.identical else "DIFFERENT"
        print(f"{name}: {len(found.compared)} RPMs, {verdict}")
    if not found.identical:
        raise typer.Exit(1)
