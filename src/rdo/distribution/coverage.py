"""What is shipped beside the projects of a series, and what is not, with reasons: ``coverage.yaml``.

Every project of a release is shipped unless this file says why not. Projects that are no deliverables of a
series (OpenStack's independent ones and a few neighbours) are shipped where the release has a pin of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name
from pydantic import Field

from rdo.distribution.models import Data, Pin, Project, ProjectType
from rdo.distribution.names import DistName
from rdo.distribution.yamlfile import load_yaml


class Also(Data):
    """A project that is no deliverable of a series."""

    dist: DistName | None = Field(default=None, description="the project's name by default")
    type: ProjectType
    component: str | None = None
    repository: str | None = Field(default=None, description="openstack/<project> by default")

    def project(self, name: str, version: str) -> Project:
        """Fill in what follows from the project's name."""
        return Project(
            name=name,
            dist=self.dist or canonicalize_name(name),
            type=self.type,
            repository=self.repository or f"openstack/{name}",
            version=version,
            component=self.component,
        )


class Coverage(Data):
    """What is shipped, as far as a release doesn't say it."""

    names: dict[str, str] = Field(
        default_factory=dict, description="project -> source package, where users know it under another name"
    )
    also: dict[str, Also] = Field(default_factory=dict, description="by project")
    not_shipped: dict[str, str] = Field(default_factory=dict, description="project -> why not")

    @property
    def dists(self) -> tuple[str, ...]:
        """The canonical index names of ``also``."""
        return tuple(entry.dist or canonicalize_name(name) for name, entry in self.also.items())

    def completed(
        self, projects: Mapping[str, Project], pins: Mapping[str, tuple[Pin, ...]]
    ) -> dict[str, Project]:
        """Return a release's projects with those that it pins beside its series', under the names in use."""
        found = dict(projects)
        taken = {project.dist for project in projects.values()}
        for name, entry in self.also.items():
            dist = entry.dist or canonicalize_name(name)
            if dist in pins and dist not in taken:
                found[name] = entry.project(name, pins[dist][-1].version)
        return {
            name: project.model_copy(update={"package": self.names.get(name)})
            for name, project in sorted(found.items())
        }


def load_coverage(path: Path) -> Coverage:
    """Read ``coverage.yaml``; one that is not there says nothing.

    :raises DataError: all mistakes in it
    """
    return load_yaml(path, Coverage) if path.is_file() else Coverage()
