"""``rdo build``: from names to RPMs in a published repository, and what the last run did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdo.cli.output import print
from rdo.common.text import visible

if TYPE_CHECKING:
    from rdo.building.graph import BuildGraph
    from rdo.building.run import RunSummary
    from rdo.building.state import RunRecord
    from rdo.repository.publish import Published

app = typer.Typer()

_NAMES_SHOWN = 10  # of what a run was asked for; a run of everything has hundreds


@app.command()
def build(
    projects: Annotated[
        list[str] | None, typer.Argument(help="Projects or index names: keystone python-openstackclient.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Instead of names: everything that the release ships.")
    ] = False,
    release: Annotated[
        str | None, typer.Option("--release", help="The series; the newest by default.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="The platform to build for.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Builds at once; all processors by default.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a dask scheduler to build on.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Show the last run, also one going on.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be built, in order.")
    ] = False,
    publish: Annotated[bool, typer.Option(help="Sign and publish the repository afterwards.")] = True,
    only: Annotated[
        bool, typer.Option("--only", help="Publish only these, and drop what was published before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build projects with everything they need beyond the platform, and publish it as a signed repository.

    The repository keeps what earlier builds published; --only drops it. --only --dry-run shows what would be
    dropped.

    Packages that were built before from the same inputs are not built again. A package that fails stops only
    those that need it; then nothing is published and the exit status is 1.

    Examples: rdo build keystone openstackclient; rdo build keystone --jobs 1 --no-publish;
    rdo build --all --release 2025.2; rdo build --status; rdo build nova --dry-run --platform el10
    """
    if status:
        _status(platform, as_json)
        return
    _build(projects, everything, release, platform, jobs, scheduler, dry_run, publish, only, as_json)


def _build(
    projects: list[str] | None,
    everything: bool,
    release: str | None,
    platform: str | None,
    jobs: int | None,
    scheduler: str | None,
    dry_run: bool,
    publish: bool,
    only: bool,
    as_json: bool,
) -> None:
    from rdo.building.graph import build_graph
    from rdo.building.pipeline import prepare
    from rdo.cli.defaults import choose_platform, choose_projects, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.repository.factory import make_repository
    from rdo.repository.snapshots import folder_of
    from rdo.repository.wanted import wanted

    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    series = choose_release(release, installation, distribution)
    base = choose_platform(platform, series, distribution)
    asked = choose_projects(projects, everything, series)
    with progress() as report:
        if dry_run:
            dropped: tuple[str, ...] = ()
            if publish:
                names = wanted(folder_of(paths, base.name, series.series), asked, series, base, only=only)
                asked, dropped = [*names.built], names.dropped
            prepared = prepare(distribution, series, base, asked, installation, report)
            _show_order(build_graph(prepared.requests), dropped, as_json)
            return
        made = make_repository(
            distribution,
            series,
            base,
            asked,
            installation,
            report,
            jobs=jobs,
            scheduler=scheduler,
            publish=publish,
            only=only,
        )
    summary, published = made.summary, made.published
    if as_json:
        repository = None if published is None else _repository(published)
        value = summary.model_dump(mode="json") | {"counts": summary.counts(), "repository": repository}
        print_json(value)
    else:
        _show_summary(summary, published, publish)
    if not summary.ok:
        raise typer.Exit(1)


def _repository(published: Published) -> dict[str, Any]:
    return {"path": str(published.path), "address": published.address, "changed": published.changed}


def _show_order(graph: BuildGraph, dropped: Sequence[str], as_json: bool) -> None:
    from rdo.cli.show import print_json

    layers = [[str(step) for step in layer] for layer in graph.layers()]
    if as_json:
        print_json({"layers": layers, "cycles": graph.cycles, "dropped": dropped})
        return
    for number, layer in enumerate(layers, 1):
        print(f"{number:3}  {' '.join(layer)}")
    for cycle in graph.cycles:
        print(f"a cycle, built without checks first: {' '.join(cycle)}")
    if dropped:
        print(f"no longer in the repository: {' '.join(dropped)}")


def _show_summary(summary: RunSummary, published: Published | None, wanted: bool) -> None:
    if not summary.results:
        print(f"Nothing to build: {summary.platform} provides all of it at versions that fit.")
        return
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts().items() if count)
    print(f"{len(summary.results)} packages for {summary.release} on {summary.platform}: {counts}")
    for result in summary.of("failed"):
        print(f"\nFAILED {result.package}")
        for line in visible(result.reason or "").splitlines():
            print(f"  {line}")
        if result.hint:
            print(f"  Hint: {visible(result.hint)}")
        if result.log:
            print(f"  Log: rdo log {result.package}")
    for result in summary.of("blocked"):
        print(f"{result.package}: {visible(result.reason or '')}")
    if published is not None:
        state = "published" if published.changed else "published already"
        print(f"Repository, {state}: {published.path}")
        print(f"Address for clients: {published.address}")
    elif wanted and summary.results:
        print("\nNothing was published, since not every package could be built.")


def _status(platform: str | None, as_json: bool) -> None:
    from rdo.building.state import State
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json
    from rdo.common.errors import InputError

    run = State.open(open_installation()).last_run(platform)
    if run is None:
        raise InputError("Nothing has been built yet.", hint="For example: rdo build keystone")
    if as_json:
        print_json(run)
        return
    _show_run(run)


def _show_run(run: RunRecord) -> None:
    from collections import Counter

    from rdo.cli.show import OUT, table

    asked = " ".join(run.asked) if len(run.asked) <= _NAMES_SHOWN else f"{len(run.asked)} projects"
    end = "" if run.finished is None else f", ended {run.finished:%Y-%m-%d %H:%M:%S} UTC"
    print(f"Run {run.id}: {asked} for {run.release} on {run.platform}: {run.outcome}")
    print(f"started {run.started:%Y-%m-%d %H:%M:%S} UTC by process {run.pid} of {run.host}{end}")
    counts = Counter(build.status for build in run.builds)
    done = len(run.builds) - counts["building"]
    print(f"{done} of {run.total}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())))
    rows = [build for build in run.builds if build.status != "cached"]
    if rows:
        shown = table(None, "package", "version", "status", "seconds", "why")
        for build in rows:
            name = build.package if build.stage == "full" else f"{build.package} ({build.stage})"
            why = (build.reason or "").splitlines()[0] if build.reason else ""
            shown.add_row(name, build.version, build.status, f"{build.seconds:.1f}", why)
        OUT.print(shown)
