"""What upstream has released for a series since a release's data were written.

The new state is what an import of the same input makes (:mod:`rdo.distribution.importing`), so the stable
policy is the importer's: what the series' constraints pin (clients, libraries, third parties) stays on that
pin, and what only the deliverables name (services) moves to the series' newest final release. Components,
platforms and what upstream leaves open stay as they are.

Releases of services that are on the index before the deliverables name them can be taken as well, by the rule
of :mod:`rdo.distribution.newest`. What was taken from the index alone, here or by an import, stays until
upstream's data have caught up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from rdo.distribution.importing import import_release
from rdo.distribution.listing import Listed, Listing
from rdo.distribution.lockfile import Refreshed, refresh, wanted
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
    release: Release,
    *,
    deliverables: Path,
    constraints: Path,
    pythons: Sequence[str],
    listing: Listing,
    index: bool = False,
) -> Release:
    """Return a release as upstream's data make it now.

    :param deliverables: folder of the codename's files, or a checkout of openstack/releases: with one, phase
        and signing keys are renewed as well
    :param constraints: upper-constraints, or a checkout of openstack/requirements
    :param listing: asked for names that are new only, unless ``index`` is set
    :param index: take services' releases that are on the index alone
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
        listing=_ServicesAlone(listing, release) if index else listing,
        components={name: p.component for name, p in release.projects.items() if p.component},
        previous=release,
        newest_on_index=index,
    ).release
    return _with_early(made, release)


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


class _ServicesAlone:
    """An index without the projects that are no services: those stay on what the constraints pin."""

    def __init__(self, listing: Listing, release: Release) -> None:
        self._listing = listing
        self._hidden = {p.dist for p in release.projects.values() if p.type != "service"}

    def files(self, dist: str) -> Sequence[Listed]:
        """Return the files of a canonical index name; none of a project that is no service."""
        return () if dist in self._hidden else self._listing.files(dist)


def _status_of(release: Release) -> Status:
    return Status(
        series=release.series,
        codename=release.codename,
        phase=release.phase,
        # Of a name that no deliverable has, nothing on the index is the series' then.
        opened=release.released,
        released=release.released,
        slurp=release.slurp,
        signing_keys=release.signing_keys,
    )


def _with_early(made: Release, before: Release) -> Release:
    """Keep the versions that were taken from the index alone, where upstream's data are still behind them."""
    projects, pins = dict(made.projects), dict(made.pins)
    for project in before.projects.values():
        if project.commit is not None or before.pins[project.dist][0].origin != "deliverable":
            continue
        now = projects.get(project.name)
        if now is None or Version(now.version) < Version(project.version):
            projects[project.name] = project
            pins[project.dist] = before.pins[project.dist]
    return made.model_copy(
        update={"projects": dict(sorted(projects.items())), "pins": dict(sorted(pins.items()))}
    )


def _reason(old: Sequence[Pin], new: Sequence[Pin], project: Project | None, series: str) -> str:
    if not new:
        return f"no longer among what {series} is made of"
    if new[0].origin == "constraints":
        return f"the constraints of {series} pin it"
    if project is not None and project.commit is None and project.type == "service":
        return "on the index; the deliverables don't name it yet"
    if new[0].origin == "deliverable":
        return f"newest release of {series}" if old else f"new in {series}"
    return "upstream leaves it open; the index's choice"


def _newest(pins: Sequence[Pin]) -> Version:
    return max(Version(pin.version) for pin in pins)
