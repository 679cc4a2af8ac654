"""The file of a release, ``releases/<series>.yaml``: how it is read and how it is written.

The file says everything once. A project's index name and repository are left out where they follow from its
name, and its version is the pin of its index name unless upstream's constraints have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, Field, field_validator

from rdo.distribution.models import Data, Pin, Project, ProjectType, Release, SourceLock
from rdo.distribution.names import CommitHash, DistName, VersionText, check_marker, check_version


class ProjectEntry(Data):
    """One project as the file has it; see :class:`rdo.distribution.models.Project`."""

    dist: DistName | None = None
    type: ProjectType
    repository: str | None = None
    version: VersionText
    commit: CommitHash | None = None
    component: str | None = None

    def project(self, name: str) -> Project:
        """Fill in what follows from the project's name."""
        return Project(
            name=name,
            dist=self.dist or canonicalize_name(name),
            type=self.type,
            repository=self.repository or f"openstack/{name}",
            version=self.version,
            commit=self.commit,
            component=self.component,
        )

    @classmethod
    def of(cls, project: Project) -> ProjectEntry:
        """Leave out what follows from the project's name."""
        return cls(
            dist=None if project.dist == canonicalize_name(project.name) else project.dist,
            type=project.type,
            repository=None if project.repository == f"openstack/{project.name}" else project.repository,
            version=project.version,
            commit=project.commit,
            component=project.component,
        )


def _check_pin(text: str) -> str:
    version, semicolon, marker = text.partition(";")
    check_version(version.strip())
    if semicolon:
        check_marker(marker.strip())
    return text


PinText = Annotated[str, AfterValidator(_check_pin)]


class ReleaseFile(Data):
    """A release as its file has it.

    A pin is ``version`` or ``version; marker``; a name with several pins has a list, and the first one whose
    marker holds counts.
    """

    series: str = Field(pattern=r"^\d{4}\.\d$")
    codename: str
    phase: str
    released: date
    slurp: bool = False
    signing_keys: tuple[str, ...] = ()
    platforms: tuple[str, ...] = Field(min_length=1)
    projects: dict[str, ProjectEntry]
    constraints: dict[DistName, tuple[PinText, ...]] = Field(default_factory=dict)
    index: dict[DistName, tuple[PinText, ...]] = Field(default_factory=dict)

    @field_validator("constraints", "index", mode="before")
    @classmethod
    def _wrap_single_pins(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: [pins] if isinstance(pins, str) else pins for name, pins in value.items()}

    def release(self, sources: Mapping[tuple[str, str], SourceLock]) -> Release:
        """Make the release of the file and its hash lock."""
        projects = {name: entry.project(name) for name, entry in self.projects.items()}
        pins: dict[str, tuple[Pin, ...]] = {
            dist: tuple(_pin(text, "constraints") for text in texts)
            for dist, texts in self.constraints.items()
        }
        for project in projects.values():
            pins.setdefault(project.dist, (Pin(version=project.version, origin="deliverable"),))
        for dist, texts in self.index.items():
            pins[dist] = tuple(_pin(text, "index") for text in texts)
        return Release(
            series=self.series,
            codename=self.codename,
            phase=self.phase,
            released=self.released,
            slurp=self.slurp,
            signing_keys=self.signing_keys,
            platforms=self.platforms,
            projects=projects,
            pins=dict(sorted(pins.items())),
            sources=dict(sources),
        )


def _pin(text: str, origin: Literal["constraints", "deliverable", "index"]) -> Pin:
    version, _, marker = text.partition(";")
    return Pin(version=version.strip(), origin=origin, marker=marker.strip() or None)


def pin_text(pin: Pin) -> str:
    """Write a pin as the file has it: ``1.2`` or ``1.2; python_version >= "3.10"``."""
    return pin.version if pin.marker is None else f"{pin.version}; {pin.marker}"


_HEADER = """\
# OpenStack {series} ({codename}).
# Written by `rdo release import {series}`: change it by importing again, and read the difference.
"""


def render(release: Release) -> str:
    """Write a release as the text of its file; the same release always gives the same text."""
    lines = [_HEADER.format(series=release.series, codename=release.codename).rstrip()]
    lines += [
        f"series: {_quoted(release.series)}",
        f"codename: {release.codename}",
        f"phase: {release.phase}",
        f"released: {release.released.isoformat()}",
        f"slurp: {'true' if release.slurp else 'false'}",
        f"signing_keys: [{', '.join(_quoted(key) for key in release.signing_keys)}]",
        f"platforms: [{', '.join(release.platforms)}]",
        "",
        "# Upstream's own projects, each at its newest release of the series.",
        "projects:" if release.projects else "projects: {}",
    ]
    lines += [_project_line(release.projects[name]) for name in sorted(release.projects)]
    titles = {
        "constraints": "# What upstream tests the series with (upper-constraints).",
        "index": "# What upstream leaves open, as it was on the index when this was imported.",
    }
    for origin, title in titles.items():
        chosen = {
            dist: [pin for pin in pins if pin.origin == origin] for dist, pins in sorted(release.pins.items())
        }
        chosen = {dist: pins for dist, pins in chosen.items() if pins}
        lines += ["", title, f"{origin}:" if chosen else f"{origin}: {{}}"]
        for dist, pins in chosen.items():
            texts = [_quoted(pin_text(pin)) for pin in pins]
            lines.append(f"  {dist}: {texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'}")
    return "\n".join(lines) + "\n"


def _project_line(project: Project) -> str:
    entry = ProjectEntry.of(project)
    parts = [
        f"{key}: {_quoted(value) if key in {'version', 'commit'} else value}"
        for key, value in entry.model_dump(exclude_none=True).items()
    ]
    return f"  {project.name}: {{{', '.join(parts)}}}"


def _quoted(text: str) -> str:
    """Quote a string for YAML, where 2026.10 would be a number and 1e5 too."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
