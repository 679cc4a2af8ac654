"""A release held against another distribution's list: what is shipped, as which package, and if not, why."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import Field

from rdo.distribution.models import Project, Release
from rdo.distribution.project_list import ListedProject
from rdo.packaging.naming import source_package
from rdo.packaging.resolution_model import Model

# What no project of these kinds can be, whatever its name.
_KINDS = {"puppet": "A Puppet module, no Python package."}


class Compared(Model):
    """What became of one entry of the list. ``unexplained`` wants a line in ``coverage.yaml``."""

    listed: str = Field(description="the entry's own name of the project")
    listed_package: str | None
    status: Literal["shipped", "not shipped", "unexplained"]
    project: str | None = Field(default=None, description="its name in the release")
    package: str | None = Field(default=None, description="source package, where it is shipped")
    version: str | None = None
    reason: str | None = Field(default=None, description="why it is not shipped")

    @property
    def renamed(self) -> bool:
        """Whether the source package has another name than the list says."""
        return self.package is not None and self.listed_package not in (None, self.package)


def compare(release: Release, listed: Iterable[ListedProject], others: Collection[Release]) -> list[Compared]:
    """Find each entry in the release, in the list's order.

    :param others: the other releases: a project that one of them has was a project of OpenStack
    """
    return [_compared(entry, release, others) for entry in listed]


def _compared(entry: ListedProject, release: Release, others: Collection[Release]) -> Compared:
    project = _find(entry, release)
    reason = _reason(entry, release, others, project)
    if project is None or reason is not None:
        return Compared(
            listed=entry.project,
            listed_package=entry.source_package,
            status="unexplained" if reason is None else "not shipped",
            project=None if project is None else project.name,
            reason=reason,
        )
    return Compared(
        listed=entry.project,
        listed_package=entry.source_package,
        status="shipped",
        project=project.name,
        package=source_package(project.dist, project),
        version=release.shipped_version(project),
    )


def _find(entry: ListedProject, release: Release) -> Project | None:
    return next((release.projects[name] for name in entry.names if name in release.projects), None)


def _reason(
    entry: ListedProject, release: Release, others: Collection[Release], project: Project | None
) -> str | None:
    """Return why an entry is not shipped; None where it is, or where nobody says."""
    for name in filter(None, (project.name if project else None, *entry.names)):
        if name in release.not_shipped:
            return release.not_shipped[name]
    if project is not None:
        return None
    if entry.kind in _KINDS:
        return _KINDS[entry.kind]
    elsewhere = [other.series for other in others if _find(entry, other) is not None]
    if elsewhere:
        return f"Upstream has no release of it in {release.series}, as it has in {', '.join(elsewhere)}."
    return None
