"""``rdo verify``: build packages once more and compare them bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print
from rdo.common.text import visible

if TYPE_CHECKING:
    from rdo.building.verification import VerificationSummary
    from rdo.building.verifying import Verification

app = typer.Typer()


@app.command()
def verify(
    packages: Annotated[
        list[str] | None, typer.Argument(help="Packages or projects: python-oslo-config keystone.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Instead of names: everything that the release ships, and what it needs."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also verify what was already verified from the same inputs.")
    ] = False,
    release: Annotated[
        str | None, typer.Option("--release", help="The series; the newest by default.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="The platform.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Builds at once; all processors by default.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a dask scheduler to build on.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build packages again from the same inputs and compare every RPM, before signing.

    Takes packages that any run built from today's inputs. Differences are shown by header tag and by file. A
    package that fails doesn't stop the others. The exit status is 1 if a package differs or can't be built
    again.

    Results are kept: after an interruption, run the same command again to continue.

    Examples: rdo verify keystone; rdo verify oslo.config nova --jobs 2;
    rdo verify --all --release 2026.1 --markdown
    """
    from rdo.building.rpmbuild import RootBuilder
    from rdo.building.session import default_jobs, make_engine, run_session
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.building.verification import VerificationRun
    from rdo.building.verification_scope import everything as all_of_it
    from rdo.building.verification_scope import of_names
    from rdo.cli.defaults import choose_platform, choose_projects, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.common.errors import InputError

    installation = open_installation()
    paths = installation.paths
    data = open_distribution(installation)
    series = choose_release(release, installation, data)
    base = choose_platform(platform, series, data)
    names = choose_projects(packages, everything, series)
    state = State.open(installation)
    last, seconds = state.last_run(base.name, series.series), state.durations()
    state.close()
    if last is None:
        what = f"Nothing of {series.series} was built for {base.name} yet."
        raise InputError(what, hint="Run rdo build.")
    with progress() as report, run_session(paths, base.name, series.series, report):
        builder, store = RootBuilder.make(base, installation, report), open_store(installation)
        if everything:
            subjects = all_of_it(data, series, base, builder, store, installation, report)
        else:
            subjects = of_names(names, last.asked, data, series, base, builder, store, installation, report)
        found = VerificationRun(
            builder,
            store,
            make_engine(jobs or default_jobs(), scheduler, paths),
            paths,
            report,
            lambda: builder.planner.root.sandbox(paths),
            seconds,
            again,
        ).verify(subjects)
    if as_json:
        print_json(found.model_dump(mode="json") | {"counts": found.counts()})
    elif markdown:
        _print_markdown(found, f"{series.series} on {base.name}")
    else:
        _print_lines(found)
    if not found.ok:
        raise typer.Exit(1)


def _print_lines(found: VerificationSummary) -> None:
    for result in found.results:
        for line in result.differences:
            print(visible(line))
        if result.reason:
            print(visible(result.reason))
        print(f"{result.package}: {len(result.first)} RPMs, {_verdict(result)}")
    if len(found.results) != 1 or found.unbuilt:
        print(_sum(found))


def _print_markdown(found: VerificationSummary, title: str) -> None:
    from rdo.cli.show import markdown_row

    days = sorted({f"{result.verified:%Y-%m-%d}" for result in found.results if result.verified})
    seconds = sum(result.seconds for result in found.results)
    print(f"# Packages of {title}, built twice\n")
    span = " and ".join(dict.fromkeys([*days[:1], *days[-1:]]))
    print(f"Second builds of {span or 'none'}, {seconds:.0f} s of building. {_sum(found)}\n")
    print("| package | version | RPMs | seconds | second build |\n|---|---|---|---|---|")
    for result in found.results:
        why = visible("; ".join(result.differences) or (result.reason or "").partition("\n")[0])
        verdict = f"{_verdict(result)}: {why}" if why else _verdict(result)
        cells = (result.package, result.version, str(len(result.first)), f"{result.seconds:.1f}", verdict)
        print(markdown_row(cells))
    for package in found.unbuilt:
        print(markdown_row((package, "", "", "", "not built from the inputs of today")))


def _verdict(result: Verification) -> str:
    return result.status if result.status == "identical" else result.status.upper()


def _sum(found: VerificationSummary) -> str:
    counts = [f"{count} {what}" for what, count in found.counts().items() if count]
    earlier = f" ({found.kept} from an earlier run)" if found.kept else ""
    rpms = sum(len(result.first) for result in found.results)
    return f"{len(found.results)} packages, {rpms} RPMs: {', '.join(counts) or 'none'}{earlier}."
