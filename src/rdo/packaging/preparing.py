"""Gathers what a spec is made of, for a node of a resolution."""

from __future__ import annotations

from pathlib import Path

from rdo.common.errors import RdoError
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release, SourceLock
from rdo.packaging.inspection import cached_inspection
from rdo.packaging.resolution_model import Node
from rdo.packaging.spec_model import SpecInputs
from rdo.upstream.models import Metadata, Source


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
        raise RdoError(
            f"The release {release.series} locks no source of {node.dist} {node.version}.",
            hint="Import the release again: rdo release import",
        )
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
    )
