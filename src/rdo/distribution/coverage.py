"""What is shipped beside the projects of a series, and what is not, with reasons: ``coverage.yaml``.

Every project of a release is shipped unless this file says why not. Projects that are no deliverables of a
series (OpenStack's independent ones and a few neighbours) are shipped where the release has a pin of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from packaging.utils import canonicalize_name
from pydantic import Field, StringConstraints

from rdo.common.errors import Problem
from rdo.distribution.models import Data, Pin, Project, ProjectType, Release
from rdo.distribution.names import DistName
from rdo.distribution.yamlfile import YamlFile, load_yaml, read_yaml

SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
ReasonText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


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

    names: dict[str, SourceName] = Field(
        default_factory=dict, description="project -> source package, where users know it under another name"
    )
    also: dict[str, Also] = Field(default_factory=dict, description="by project")
    not_shipped: dict[str, ReasonText] = Field(default_factory=dict, description="project -> why not")

    @property
    def dists(self) -> tuple[str, ...]:
        """The canonical index names of ``also``."""
        return tuple(self.dist_of(name) for name in self.also)

    def dist_of(self, name: str) -> str:
        """Return the canonical index name of a project of ``also``."""
        return self.also[name].dist or canonicalize_name(name)

    def completed(
        self, projects: Mapping[str, Project], pins: Mapping[str, tuple[Pin, ...]]
    ) -> dict[str, Project]:
        """Return a release's projects with those that it pins beside its series', under the names in use."""
        found = dict(projects)
        taken = {project.dist for project in projects.values()}
        for name, entry in self.also.items():
            dist = self.dist_of(name)
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


def contradictions(
    path: Path, coverage: Coverage, releases: Collection[Release], deliverables: Mapping[str, Collection[str]]
) -> list[Problem]:
    """Find what the file says against itself or against the releases, and what it says to no effect.

    A name in ``not_shipped`` that no release knows is none of that: it answers those who look for it.

    :param releases: all of them
    :param deliverables: series -> index names of its own projects, those of ``also`` left aside
    """
    if not path.is_file():
        return []
    file = read_yaml(path)
    found = [*_within(file, coverage)]
    if releases:
        found += _against(file, coverage, releases, deliverables)
    return found


def _within(file: YamlFile, coverage: Coverage) -> Iterator[Problem]:
    for name in coverage.not_shipped:
        for part in ("also", "names"):
            if name in getattr(coverage, part):
                line = file.line((part, name))
                message = f"{name} is not shipped, and named in {part!r} too (line {line})"
                yield file.problem(("not_shipped", name), message)
    for part, said in (
        ("also", {name: coverage.dist_of(name) for name in coverage.also}),
        ("names", coverage.names),
    ):
        first: dict[str, str] = {}
        for name, what in said.items():
            if what in first:
                yield file.problem((part, name), f"{what} is {first[what]} already")
            first.setdefault(what, name)


def _against(
    file: YamlFile,
    coverage: Coverage,
    releases: Collection[Release],
    deliverables: Mapping[str, Collection[str]],
) -> Iterator[Problem]:
    for name in coverage.also:
        dist = coverage.dist_of(name)
        if all(dist in own for own in deliverables.values()):
            yield file.problem(("also", name), f"every release has {dist} among its own projects")
        elif not any(dist in release.pins for release in releases):
            message = f"no release pins {dist}; `rdo release import` looks for it on the index"
            yield file.problem(("also", name), message)
    known = {name for release in releases for name in release.projects} | coverage.also.keys()
    for name in coverage.names:
        if name not in known:
            yield file.problem(("names", name), f"no release has a project named {name!r}")
