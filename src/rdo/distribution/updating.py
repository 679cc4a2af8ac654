"""What upstream has released for a series since a release's data were written.

The new state is what an import of the same input makes (:mod:`rdo.distribution.importing`), so the stable
policy is the importer's: what the series' constraints pin (clients, libraries, third parties) stays on that
pin, and what only the deliverables name (services) moves to the series' newest final release. Components,
platforms and what upstream leaves open stay as they are.

A point release that is on the index before the deliverables name it can be taken as well. It is one where it
keeps the first number of the service's version; where another series has that number too (swift), the second
as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packaging.version import Version

from rdo.distribution.importing import import_release, usable
from rdo.distribution.listing import Listed, Listing
from rdo.distribution.lockfile import Refreshed, looked_up, refresh, wanted
from rdo.distribution.models import Pin, Project, Release
from rdo.distribution.releasefile import pin_text
from rdo.distribution.series_status import Status, read_status


@dataclass(frozen=True)
class Update:
    """One name whose version upstream has changed; ``old`` or ``new`` is None where it comes or goes.

    ``kind`` is the project's type, ``third-party`` for what is no project of OpenStack; ``lower`` says that
    hosts which have the old version will not take the new one by themselves.
    """

    project: str
    dist: str
    old: str | None
    new: str | None
    kind: str
    reason: str
    lower: bool = False


def updated_release(
    release: Release, *, deliverables: Path, constraints: Path, pythons: Sequence[str], listing: Listing
) -> Release:
    """Return a release as upstream's data make it now; asks the listing only for names that are new.

    :param deliverables: folder of the codename's files, or a checkout of openstack/releases: with one, phase
        and signing keys are renewed as well
    :param constraints: upper-constraints, or a checkout of openstack/requirements
    :raises DataError: all mistakes in upstream's files
    """
    stated = deliverables / "data" / "series_status.yaml"
    status = read_status(stated, release.series) if stated.is_file() else _status_of(release)
    made = import_release(
        status,
        deliverables=deliverables,
        constraints=constraints,
        platforms=release.platforms,
        pythons=pythons,
        listing=listing,
        components={name: p.component for name, p in release.projects.items() if p.component},
        previous=release,
    ).release
    early = [
        before
        for name, before in release.projects.items()
        if before.commit is None and name in made.projects and _is_newer(before, made.projects[name])
    ]
    return _with_versions(made, {project.name: project.version for project in early})


def with_point_releases(
    release: Release, others: Iterable[Release], listing: Listing, *, pythons: Sequence[str]
) -> Release:
    """Return a release with the newest point releases of its services that are on the index.

    :param others: the other series that there is data of; they tell which numbers a series has for itself
    """
    others = list(others)
    services = {
        project.dist: project
        for project in release.projects.values()
        if project.type == "service" and release.pins[project.dist][0].origin == "deliverable"
    }
    found = {}
    for dist, files in looked_up(services, listing, 8):
        project = services[dist]
        newer = [file.version for file in files if _is_point_release(file, project, others, pythons)]
        if newer:
            found[project.name] = str(max(newer))
    return _with_versions(release, found)


def updates_between(before: Release, after: Release) -> list[Update]:
    """Return what has changed, services first, then other projects, then third parties, each by name."""
    found = []
    for dist in sorted({*before.pins, *after.pins}):
        old, new = before.pins.get(dist, ()), after.pins.get(dist, ())
        project = after.project_of(dist) or before.project_of(dist)
        texts = [" | ".join(pin_text(pin) for pin in pins) or None for pins in (old, new)]
        if texts[0] == texts[1]:
            continue
        found.append(
            Update(
                project=dist if project is None else project.name,
                dist=dist,
                old=texts[0],
                new=texts[1],
                kind="third-party" if project is None else project.type,
                reason=_reason(old, new, project, after.series),
                lower=bool(old and new) and _newest(new) < _newest(old),
            )
        )
    order = {"service": 0, "third-party": 2}
    return sorted(found, key=lambda update: (order.get(update.kind, 1), update.kind, update.project))


def lock_updates(
    before: Release, after: Release, updates: Iterable[Update], listing: Listing
) -> tuple[Release, Refreshed]:
    """Lock what has changed; return the release and its lock.

    What the index has no sdist of keeps the version that is locked: a pin without a source can't be built.

    :raises ChangedSourceError: the index has another file than a line of the lock
    """
    dists = [update.dist for update in updates if update.new is not None]
    refreshed = refresh(wanted(after, dists), before.sources, listing)
    held = {dist for dist, _ in refreshed.missing} & before.pins.keys()
    held = {d for d in held if all((d, pin.version) in before.sources for pin in before.pins[d])}
    pins = {**after.pins, **{dist: before.pins[dist] for dist in held}}
    projects = {
        name: before.projects.get(name, project) if project.dist in held else project
        for name, project in after.projects.items()
    }
    changed = {"pins": pins, "projects": projects, "sources": refreshed.sources}
    return after.model_copy(update=changed), refreshed


def _status_of(release: Release) -> Status:
    return Status(
        series=release.series,
        codename=release.codename,
        phase=release.phase,
        opened=date.min,  # read for a newest-on-index import only
        released=release.released,
        slurp=release.slurp,
        signing_keys=release.signing_keys,
    )


def _with_versions(release: Release, versions: Mapping[str, str]) -> Release:
    """Return a release with versions that no deliverable has, so that their commits are not known."""
    projects, pins = dict(release.projects), dict(release.pins)
    for name, version in versions.items():
        projects[name] = projects[name].model_copy(update={"version": version, "commit": None})
        if pins[projects[name].dist][0].origin == "deliverable":
            pins[projects[name].dist] = (Pin(version=version, origin="deliverable"),)
    return release.model_copy(update={"projects": projects, "pins": pins})


def _is_newer(before: Project, now: Project) -> bool:
    return before.type == "service" and Version(before.version) > Version(now.version)


def _is_point_release(
    file: Listed, project: Project, others: Sequence[Release], pythons: Sequence[str]
) -> bool:
    current = Version(project.version)
    if file.version <= current or not usable(file, "", pythons):
        return False
    elsewhere = [other.projects[project.name] for other in others if project.name in other.projects]
    shared = any(Version(other.version).major == current.major for other in elsewhere)
    numbers = 2 if shared else 1
    return file.version.release[:numbers] == current.release[:numbers]


def _reason(old: Sequence[Pin], new: Sequence[Pin], project: Project | None, series: str) -> str:
    if not new:
        return f"no longer among what {series} is made of"
    if new[0].origin == "constraints":
        return f"the constraints of {series} pin it"
    if project is not None and project.commit is None and project.type == "service":
        return "point release on the index, not among the deliverables yet"
    if new[0].origin == "deliverable":
        return f"newest release of {series}" if old else f"new in {series}"
    return "upstream leaves it open; the index's choice"


def _newest(pins: Sequence[Pin]) -> Version:
    return max(Version(pin.version) for pin in pins)
