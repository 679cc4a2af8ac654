"""Loads the distribution's data, lazily: what nobody asks for is not read.

Folders below the distribution's: ``releases/<series>.yaml`` and ``.lock``, ``platforms/<name>.yaml``,
``.provides`` and ``.macros``, ``packages/<project>/package.yaml``, and the files ``coverage.yaml`` and
``licences.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rdo.common.errors import DataError, Problem, UnknownNameError
from rdo.distribution.coverage import Coverage, contradictions, load_coverage
from rdo.distribution.description import PackageDescription
from rdo.distribution.licences import load_licences
from rdo.distribution.lockfile import Sources, load_lock
from rdo.distribution.models import Platform, Release
from rdo.distribution.obsoletes import load_obsoletes
from rdo.distribution.platformfile import PlatformFile, VariantFile, load_provides
from rdo.distribution.releasefile import ReleaseFile
from rdo.distribution.yamlfile import YamlFile, load_yaml, read_yaml, validate


@dataclass
class Distribution:
    """The distribution's data below one folder. What was read is kept and not read again."""

    path: Path
    _releases: dict[str, Release] = field(default_factory=dict, repr=False)
    _platforms: dict[str, Platform] = field(default_factory=dict, repr=False)
    _packages: dict[str, PackageDescription] = field(default_factory=dict, repr=False)
    _coverage: Coverage | None = field(default=None, repr=False)
    _deliverables: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _licences: frozenset[str] | None = field(default=None, repr=False)

    @classmethod
    def load(cls, path: Path) -> Distribution:
        """Open the data below a folder; mistakes are found when a part is asked for, or by :meth:`check`."""
        return cls(path.absolute())

    def series(self) -> list[str]:
        """Return the series that there is data of, in order."""
        return sorted(file.stem for file in (self.path / "releases").glob("*.yaml"))

    def platforms(self) -> list[str]:
        """Return the names of the platforms, in order."""
        return sorted(file.stem for file in (self.path / "platforms").glob("*.yaml"))

    def coverage(self) -> Coverage:
        """Return what is shipped beside the projects of a series, and what is not.

        :raises DataError: all mistakes in its file
        """
        if self._coverage is None:
            self._coverage = load_coverage(self._coverage_file)
        return self._coverage

    def licences(self) -> frozenset[str]:
        """Return the SPDX identifiers that packages may have; none where the data has no list.

        :raises DataError: all mistakes in its file
        """
        if self._licences is None:
            self._licences = load_licences(self.path / "licences.yaml")
        return self._licences

    def release(self, series: str) -> Release:
        """Return a release.

        :raises UnknownNameError: there is none of that series
        :raises DataError: all mistakes in its files
        """
        if series not in self._releases:
            if series not in self.series():
                raise UnknownNameError("series", series, self.series())
            self._releases[series] = self._read_release(series)
        return self._releases[series]

    def platform(self, name: str) -> Platform:
        """Return a platform.

        :raises UnknownNameError: there is none of that name
        :raises DataError: all mistakes in its files
        """
        if name not in self._platforms:
            if name not in self.platforms():
                raise UnknownNameError("platform", name, self.platforms())
            self._platforms[name] = self._read_platform(name)
        return self._platforms[name]

    def package(self, project: str) -> PackageDescription | None:
        """Return the description of a project's package; None where everything is derived.

        :raises DataError: all mistakes in it
        """
        file = self.path / "packages" / project / "package.yaml"
        if project not in self._packages:
            if not file.is_file():
                return None
            self._packages[project] = self._read_package(file)
        return self._packages[project]

    def packages(self) -> dict[str, PackageDescription]:
        """Return all descriptions by project.

        :raises DataError: all mistakes in all of them
        """
        problems: list[Problem] = []
        names = sorted(file.parent.name for file in (self.path / "packages").glob("*/package.yaml"))
        found = {}
        for name in names:
            try:
                description = self.package(name)
            except DataError as error:
                problems += error.problems
            else:
                if description is not None:
                    found[name] = description
        if problems:
            raise DataError(problems)
        return found

    def project(self, release: Release, name: str) -> str:
        """Return the canonical index name of what a user calls ``name``: a project, or a pinned name.

        :raises UnknownNameError: the release has neither
        """
        from packaging.utils import canonicalize_name

        if name in release.projects:
            return release.projects[name].dist
        dist = canonicalize_name(name)
        if dist not in release.pins:
            raise UnknownNameError("project", name, {*release.projects, *release.pins})
        return dist

    def check(self) -> None:
        """Read everything.

        :raises DataError: all mistakes in all files, those between files included
        """
        problems: list[Problem] = []

        def attempt(read: Callable[[], object]) -> None:
            try:
                read()
            except DataError as error:
                problems.extend(error.problems)

        for series in self.series():
            attempt(partial(self.release, series))
        for name in self.platforms():
            attempt(partial(self.platform, name))
        attempt(self.packages)
        attempt(self.coverage)
        attempt(self.licences)
        problems += self._problems_between()
        if self._coverage is not None and len(self._releases) == len(self.series()):
            problems += contradictions(
                self._coverage_file, self._coverage, self._releases.values(), self._deliverables
            )
        if problems:
            raise DataError(problems)

    @property
    def _coverage_file(self) -> Path:
        return self.path / "coverage.yaml"

    def _read_release(self, series: str) -> Release:
        path = self.path / "releases" / f"{series}.yaml"
        problems: list[Problem] = []
        sources: Sources = {}
        obsoletes: dict[str, str] = {}
        try:
            sources = load_lock(path.with_name(f"{series}.lock"))
        except DataError as error:
            problems += error.problems
        try:
            obsoletes = load_obsoletes(path.with_name(f"{series}.obsoletes"))
        except DataError as error:
            problems += error.problems
        file = read_yaml(path)
        try:
            parsed = validate(file, ReleaseFile)
        except DataError as error:
            raise DataError([*problems, *error.problems]) from error
        if parsed.series != series:
            problems.append(file.problem(("series",), f"the file is named {series}, it says {parsed.series}"))
        for number, name in enumerate(parsed.platforms):
            if name not in self.platforms():
                problems.append(file.problem(("platforms", number), f"there is no platform named {name!r}"))
        dists: dict[str, str] = {}
        for name, entry in parsed.projects.items():
            dist = entry.project(name).dist
            if dist in dists:
                problems.append(file.problem(("projects", name), f"{dist} is made by {dists[dist]} already"))
            dists[dist] = name
        for dist in parsed.index:
            if dist in parsed.constraints or dist in dists:
                problems.append(file.problem(("index", dist), f"{dist} is pinned elsewhere in the file too"))
        if problems:
            raise DataError(problems)
        release, coverage = parsed.release(sources), self.coverage()
        self._deliverables[series] = frozenset(dists)
        projects = coverage.completed(release.projects, release.pins)
        return release.model_copy(
            update={"projects": projects, "not_shipped": coverage.not_shipped, "obsoletes": obsoletes}
        )

    def _read_platform(self, name: str) -> Platform:
        path = self.path / "platforms" / f"{name}.yaml"
        problems: list[Problem] = []
        provides = {}
        try:
            provides = load_provides(path.with_suffix(".provides"))
        except DataError as error:
            problems += error.problems
        file = read_yaml(path)
        if isinstance(file.value, dict) and "like" in file.value:
            return self._variant(file, name)
        try:
            parsed = validate(file, PlatformFile)
        except DataError as error:
            raise DataError([*problems, *error.problems]) from error
        if parsed.name != name:
            problems.append(file.problem(("name",), f"the file is named {name}, it says {parsed.name}"))
        if problems:
            raise DataError(problems)
        macros = path.with_suffix(".macros")
        releases = [self.release(series) for series in self.series()]
        own = frozenset(project.dist for release in releases for project in release.projects.values())
        return parsed.platform(provides, macros if macros.is_file() else None, own)

    def _variant(self, file: YamlFile, name: str) -> Platform:
        parsed = validate(file, VariantFile)
        ordinary = [other for other in self.platforms() if other != name]
        problems = [
            file.problem((key,), f"there is no platform named {value!r}")
            for key, value in (("like", parsed.like), ("offers_as", parsed.offers_as))
            if value not in ordinary
        ]
        if parsed.name != name:
            problems.append(file.problem(("name",), f"the file is named {name}, it says {parsed.name}"))
        if problems:
            raise DataError(problems)
        offered = load_provides(file.path.with_name(f"{parsed.offers_as}.provides"))
        base = self.platform(parsed.like)
        useless = {dist: f"{parsed.like} has no {dist}" for dist in parsed.kept.keys() - base.provides.keys()}
        useless |= dict.fromkeys(parsed.kept.keys() & offered.keys(), f"{parsed.offers_as} has it")
        if useless:
            raise DataError(file.problem(("kept", dist), why) for dist, why in sorted(useless.items()))
        return parsed.platform(base, offered)

    def _read_package(self, path: Path) -> PackageDescription:
        description = load_yaml(path, PackageDescription)
        if description.project != path.parent.name:
            file = read_yaml(path)
            message = f"the folder is named {path.parent.name}, the file says {description.project}"
            raise DataError([file.problem(("project",), message)])
        return description

    def _problems_between(self) -> list[Problem]:
        """Find descriptions that nothing would read: of projects that no release has under that very name."""
        known: set[str] = set()
        names: dict[str, str] = {}
        for release in self._releases.values():
            own = {project.dist: name for name, project in release.projects.items()}
            names |= own
            known |= release.projects.keys() | (release.pins.keys() - own.keys())
        if not known:
            return []
        folders = sorted(file.parent for file in (self.path / "packages").glob("*/package.yaml"))
        return [_unread(folder, known, names) for folder in folders if folder.name not in known]


def _unread(folder: Path, known: Iterable[str], names: Mapping[str, str]) -> Problem:
    """Make the problem of a description whose folder has no project's name.

    :param names: canonical index name -> name of OpenStack's project
    """
    from packaging.utils import canonicalize_name

    project = names.get(canonicalize_name(folder.name))
    if project is not None:
        message = f"a second description of {project}: only the folder of that name counts"
        if not (folder.parent / project / "package.yaml").is_file():
            message = f"it describes {project}: the folder must have that name"
    else:
        unknown = UnknownNameError("project", folder.name, known)
        message = f"no release has a project named {folder.name!r}. {unknown.hint or ''}".rstrip()
    return read_yaml(folder / "package.yaml").problem(("project",), message)


def package_folders(distribution: Distribution) -> Mapping[str, Path]:
    """Return the folder of each project that has data of its own: description, units, patches."""
    folder = distribution.path / "packages"
    if not folder.is_dir():
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()}
