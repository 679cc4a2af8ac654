"""Taking projects out of a repository: only by name, and seen before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdo.building.store import Store
from rdo.common.errors import InputError, UnknownNameError
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.closure import resolve_closure
from rdo.repository.contents import less, packages_of, repeated
from rdo.repository.keys import Key
from rdo.repository.manifest import requested_names
from rdo.repository.publication import publish_artifacts
from rdo.repository.publish import Published
from rdo.repository.snapshots import folder_of, published_snapshot
from rdo.repository.wanted import canonical, unshipped_names


@dataclass(frozen=True)
class Removal:
    """What goes from a repository, and what remains; each list sorted.

    ``names`` go, ``remaining`` are asked for still, ``sources`` are the source packages that remain.
    ``packages`` are the file names of all RPMs that go, ``needed`` those of ``names`` whose source package
    remains, since others need it. ``seen`` is what the repository was asked for when this was worked out.
    """

    names: tuple[str, ...]
    remaining: tuple[str, ...]
    sources: tuple[str, ...]
    packages: tuple[str, ...]
    needed: tuple[str, ...]
    seen: tuple[str, ...]


def plan_removal(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    names: Sequence[str],
    installation: Installation,
    progress: Progress,
) -> Removal:
    """Work out what goes from a repository with some of the names that it was asked for; nothing is changed.

    A source package goes when nothing that remains needs it, at the versions and descriptions of today.

    :param names: as users write them
    :raises UnknownNameError: the repository was not asked for a name
    :raises InputError: nothing is published, or nothing would remain
    """
    repository = folder_of(installation.paths, platform.name, release.series)
    snapshot = published_snapshot(repository)
    if snapshot is None:
        raise InputError(f"Nothing is published for {release.series} on {platform.name}.")
    seen = requested_names(repository)
    asked = set(canonical(seen, release, platform))
    going = set(canonical(names, release, platform))
    _require_asked(sorted(going - asked), asked, repository.name)
    remaining = asked - going
    wanted = sorted(remaining - unshipped_names(release))
    if not wanted:
        raise InputError(
            f"Nothing would remain in {repository.name}.",
            hint="Publish something else: rdo build --only NAME",
        )
    resolution = resolve_closure(distribution, release, platform, wanted, installation, progress)
    remain = {node.package for node in resolution.built}
    found = packages_of(snapshot, installation.paths)
    packages = sorted(file for source, files in found.items() if source not in remain for file in files)
    kept = {name for name in going if name in resolution.nodes and resolution.nodes[name].package in found}
    return Removal(
        names=tuple(sorted(going)),
        remaining=tuple(sorted(remaining)),
        sources=tuple(sorted(found.keys() & remain)),
        packages=tuple(packages),
        needed=tuple(sorted(kept)),
        seen=seen,
    )


def remove(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    names: Sequence[str],
    installation: Installation,
    store: Store,
    key: Key,
    progress: Progress,
) -> tuple[Removal, Published]:
    """Publish a repository without some of the names that it was asked for, and return what went.

    Nothing is built: what remains is what was published before.

    :raises UnknownNameError: the repository was not asked for a name
    :raises InputError: nothing is published, or nothing would remain
    :raises UncleanError: what remains isn't closed; nothing was changed
    """

    def attempt() -> tuple[Removal, Published]:
        removal = plan_removal(distribution, release, platform, names, installation, progress)
        choose = less(
            removal.remaining, removal.sources, removal.seen, installation.clock(), key, installation.paths
        )
        published = publish_artifacts(
            (),
            choose,
            release=release,
            platform=platform,
            store=store,
            key=key,
            installation=installation,
            progress=progress,
        )
        return removal, published

    return repeated(attempt)


def _require_asked(strangers: Sequence[str], asked: set[str], repository: str) -> None:
    if len(strangers) == 1:
        raise UnknownNameError(f"project that {repository} was asked for", strangers[0], asked)
    if strangers:
        raise InputError(
            f"{repository} was not asked for {', '.join(strangers)}.",
            hint="What it was asked for: rdo repo show",
        )
