"""Which packages a verification is about: those of some names, or of everything that a release ships."""

from __future__ import annotations

from collections.abc import Sequence

from rdo.building.builder import Builder
from rdo.building.graph import build_graph
from rdo.building.pipeline import Prepared, prepare
from rdo.building.store import Store
from rdo.building.verification import Verifiable
from rdo.common.errors import InputError, UnknownNameError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.asked_names import index_name
from rdo.upstream.source_cache import SourceCache


def everything(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    builder: Builder,
    store: Store,
    installation: Installation,
    progress: Progress,
) -> Verifiable:
    """Return every package of a release's build graph."""
    prepared = prepare(distribution, release, platform, release.shipped, installation, progress)
    return Verifiable.of(build_graph(prepared.requests), builder, store)


def of_names(
    names: Sequence[str],
    last_run: Sequence[str],
    distribution: Distribution,
    release: Release,
    platform: Platform,
    builder: Builder,
    store: Store,
    installation: Installation,
    progress: Progress,
) -> Verifiable:
    """Return the packages of some names, whichever run built them.

    They are looked for as a run for just these names builds them, then as the last run did, and then as one
    of everything does, if the sources of all projects are here: where packages need each other, what else a
    run was asked for has a part in their builds.

    :param names: as users write them
    :param last_run: what the last run was asked for
    :raises InputError: names that nothing bears, that the platform provides, or that were not built from
        today's inputs; all of these together
    """

    def graph_of(asked: Sequence[str]) -> tuple[Prepared, Verifiable]:
        prepared = prepare(distribution, release, platform, asked, installation, progress)
        return prepared, Verifiable.of(build_graph(prepared.requests), builder, store)

    dists = _dists(names, release, platform)
    prepared, found = graph_of(dists)
    packages = _packages(dists, prepared, platform)
    for asked in (last_run, release.shipped if _is_here(release, platform, installation.paths) else ()):
        if asked and not found.known.keys() >= set(packages):
            _, others = graph_of(asked)
            found = Verifiable({**others.known, **found.known}, ())
    return found.only(packages)


def _is_here(release: Release, platform: Platform, paths: Paths) -> bool:
    """Return True if the source of every shipped project is in the cache, so that none has to be fetched."""
    cache = SourceCache(paths.sources)
    for name in release.shipped:
        project = release.projects[name]
        pin = release.pin(project.dist, platform.environment)
        lock = release.sources.get((project.dist, pin.version if pin is not None else project.version or ""))
        if lock is None or cache.find(lock.filename, lock.sha256) is None:
            return False
    return True


def _dists(names: Sequence[str], release: Release, platform: Platform) -> list[str]:
    found: dict[str, None] = {}
    problems: list[UnknownNameError] = []
    for name in names:
        try:
            found[index_name(name, release, platform)] = None
        except UnknownNameError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InputError("\n".join(error.diagnostics() for error in problems))
    return list(found)


def _packages(dists: Sequence[str], prepared: Prepared, platform: Platform) -> list[str]:
    nodes = prepared.resolution.nodes
    provided = [dist for dist in dists if nodes[dist].origin == "platform"]
    if provided:
        raise InputError(
            f"{platform.name} provides {', '.join(provided)} itself.",
            hint="Packages that the platform provides are not ours.",
        )
    return [nodes[dist].package for dist in dists]
