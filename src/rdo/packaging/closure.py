"""Resolution on real sources: fetches what a wave of the closure needs, reads it, and goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packaging.version import InvalidVersion, Version

from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.description import PackageDescription
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release, SourceLock
from rdo.packaging.resolution import resolve
from rdo.packaging.resolution_model import Resolution
from rdo.upstream.index import Index
from rdo.upstream.metadata import HookRunner, MetadataError
from rdo.upstream.metadata_cache import MetadataCache
from rdo.upstream.models import Metadata
from rdo.upstream.sources import SourceCache, fetch_all


class UnreadableSourcesError(RdoError):
    """Sources whose metadata can't be read; all of a wave, and why."""

    def __init__(self, failures: Mapping[str, RdoError]) -> None:
        self.failures = dict(failures)
        lines = "\n".join(
            f"  {name}: " + error.diagnostics().replace("\n", "\n    ") for name, error in failures.items()
        )
        super().__init__(f"Metadata can't be read of {len(failures)}:\n{lines}")


class MetadataReader:
    """Reads locked sources' metadata: from the cache, else from the sdist, fetched where it isn't here.

    :param hooks: runs build backends in a sealed root, where there is one
    """

    def __init__(
        self,
        installation: Installation,
        progress: Progress | None = None,
        *,
        index: Index | None = None,
        hooks: HookRunner | None = None,
    ) -> None:
        self._installation = installation
        self._sources = SourceCache(installation.paths.sources)
        self._cache = MetadataCache(installation.paths.metadata)
        self._progress = progress or SilentProgress()
        self._index = index
        self._hooks = hooks

    def __call__(self, locks: Sequence[SourceLock]) -> dict[str, Metadata]:
        """Return the metadata of many by canonical index name.

        :raises FetchError: sources can't be fetched
        :raises UnreadableSourcesError: sources are damaged or don't state their metadata
        """
        exact = self._hooks is not None
        known = {lock.dist: self._cache.find(lock.sha256, exact=exact) for lock in locks}
        found = {dist: metadata for dist, metadata in known.items() if metadata is not None}
        missing = [
            lock for lock in locks if lock.dist not in found or not _is_the_locked(found[lock.dist], lock)
        ]
        if not missing:
            return found
        if self._index is None:
            self._index = self._installation.part(Index.open)
        sources = fetch_all(missing, self._index, self._sources, self._progress)
        failures: dict[str, RdoError] = {}
        with self._progress.task(f"Reading the metadata of {len(missing)} sources") as task:
            for lock in missing:
                try:
                    metadata = self._cache.read(sources[lock.dist, lock.version], self._hooks)
                    _require_the_locked(metadata, lock)
                    found[lock.dist] = metadata
                except RdoError as error:
                    failures[f"{lock.dist} {lock.version}"] = error
                task.advance()
        if failures:
            raise UnreadableSourcesError(failures)
        return found


def _is_the_locked(metadata: Metadata, lock: SourceLock) -> bool:
    """Tell whether a source is of the name and version that it is locked as."""
    try:
        return metadata.dist == lock.dist and Version(metadata.version) == Version(lock.version)
    except InvalidVersion:
        return False


def _require_the_locked(metadata: Metadata, lock: SourceLock) -> None:
    """Do nothing where a source is what it is locked as.

    :raises MetadataError: it says that it is something else
    """
    if not _is_the_locked(metadata, lock):
        raise MetadataError(
            f"{lock.filename} says that it is {metadata.name} {metadata.version}.",
            hint="Its line in the release's lock is wrong, or upstream made the sdist wrong.",
        )


def descriptions_by_dist(distribution: Distribution, release: Release) -> dict[str, PackageDescription]:
    """Return the packages' descriptions by canonical index name, as :func:`resolve` wants them."""
    return {
        release.projects[name].dist if name in release.projects else name: description
        for name, description in distribution.packages().items()
    }


def resolve_closure(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    asked: Sequence[str],
    installation: Installation,
    progress: Progress | None = None,
    *,
    hooks: HookRunner | None = None,
) -> Resolution:
    """Resolve what is asked for, fetching the sources that it takes.

    :raises RdoError: as :func:`rdo.packaging.resolution.resolve` and :class:`MetadataReader`
    """
    reader = MetadataReader(installation, progress, hooks=hooks)
    descriptions = descriptions_by_dist(distribution, release)
    return resolve(release, platform, asked, reader, descriptions=descriptions)
