"""``rdo sbom``: bills of materials, of a build or of the published repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.common.installation import Installation
    from rdo.common.paths import Paths
    from rdo.distribution.load import Distribution
    from rdo.distribution.models import Platform, Release

app = typer.Typer()


@app.command()
def sbom(
    package: Annotated[
        str | None, typer.Argument(help="A package or project that was built: keystone, python-cliff.")
    ] = None,
    repository: Annotated[
        bool, typer.Option("--repository", help="Of the published repository instead.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write it to this file instead of standard output.")
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", help="The series; the newest by default.")
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="The platform.")] = None,
) -> None:
    """Print a bill of materials as CycloneDX JSON.

    A build's has its sources, all that was in its root, and the RPMs that came out; a repository's has every
    package with its licence, upstream's source, and what it needs of the repository.

    Examples: rdo sbom keystone; rdo sbom --repository --output sbom.cdx.json
    """
    from rdo.cli.defaults import choose_platform, choose_release, open_distribution
    from rdo.cli.installation import open_installation
    from rdo.common.errors import InputError
    from rdo.common.files import write_atomically

    if repository == (package is not None):
        raise InputError("Name one package, or say --repository.", hint="For example: rdo sbom keystone")
    installation = open_installation()
    paths = installation.paths
    distribution = open_distribution(installation)
    series = choose_release(release, installation, distribution)
    base = choose_platform(platform, series, distribution)
    if package is None:
        text = _of_repository(paths, series, base)
    else:
        text = _of_build(package, installation, distribution, series, base)
    if output is None:
        print(text, end="")
    else:
        write_atomically(output, text)


def _of_repository(paths: Paths, series: Release, platform: Platform) -> str:
    from rdo.common.errors import InputError
    from rdo.repository.publish import show
    from rdo.repository.sbom import SBOM_FILE

    published = show(paths, platform.name, series.series)
    try:
        return (published.path / SBOM_FILE).read_text()
    except FileNotFoundError:
        raise InputError(
            f"What is published for {series.series} on {platform.name} has no bill of materials yet.",
            hint="Publish it again: rdo repo publish",
        ) from None


def _of_build(
    package: str, installation: Installation, distribution: Distribution, series: Release, platform: Platform
) -> str:
    from rdo.building.rpmbuild import RootBuilder
    from rdo.building.state import State
    from rdo.building.store import open_store
    from rdo.building.verification_scope import of_names
    from rdo.cli.show import progress
    from rdo.common.errors import InputError
    from rdo.repository.metadata import RpmFile, describe
    from rdo.repository.sbom import build_sbom

    run = State.open(installation).last_run(platform.name, series.series)
    if run is None:
        what = f"Nothing of {series.series} was built for {platform.name} yet."
        raise InputError(what, hint="Run rdo build.")
    with progress() as report:
        builder, store = RootBuilder.make(platform, installation, report), open_store(installation)
        found = of_names(
            [package], run.asked, distribution, series, platform, builder, store, installation, report
        )
    (known,) = found.known.values()
    plan = builder.planner.plan(
        known.request.build_requires, builder.infos(known.artifacts, store), what=known.request.package
    )
    rpms = [
        describe(
            RpmFile(store.path(one.sha256), one.filename, one.sha256, one.size), installation.paths.metadata
        )
        for one in known.result.artifacts
    ]
    sources = {source.sha256 for source in known.request.sources}
    lock = next(lock for lock in series.sources.values() if lock.sha256 in sources)
    return build_sbom(known.request, lock, rpms, builder.planner.held(plan))
