"""Fetching sdists from the index: by the hash in the lock, several at a time, resumable."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from rdo.common.errors import RdoError
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.models import SourceLock
from rdo.upstream.index import Index
from rdo.upstream.models import Source
from rdo.upstream.source_cache import HashMismatchError, SourceCache

__all__ = ["FetchError", "HashMismatchError", "SourceCache", "fetch_all", "fetch_sdist"]


class FetchError(RdoError):
    """Sources could not be fetched; all that failed, and why. The others are in the cache."""

    def __init__(self, failures: dict[str, RdoError]) -> None:
        self.failures = failures
        count = len(failures)
        lines = "\n".join(f"  {name}: {_indented(error)}" for name, error in sorted(failures.items()))
        super().__init__(
            f"{count} source{'s' if count != 1 else ''} could not be fetched:\n{lines}",
            hint="What was fetched is kept; run it again to carry on.",
        )


def fetch_sdist(lock: SourceLock, index: Index, cache: SourceCache) -> Source:
    """Return the sdist of a pinned version from the cache, fetching it first where it isn't there.

    :raises HashMismatchError: the index gives another content than the lock says
    :raises RdoError: the index can't be reached, or no longer has it
    """
    found = cache.find(lock.filename, lock.sha256)
    if found is not None:
        return found
    offered = index.file(lock.dist, lock.filename)
    return cache.add(lock.filename, lock.sha256, lambda target: index.download(offered.url, target))


def fetch_all(
    locks: Iterable[SourceLock],
    index: Index,
    cache: SourceCache,
    progress: Progress | None = None,
    *,
    jobs: int = 8,
) -> dict[tuple[str, str], Source]:
    """Fetch many sdists, ``jobs`` at a time; return them by (name, version).

    Those in the cache cost nothing, so an interrupted run carries on where it was.

    :raises FetchError: some failed, after all others were fetched
    """
    wanted = {(lock.dist, lock.version): lock for lock in locks}
    sources: dict[tuple[str, str], Source] = {}
    for key, lock in wanted.items():
        found = cache.find(lock.filename, lock.sha256)
        if found is not None:
            sources[key] = found
    missing = {key: lock for key, lock in wanted.items() if key not in sources}
    if not missing:
        return sources
    failures: dict[str, RdoError] = {}
    with (
        (progress or SilentProgress()).task("Fetching sources", len(missing)) as task,
        ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="fetch") as pool,
    ):
        futures: dict[Future[Source], tuple[str, str]] = {
            pool.submit(fetch_sdist, lock, index, cache): key for key, lock in missing.items()
        }
        try:
            for future in as_completed(futures):
                key = futures[future]
                try:
                    sources[key] = future.result()
                except RdoError as error:
                    failures[f"{key[0]} {key[1]}"] = error
                except OSError as error:
                    failures[f"{key[0]} {key[1]}"] = RdoError(f"can't be written: {error}")
                task.describe(missing[key].filename)
                task.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failures:
        raise FetchError(failures)
    return sources


def _indented(error: RdoError) -> str:
    return error.diagnostics().replace("\n", "\n    ")
