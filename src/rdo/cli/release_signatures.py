"""``rdo release signatures``: whether the locked sources are what OpenStack's release team signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.distribution.models import Project, Release


def signatures(
    series: Annotated[str, typer.Argument(help="The series: 2026.1")],
    site: Annotated[str, typer.Option(help="Where tarballs and signatures are: an https or file address.")],
    key: Annotated[
        list[Path],
        typer.Option(help="A certificate of a signing key; again for more.", exists=True),
    ],
    projects: Annotated[
        list[str] | None, typer.Argument(help="Projects; all of the series' own if none is said.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the series' signatures of locked sources. Exit status 1 if one is missing or not good.

    A project's sdist on the index is the tarball on OpenStack's site. Where it is in the cache, only its
    signature is brought from there; that has to be by one of the keys that the release's data name.

    Example: rdo release signatures 2026.1 keystone --site https://tarballs.opendev.org --key gazpacho.asc
    """
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json
    from rdo.common.errors import RdoError, UnknownNameError
    from rdo.distribution.load import Distribution
    from rdo.upstream.index import Index
    from rdo.upstream.source_cache import SourceCache
    from rdo.upstream.tarball import TarballSource

    installation = open_installation()
    paths = installation.paths
    release = Distribution.load(paths.distribution).release(series)
    for name in projects or ():
        if name not in release.projects:
            raise UnknownNameError("project", name, release.projects)
    cache, index = SourceCache(paths.sources), installation.part(Index.open)
    signers = tuple(path.read_bytes() for path in key)
    rows = []
    for project in _chosen(release, projects):
        why = None
        try:
            TarballSource.of_release(release, project, site, signers).fetch(cache, index)
        except RdoError as error:
            why = error.what
        rows.append(
            {
                "project": project.name,
                "version": release.shipped_version(project),
                "good": why is None,
                "why": why,
            }
        )
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            print(f"{row['project']} {row['version']}: {row['why'] or 'good'}")
    if not all(row["good"] for row in rows):
        raise typer.Exit(1)


def _chosen(release: Release, names: list[str] | None) -> list[Project]:
    """Return the named projects, or those that have a commit: the series' own deliverables."""
    if names:
        return [release.projects[name] for name in names]
    return [project for project in release.projects.values() if project.commit is not None]
