"""The hash lock of a release, ``releases/<series>.lock``: what each fetched sdist must be.

One line an sdist, sorted by name and version::

    sha256 size uploaded filename dist version

It holds no address: where an sdist is fetched from is the index's matter, what it must be is ours. A line
that is there is never overwritten by another hash: an index that serves another file under a known name and
version is to be looked at by a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from rdo.common.errors import DataError, Problem, RdoError
from rdo.common.files import write_atomically
from rdo.distribution.listing import Listed, Listing
from rdo.distribution.models import Release, SourceLock
from rdo.distribution.names import check_dist, check_filename, check_sha256, check_version, is_filename

Sources = dict[tuple[str, str], SourceLock]

_HEADER = "# sha256 size uploaded filename dist version; written by `rdo release lock`"


class ChangedSourceError(RdoError):
    """The index serves another sdist for a locked name and version."""

    def __init__(self, changed: Iterable[tuple[SourceLock, SourceLock]]) -> None:
        lines = [
            f"  {old.dist} {old.version}: locked {old.filename} {old.sha256},"
            f" index has {new.filename} {new.sha256}"
            for old, new in changed
        ]
        super().__init__(
            "The index serves other files than the locked ones:\n" + "\n".join(lines),
            hint="Find out why before anything else. To accept a file, remove its line from the lock.",
        )


def parse_lock(text: str, path: Path) -> Sources:
    """Read the text of a lock.

    :raises DataError: all mistakes in it
    """
    sources: Sources = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            source = _parse_line(line)
        except ValueError as error:
            problems.append(Problem(path, number, str(error)))
            continue
        key = (source.dist, source.version)
        if key in sources:
            problems.append(Problem(path, number, f"{source.dist} {source.version} is locked a second time"))
        sources[key] = source
    if problems:
        raise DataError(problems)
    return sources


def _parse_line(line: str) -> SourceLock:
    fields = line.split()
    if len(fields) != 6:
        raise ValueError(f"{len(fields)} fields where 6 are expected")
    sha256, size, uploaded, filename, dist, version = fields
    check_sha256(sha256)
    check_dist(dist)
    check_version(version)
    if not size.isascii() or not size.isdigit():
        raise ValueError(f"{size!r} is no size in bytes")
    check_filename(filename)
    return SourceLock(
        dist=dist, version=version, filename=filename, sha256=sha256, size=int(size), uploaded=uploaded
    )


def load_lock(path: Path) -> Sources:
    """Read a lock file; a file that is not there locks nothing.

    :raises DataError: all mistakes in it
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return parse_lock(text, path)


def render_lock(sources: Mapping[tuple[str, str], SourceLock]) -> str:
    """Write a lock as the text of its file."""
    ordered = sorted(sources.values(), key=lambda source: (source.dist, Version(source.version)))
    lines = [f"{s.sha256} {s.size} {s.uploaded} {s.filename} {s.dist} {s.version}" for s in ordered]
    return "\n".join([_HEADER, *lines]) + "\n"


def save_lock(path: Path, sources: Mapping[tuple[str, str], SourceLock]) -> None:
    """Write a lock file whole."""
    write_atomically(path, render_lock(sources))


def wanted(release: Release, dists: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Return each (name, version) that a release pins, for all names or for ``dists``."""
    names = release.pins.keys() if dists is None else dists
    return sorted({(dist, pin.version) for dist in names for pin in release.pins.get(dist, ())})


@dataclass(frozen=True)
class Refreshed:
    """What a refresh found: the new lock, what was added, and what has no sdist on the index."""

    sources: Sources
    added: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]


def refresh(
    pins: Iterable[tuple[str, str]],
    known: Mapping[tuple[str, str], SourceLock],
    listing: Listing,
    *,
    again: bool = False,
    jobs: int = 8,
    each: Callable[[Sources], None] = lambda found: None,
) -> Refreshed:
    """Look up what is not locked yet.

    :param known: the lock as it is; its lines are kept, also those of names that are not asked for
    :param again: look up the locked ones too, to see whether the index still serves the same files
    :param each: called after each name with all that is locked so far, so that work can be resumed
    :raises ChangedSourceError: the index has another file than a line of the lock
    """
    versions: dict[str, list[str]] = {}
    for dist, version in pins:
        if again or (dist, version) not in known:
            versions.setdefault(dist, []).append(version)
    sources = dict(known)
    added: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    changed: list[tuple[SourceLock, SourceLock]] = []
    for dist, files in _looked_up(versions, listing, jobs):
        for version in versions[dist]:
            found = sdist_of(dist, version, files)
            old = known.get((dist, version))
            if found is None:
                missing.append((dist, version))
            elif old is None:
                sources[dist, version] = found
                added.append((dist, version))
            elif (old.sha256, old.filename) != (found.sha256, found.filename):
                changed.append((old, found))
        each(sources)
    if changed:
        raise ChangedSourceError(changed)
    return Refreshed(sources, tuple(sorted(added)), tuple(sorted(missing)))


def _looked_up(dists: Iterable[str], listing: Listing, jobs: int) -> Iterator[tuple[str, Sequence[Listed]]]:
    """Return each name's files, in order, with several requests under way at once."""
    names = list(dists)
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        yield from zip(names, pool.map(listing.files, names), strict=True)
    finally:
        # After a failure or Ctrl-C, what was not begun is not done.
        pool.shutdown(cancel_futures=True)


def sdist_of(dist: str, version: str, files: Iterable[Listed]) -> SourceLock | None:
    """Choose the sdist of a version among an index name's files; ``.tar.gz`` before other kinds.

    A yanked one counts: a pin names it exactly, and PEP 592 allows that.
    """
    exact = Version(version)
    candidates = [
        file
        for file in files
        if file.sdist
        and is_filename(file.filename)
        and file.version == exact
        and file.sha256
        and file.size is not None
        and file.uploaded
    ]
    candidates = [file for file in candidates if is_filename(file.filename)]
    candidates.sort(key=lambda file: (not file.filename.endswith(".tar.gz"), file.filename))
    if not candidates:
        return None
    best = candidates[0]
    assert best.sha256 is not None and best.size is not None and best.uploaded is not None
    return SourceLock(
        dist=dist,
        version=version,
        filename=best.filename,
        sha256=best.sha256,
        size=best.size,
        uploaded=best.uploaded.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
