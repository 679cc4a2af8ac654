"""What a repository shall have: what it was asked for before, and what is asked for now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from rdo.common.errors import InputError, UnknownNameError
from rdo.distribution.models import Platform, Release
from rdo.packaging.asked_names import index_name
from rdo.repository.manifest import requested_names


@dataclass(frozen=True)
class Wanted:
    """Names for a repository, each list sorted.

    ``seen`` are those that it was asked for when this was worked out, as it has them; ``requested`` all that
    it is asked for from now on, as canonical index names; ``built`` those of them to be built. ``unshipped``
    are not: the release does not ship them any more, and they stay asked for, in case that it does again.
    ``dropped`` are asked for no longer.
    """

    seen: tuple[str, ...]
    requested: tuple[str, ...]
    built: tuple[str, ...]
    unshipped: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def wanted(
    repository: Path,
    asked: Sequence[str],
    release: Release,
    platform: Platform,
    *,
    only: bool = False,
) -> Wanted:
    """Return what a repository shall have.

    :param asked: names as users write them, asked for now
    :param only: nothing of what it was asked for before
    :raises UnknownNameError: nothing bears a name that is asked for now
    :raises InputError: the release has not got a name any more that was asked for before
    """
    seen = requested_names(repository)
    now = {index_name(name, release, platform) for name in asked}
    before = set(canonical(seen, release, platform)) - now
    if only:
        return Wanted(seen, _sorted(now), _sorted(now), dropped=_sorted(before))
    gone = before & unshipped_names(release)
    _require_known(before - gone, release, platform, repository)
    return Wanted(seen, _sorted(now | before), _sorted((now | before) - gone), unshipped=_sorted(gone))


def canonical(names: Iterable[str], release: Release, platform: Platform) -> tuple[str, ...]:
    """Return names as canonical index names, sorted; one that nothing bears stays as it is."""
    return _sorted({_index_name(name, release, platform) or name for name in names})


def shipped_names(repository: Path, release: Release, platform: Platform) -> tuple[str, ...]:
    """Return what a repository was asked for, as far as the release ships it, as canonical index names."""
    unshipped = unshipped_names(release)
    names = canonical(requested_names(repository), release, platform)
    return tuple(name for name in names if name not in unshipped)


def _index_name(name: str, release: Release, platform: Platform) -> str | None:
    try:
        return index_name(name, release, platform)
    except UnknownNameError:
        return None


def unshipped_names(release: Release) -> set[str]:
    """Return the canonical index names of what a release does not ship, though it may know it."""
    projects = release.projects
    return {
        projects[name].dist if name in projects else canonicalize_name(name) for name in release.not_shipped
    }


def _require_known(names: Iterable[str], release: Release, platform: Platform, repository: Path) -> None:
    unknown = sorted(name for name in names if _index_name(name, release, platform) is None)
    if unknown:
        raise InputError(
            f"The repository {repository.name} is asked for {', '.join(unknown)}, which {release.series} "
            "has not got any more.",
            hint=f"Take it out of the repository with: rdo repo remove {' '.join(unknown)}",
        )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
