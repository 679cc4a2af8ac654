"""Gathers what a spec is made of, for a node of a resolution."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rdo.common.errors import DataError, RdoError
from rdo.common.installation import Installation
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release, SourceLock
from rdo.packaging.inspection import cached_inspection
from rdo.packaging.resolution_model import Node, Resolution
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec, SpecInputs
from rdo.upstream.index import Index
from rdo.upstream.models import Metadata, Source
from rdo.upstream.source_cache import SourceCache
from rdo.upstream.sources import fetch_all


def inputs_for(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    node: Node,
    metadata: Metadata,
    source: Source,
    cache: Path,
    lock: SourceLock | None = None,
) -> SpecInputs:
    """Return the inputs of a node's spec; give them to :func:`rdo.packaging.spec.generate`.

    :param cache: folder where inspections of sdists are kept (``Paths.metadata``)
    :param lock: the release's lock of the source, where it isn't the release's data that has it
    :raises RdoError: the release doesn't lock the source, so that nobody knows when it was made
    """
    lock = lock or release.sources.get((node.dist, node.version))
    if lock is None:
        raise _no_lock(release, node)
    project = release.project_of(node.dist)
    key = project.name if project is not None else node.dist
    description = distribution.package(key)
    return SpecInputs(
        release=release,
        platform=platform,
        node=node,
        metadata=metadata,
        inspection=cached_inspection(cache, source, metadata),
        lock=lock,
        project=project,
        description=description,
        folder=None if description is None else distribution.path / "packages" / key,
        source=source.path,
        licences=distribution.licences(),
    )


class GenerationError(RdoError):
    """Specs that can't be generated; all of them, and why."""

    def __init__(self, failures: Mapping[str, RdoError]) -> None:
        self.failures = dict(failures)
        lines = "\n".join(
            f"  {dist}: " + error.diagnostics().replace("\n", "\n    ") for dist, error in failures.items()
        )
        super().__init__(f"{len(failures)} of the specs can't be generated:\n{lines}")


def generate_specs(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    resolution: Resolution,
    installation: Installation,
    progress: Progress | None = None,
    *,
    only: Collection[str] | None = None,
    index: Index | None = None,
) -> dict[str, GeneratedSpec]:
    """Generate the specs of what a resolution builds, fetching sources that aren't here yet.

    :param only: canonical index names; all that are built by default
    :returns: by canonical index name
    :raises FetchError: sources can't be fetched
    :raises GenerationError: specs can't be generated; the others' failures are found as well
    """
    report = progress or SilentProgress()
    nodes = [node for node in resolution.built if only is None or node.dist in only]
    sources = _sources(release, nodes, installation, report, index)
    specs: dict[str, GeneratedSpec] = {}
    failures: dict[str, RdoError] = {}
    with report.task("Generating specs", len(nodes)) as task:
        for node in nodes:
            metadata = resolution.metadata[node.dist]
            try:
                inputs = inputs_for(
                    distribution,
                    release,
                    platform,
                    node,
                    metadata,
                    sources[node.dist],
                    installation.paths.metadata,
                )
                specs[node.dist] = generate(inputs)
            except DataError:
                raise
            except RdoError as error:
                failures[node.dist] = error
            task.advance()
    if failures:
        raise GenerationError(failures)
    return specs


def _sources(
    release: Release,
    nodes: Sequence[Node],
    installation: Installation,
    progress: Progress,
    index: Index | None,
) -> dict[str, Source]:
    """Return the sources of nodes by canonical index name; what is in the cache takes no index."""
    cache = SourceCache(installation.paths.sources)
    found: dict[str, Source] = {}
    missing: list[SourceLock] = []
    for node in nodes:
        lock = release.sources.get((node.dist, node.version))
        if lock is None:
            raise _no_lock(release, node)
        source = cache.find(lock.filename, lock.sha256)
        if source is None:
            missing.append(lock)
        else:
            found[node.dist] = source
    if missing:
        fetched = fetch_all(missing, index or installation.part(Index.open), cache, progress)
        found |= {lock.dist: fetched[lock.dist, lock.version] for lock in missing}
    return found


def _no_lock(release: Release, node: Node) -> RdoError:
    return RdoError(
        f"The release {release.series} locks no source of {node.dist} {node.version}.",
        hint=f"Add it: rdo release lock {release.series} {node.dist}",
    )
