"""``rdo projects``: the projects in RDO, their packages, and what became of building them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.building.catalogue import CatalogueEntry
    from rdo.distribution.load import Distribution
    from rdo.distribution.models import Release
    from rdo.packaging.comparison import Compared

app = typer.Typer()

_COLUMNS = ("project", "what it is", "package", "binary packages", "version", "component", "state", "by hand")
_COMPARED = ("listed project", "state", "package", "version", "why, or the name in the list")


@app.command()
def projects(
    series: Annotated[
        str | None, typer.Argument(help="The series: 2026.1; the newest maintained by default.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="The platform; this machine's by default.")] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Hold the release against another distribution's list of projects, in JSON."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the projects in RDO: what they are, packages, versions, states, lines that are written by hand.

    The state is that of the last builds on the platform. With --compare: for each project of a list, as which
    package it is shipped or why it is not; the exit status is 1 where nothing says why.

    Examples: rdo projects 2026.1; rdo projects 2025.2 --markdown;
    rdo projects 2026.1 --compare rdo-packages.json
    """
    from rdo.building.catalogue import catalogue, hand_written_lines
    from rdo.building.state import State
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json

    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    release = choose_release(series, installation, distribution)
    if compare is not None:
        _compare(distribution, release, compare, markdown, as_json)
        return
    under = choose_platform(platform, release, distribution)
    entries = catalogue(distribution, release, under, paths, State.open(installation))
    if as_json:
        print_json(entries)
        return
    _print_rows(f"Projects in RDO {release.series} on {under.name}", _COLUMNS, _rows(entries), markdown)
    others = {name: n for name, n in hand_written_lines(distribution).items() if name not in release.projects}
    print(f"\n{_sum(entries)}")
    print(
        f"Written by hand: {sum(entry.hand_written for entry in entries)} lines for projects, nothing for"
        f" {sum(1 for entry in entries if entry.package and not entry.hand_written)} of the shipped ones;"
        f" {sum(others.values())} lines for {len(others)} packages of others."
    )


def _rows(entries: Sequence[CatalogueEntry]) -> list[tuple[str, ...]]:
    return [
        (
            entry.project,
            entry.summary,
            entry.package or "",
            " ".join(entry.binaries),
            entry.version or "",
            entry.component or "",
            entry.state if entry.reason is None else f"{entry.state}: {entry.reason}",
            str(entry.hand_written or ""),
        )
        for entry in entries
    ]


def _sum(entries: Sequence[CatalogueEntry]) -> str:
    from collections import Counter

    counts = Counter(entry.state for entry in entries)
    shipped = len(entries) - counts["not shipped"]
    states = ", ".join(f"{counts[state]} {state}" for state in ("built", "failed", "not built"))
    return f"{shipped} projects are shipped ({states}), {counts['not shipped']} are not."


def _compare(distribution: Distribution, release: Release, file: Path, markdown: bool, as_json: bool) -> None:
    from rdo.cli.show import print_json
    from rdo.common.errors import RdoError
    from rdo.distribution.project_list import load_project_list
    from rdo.packaging.comparison import compare

    others = [distribution.release(name) for name in distribution.series() if name != release.series]
    found = compare(release, load_project_list(file), others)
    if as_json:
        print_json(found)
    else:
        title = f"{file.name} and RDO {release.series}"
        _print_rows(title, _COMPARED, [_row(item) for item in found], markdown)
        counts = [sum(1 for item in found if item.status == s) for s in ("shipped", "not shipped")]
        renamed = sum(1 for item in found if item.renamed)
        print(
            f"\n{counts[0]} of {len(found)} are shipped, {renamed} of them as another source package;"
            f" {counts[1]} are not, with a reason."
        )
    unexplained = [item.listed for item in found if item.status == "unexplained"]
    if unexplained:
        names = ", ".join(unexplained)
        raise RdoError(
            f"{len(unexplained)} of {len(found)} are neither shipped nor explained: {names}.",
            hint="Ship them (`also`), or say why not (`not_shipped`), in distribution/coverage.yaml.",
        )


def _row(item: Compared) -> tuple[str, ...]:
    remark = f"listed as {item.listed_package}" if item.renamed else item.reason or ""
    return (item.listed, item.status, item.package or "", item.version or "", remark)


def _print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool) -> None:
    from rdo.cli.show import OUT, markdown_row, table

    if markdown:
        print(f"# {title}\n")
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for row in rows:
            print(markdown_row(row))
        return
    made = table(title, *columns)
    for column in made.columns:
        column.overflow = "fold"  # names are never cut
    for row in rows:
        made.add_row(*row)
    OUT.print(made)
