"""Where each part of a package comes from: upstream, RPM's generators, the description, or our own rules."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from packaging.utils import canonicalize_name
from pydantic import Field

from rdo.distribution.description import PackageDescription
from rdo.packaging.extras import packaged_extras
from rdo.packaging.naming import extra_package, modules_package
from rdo.packaging.requirements import parse_requirement, rpm_dependency, without_upper_bound
from rdo.packaging.resolution_model import Model
from rdo.packaging.spec_model import GeneratedSpec, SpecInputs
from rdo.packaging.spec_text import SpecPackage, binary_packages
from rdo.packaging.stated import Stated

Origin = Literal["upstream", "generator", "package.yaml", "derived"]

_PYTHON = re.compile(r"python3(?:\.\d+)?dist\(([^)\[]+)")
_MODULES = re.compile(r"(site|dist)-packages/|%\{?python3_site|^%\{?pyproject_files|-nspkg\.pth")
_TEXTS = re.compile(r"^%(license|doc)\b|/share/(licenses|doc|locale)/|\.lang$")


class Part(Model):
    """One file or dependency, and where it comes from.

    ``upstream`` is its metadata or its own file, ``generator`` RPM's dependency generators, ``package.yaml``
    the package's description, and ``derived`` the rules of this distribution.
    """

    text: str
    origin: Origin
    detail: str | None = Field(default=None, description="upstream's own words, or the packager's reason")


class BinaryView(Model):
    """One binary package."""

    name: str
    summary: str
    requires: tuple[Part, ...]
    files: tuple[Part, ...]


class PackageView(Model):
    """A source package with its binary packages.

    ``left_out`` are requirements that upstream states and the description excludes.
    """

    package: str
    project: str | None
    dist: str
    version: str
    release: str
    licence: str
    build_requires: tuple[Part, ...]
    left_out: tuple[Part, ...] = ()
    packages: tuple[BinaryView, ...]


class Provenance:
    """Answers for one package, from what its spec was made of."""

    def __init__(self, inputs: SpecInputs, made: GeneratedSpec) -> None:
        self._inputs, self._made = inputs, made
        self._own = _stated_dependencies(inputs.stated)
        self._own_files = _own_files(inputs.stated)
        metadata, statements = inputs.metadata, inputs.statements
        self._runtime = _by_name(statements.runtime(metadata))
        build = _by_name(statements.build(metadata))
        self._reasons = ((build, "to build it"), (self._runtime, "to run it"))
        extras = packaged_extras(metadata, inputs.release, inputs.platform, statements)
        self._extras = {
            extra_package(metadata.dist, extra): _by_name(statements.of_extra(metadata, extra))
            for extra in extras
        }
        data = {posixpath.basename(target) for target, _ in inputs.inspection.data_files}
        self._upstream_files = {*metadata.console_scripts, *inputs.inspection.scripts, *data}

    def view(self) -> PackageView:
        """Return the package as its spec says: what RPM's generators will add is not known yet."""
        metadata, project = self._inputs.metadata, self._inputs.project
        licence = re.search(r"^License:\s+(.*)$", self._made.text, re.M)
        return PackageView(
            package=self._made.package,
            project=None if project is None else project.name,
            dist=metadata.dist,
            version=self._made.version,
            release=self._made.release,
            licence=licence[1] if licence else "",
            build_requires=tuple(self._built_with(text) for text in self._made.build_requires),
            left_out=self._left_out(),
            packages=tuple(self._binary(package) for package in binary_packages(self._made.text)),
        )

    def requirement(self, package: str, text: str) -> Part:
        """Say where a dependency of a binary package comes from, as its RPM or its spec has it."""
        if text in self._own:
            return Part(text=text, origin="package.yaml")
        match = _PYTHON.search(text)
        if match:
            return self._of_upstream(text, canonicalize_name(match[1]), self._stated(package))
        name = text.lstrip("(").split()[0]
        if name in self._made.subpackages or name in self._spec_names():
            return Part(text=text, origin="derived")
        return Part(text=text, origin="generator")

    def file(self, line: str) -> Part:
        """Say where a file comes from, by its path or its line in %files."""
        name = posixpath.basename(line.split()[-1]).rstrip("*")
        if _MODULES.search(line) or _TEXTS.search(line):
            return Part(text=line, origin="upstream")
        if name in self._own_files:
            return Part(text=line, origin="package.yaml")
        return Part(text=line, origin="upstream" if name in self._upstream_files else "derived")

    def _binary(self, package: SpecPackage) -> BinaryView:
        stated = self._stated(package.name)
        expected = [self._expected(stated[dist]) for dist in sorted(stated)]
        tags = [self.requirement(package.name, text) for text in (*package.requires, *package.recommends)]
        return BinaryView(
            name=package.name,
            summary=package.summary,
            requires=(*expected, *tags),
            files=tuple(self.file(line) for line in package.files),
        )

    def _stated(self, package: str) -> dict[str, Stated]:
        """Return upstream's requirements that belong to a binary package, by index name."""
        if package in self._extras:
            return self._extras[package]
        return (
            self._runtime
            if package == modules_package(self._inputs.metadata.dist, self._made.package)
            else {}
        )

    def _expected(self, stated: Stated) -> Part:
        return Part(text=self._converted(stated), origin="upstream", detail=self._words(stated))

    def _converted(self, stated: Stated) -> str:
        requirement = parse_requirement(stated.text, self._inputs.metadata.dist)
        if stated.dist in self._inputs.stated.relax:
            requirement = without_upper_bound(requirement)
        return rpm_dependency(requirement)

    def _words(self, stated: Stated) -> str:
        relaxed = self._inputs.stated.relax.get(stated.dist)
        return stated.text if relaxed is None else f"{stated.text}; no upper bound: {relaxed}"

    def _of_upstream(self, text: str, dist: str, rows: Mapping[str, Stated]) -> Part:
        if dist in rows:
            return Part(text=text, origin="upstream", detail=self._words(rows[dist]))
        if dist in self._inputs.node.imports:
            return Part(text=text, origin="upstream", detail="an extra of what upstream requires")
        return Part(text=text, origin="generator")

    def _built_with(self, text: str) -> Part:
        if text in self._own:
            return Part(text=text, origin="package.yaml")
        match = _PYTHON.search(text)
        dist = canonicalize_name(match[1]) if match else ""
        rows = [(row[dist], what) for row, what in self._reasons if dist in row]
        if rows:
            # what is needed for both may be stated twice, with different bounds
            stated, what = next((row for row in rows if self._converted(row[0]) == text), rows[0])
            return Part(text=text, origin="upstream", detail=f"{self._words(stated)}, {what}")
        if dist in self._inputs.node.imports:
            return self._of_upstream(text, dist, {})
        return Part(text=text, origin="derived")

    def _left_out(self) -> tuple[Part, ...]:
        return tuple(
            Part(text=dist, origin="package.yaml", detail=reason)
            for dist, reason in self._inputs.stated.exclude.items()
        )

    def _spec_names(self) -> set[str]:
        """Return what the spec's own tags require, by the first word: sudo, logrotate, other subpackages."""
        rows = (item.requires + item.recommends for item in binary_packages(self._made.text))
        return {text.lstrip("(").split()[0] for row in rows for text in row} - self._own


def _by_name(stated: Iterable[Stated]) -> dict[str, Stated]:
    return {item.dist: item for item in stated}


def _stated_dependencies(stated: PackageDescription) -> set[str]:
    """Return the RPM dependencies that a description states, of whatever kind."""
    found = {*stated.build_requires, *stated.requires, *stated.check_requires}
    if stated.service is not None:
        found |= {*stated.service.requires, *stated.service.recommends}
        for part in stated.service.subpackages:
            found |= {*part.requires, *part.recommends}
    return found


def _own_files(stated: PackageDescription) -> set[str]:
    """Return the names that files of the description have where they are installed."""
    service = stated.service
    if service is None:
        return set()
    names = {posixpath.basename(placed.target) for placed in service.files}
    units = [*service.units, *(unit for sub in service.subpackages for unit in sub.units)]
    return names | {unit for unit in units if isinstance(unit, str) and "." in unit}
