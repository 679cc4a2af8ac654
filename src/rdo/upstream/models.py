"""What is known of a source and of the Python project inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rdo.distribution.names import VersionText
from rdo.upstream.names import ExtraName, FileName, PathText, ProjectName, check_file


class Fact(BaseModel):
    """Base of what was read from upstream."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IndexFile(Fact):
    """One file that a Python package index offers. What the index does not say is None."""

    dist: str = Field(description="canonical index name")
    version: str | None
    filename: str
    kind: Literal["sdist", "wheel", "other"]
    url: str
    sha256: str | None = None
    size: int | None = None
    uploaded: str | None = Field(default=None, description="time of the upload, ISO 8601, UTC")
    yanked: bool = False
    requires_python: str | None = None


class Source(Fact):
    """A fetched source file. ``path`` lies in the cache; its name there is not its ``filename``."""

    filename: str
    sha256: str
    path: Path


class BuildSystem(Fact):
    """PEP 518's table, or what stands for it where a project has none.

    ``requires`` are PEP 508 requirements: the table's, ``setup_requires``, and those that the backend's
    ``get_requires_for_build_wheel`` adds. ``exact`` is False where a project computes its build requirements
    in code of its own and nobody has run that code in a sealed root yet: something may be missing then.
    ``wraps`` is the known backend that a source's own one hands on to.
    """

    backend: str = "setuptools.build_meta:__legacy__"
    backend_path: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    declared: bool = True
    exact: bool = True
    wraps: str | None = None


class HookSubject(Fact):
    """The source whose backend is to be asked, as far as it is known before that."""

    source: Source
    dist: str = Field(description="canonical index name")
    build_system: BuildSystem
    files: tuple[str, ...] = Field(default=(), description="members of the sdist below its top folder")


class Metadata(Fact):
    """Core metadata of one version, and what its sdist holds.

    ``requires_dist`` keeps upstream's PEP 508 strings, markers and extras included. ``how`` says where the
    requirements came from: ``static`` metadata, the sdist's ``egg-info``, ``pyproject``, or the ``hook``.
    """

    name: ProjectName
    dist: ProjectName = Field(description="canonical index name")
    version: VersionText
    summary: str = ""
    description: str = ""
    license_expression: str | None = None
    license: str | None = None
    license_files: tuple[PathText, ...] = ()
    classifiers: tuple[str, ...] = ()
    home_page: str | None = None
    requires_python: str | None = None
    requires_dist: tuple[str, ...] = ()
    extras: tuple[ExtraName, ...] = ()
    build_system: BuildSystem = BuildSystem()
    console_scripts: dict[FileName, str] = Field(default_factory=dict)
    entry_points: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: tuple[PathText, ...] = Field(default=(), description="members of the sdist below its top folder")
    top_folder: FileName | Literal[""] = ""
    how: Literal["static", "egg-info", "pyproject", "hook"] = "static"

    @model_validator(mode="after")
    def _check_commands(self) -> Metadata:
        """Check the names of groups of entry points that become commands; others are never files."""
        for group, points in self.entry_points.items():
            if group.endswith("_scripts"):
                for name in points:
                    check_file(name)
        return self
