"""Makes a release's data from OpenStack's own: deliverables, upper-constraints, the series' status.

Formats: openstack/releases (``deliverables/<codename>/*.yaml``, ``data/series_status.yaml``) and
openstack/requirements (``upper-constraints.txt``: ``name===version;marker``, one a line).

Rules, all of them stated in ``docs/packagers/data-files.md``:

* the index name is ``pypi-name``, else ``tarball-base``, else the repository's base name, canonicalised;
* a project's version is its newest final one in the series; a pre-release only where there is no final one;
* left out: untagged deliverables, those without a release, those that make no Python package (by the
  beginnings of their names), and ``trailing`` ones, which put OpenStack up by other means, unless the
  constraints pin them;
* where the newest of the index is wanted, it may be newer than the deliverables
  (:mod:`rdo.distribution.newest`); constraints of such a project that are older don't count;
* names that upstream leaves open (:data:`OPEN_NAMES`) are pinned to the newest final version with an sdist
  that was on the index :data:`MARGIN` after the series came out, or else to the newest of today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, get_args

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rdo.common.errors import DataError, Problem
from rdo.distribution.listing import Listed, Listing
from rdo.distribution.models import Pin, Project, ProjectType, Release
from rdo.distribution.names import check_commit, check_version
from rdo.distribution.newest import NewestOnIndex
from rdo.distribution.series_status import Status
from rdo.distribution.yamlfile import YamlFile, read_yaml

MARGIN = timedelta(days=30)

# What upper-constraints leave open and builds need: build tools, and a few names that upstream takes from
# elsewhere. The bounds are upper caps that many packages of a series state, so that one version serves most.
OPEN_NAMES: Mapping[str, str] = {
    "build": "",
    "calver": "",
    "certifi": "",
    "coherent-licensed": "",
    "cython": "",
    "editables": "",
    "expandvars": "",
    "flit-core": "<4",
    "hatch-fancy-pypi-readme": "",
    "hatch-requirements-txt": "",
    "hatch-vcs": "",
    "hatchling": "",
    "installer": "",
    "maturin": "",
    "meson": "",
    "meson-python": "",
    "pathspec": "",
    "pip": "",
    "pkgconfig": "",
    "poetry-core": "",
    "pybind11": "",
    "pyproject-hooks": "",
    "pyproject-metadata": "",
    "scikit-build-core": "",
    "semantic-version": "",
    "setuptools": "<82",
    "setuptools-rust": "",
    "setuptools-scm": "",
    "trove-classifiers": "",
    "vcs-versioning": "",
    "wheel": "",
}

# Deliverables of these kinds hold no Python package.
_NO_PYTHON = ("ansible-", "openstack-ansible", "puppet-", "charm-", "devstack", "grenade")
_TYPES: frozenset[str] = frozenset(get_args(ProjectType))
_CONSTRAINT = re.compile(
    r"\A(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)===(?P<version>[^;\s]+)\s*(;(?P<marker>.+))?\Z"
)


def read_constraints(path: Path) -> dict[str, tuple[Pin, ...]]:
    """Read upper-constraints into pins by canonical name; markers are kept.

    :param path: the file, or a checkout of openstack/requirements
    :raises DataError: all mistakes in it
    """
    if path.is_dir():
        path = path / "upper-constraints.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError([Problem(path, 0, f"can't be read: {error.strerror}")]) from error
    pins: dict[str, list[Pin]] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            dist, pin = _parse_constraint(text)
        except ValueError as error:
            problems.append(Problem(path, number, str(error)))
            continue
        same = [other for other in pins.get(dist, []) if other.marker == pin.marker]
        if same and same[0].version != pin.version:
            problems.append(Problem(path, number, f"{dist} is pinned to {same[0].version} and {pin.version}"))
        elif not same:
            pins.setdefault(dist, []).append(pin)
    if problems:
        raise DataError(problems)
    return {dist: tuple(found) for dist, found in sorted(pins.items())}


def _parse_constraint(text: str) -> tuple[str, Pin]:
    match = _CONSTRAINT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no constraint; 'name===version;marker' is expected")
    try:
        Version(match["version"])
        marker = str(Marker(match["marker"].strip())) if match["marker"] else None
    except InvalidVersion as error:
        raise ValueError(f"{match['version']!r} is no version") from error
    except InvalidMarker as error:
        raise ValueError(f"{match['marker']!r} is no marker") from error
    return canonicalize_name(match["name"]), Pin(
        version=match["version"], origin="constraints", marker=marker
    )


def deliverables_folder(path: Path, codename: str) -> Path:
    """Return the folder of a series' deliverables: ``path`` itself, or the one in a checkout.

    :raises DataError: there are no deliverables
    """
    for candidate in (path / "deliverables" / codename, path / codename, path):
        if any(candidate.glob("*.yaml")):
            return candidate
    raise DataError([Problem(path, 0, f"no deliverables of {codename} here")])


def read_projects(
    folder: Path,
    constraints: Mapping[str, Sequence[Pin]],
    components: Mapping[str, str],
    newest: NewestOnIndex | None = None,
) -> dict[str, Project]:
    """Read a folder of deliverables into projects by name.

    :param components: the component of a project, by its name
    :param newest: finds versions that are newer than the deliverables
    :raises DataError: all mistakes in all files
    """
    projects: dict[str, Project] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found = list(_projects_of(read_yaml(path, as_text=True), constraints, components, newest))
        except DataError as error:
            problems += error.problems
            continue
        for project in found:
            other = projects.get(project.name) or next(
                (p for p in projects.values() if p.dist == project.dist), None
            )
            if other is not None:
                problems.append(Problem(path, 0, f"{project.repository} makes {other.dist}, as another does"))
            projects[project.name] = project
    if problems:
        raise DataError(problems)
    return dict(sorted(projects.items()))


def _projects_of(
    file: YamlFile,
    constraints: Mapping[str, Sequence[Pin]],
    components: Mapping[str, str],
    newest: NewestOnIndex | None,
) -> Iterable[Project]:
    data = file.value
    if file.problems or not isinstance(data, dict):
        raise DataError(file.problems or [Problem(file.path, 1, "a deliverable is expected")])
    kind = data.get("type", "other")
    if kind not in _TYPES:
        raise DataError([file.problem(("type",), f"unknown type {kind!r}")])
    if data.get("release-model") == "untagged":
        return
    versions = _versions(file, data)
    repositories = data.get("repository-settings") or {}
    if not isinstance(repositories, dict):
        raise DataError([file.problem(("repository-settings",), "settings by repository are expected")])
    for repository, stated in repositories.items():
        name = repository.rpartition("/")[2]
        settings = stated if isinstance(stated, dict) else {}
        dist = canonicalize_name(settings.get("pypi-name") or settings.get("tarball-base") or name)
        pinned = constraints.get(dist, ())
        if name.startswith(_NO_PYTHON) or (kind == "trailing" and not pinned):
            continue
        stated = versions.get(repository, {})
        version = _choose(stated, pinned) if stated else None
        if newest is not None:
            once = data.get("release-model") == "cycle-with-rc"
            version = newest.version(dist, stated, one_release_a_cycle=once) or version
        if version is None:
            continue
        yield Project(
            name=name,
            dist=dist,
            type=kind,
            repository=repository,
            version=version,
            commit=stated.get(version),
            component=components.get(name),
        )


def _versions(file: YamlFile, data: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the commit of each version of each repository of a deliverable."""
    found: dict[str, dict[str, str]] = {}
    problems = []
    for number, release in enumerate(data.get("releases") or []):
        way: tuple[str | int, ...] = ("releases", number)
        try:
            version = check_version(release["version"])
            for index, project in enumerate(release["projects"]):
                way = ("releases", number, "projects", index, "hash")
                found.setdefault(project["repo"], {})[version] = check_commit(project["hash"])
        except ValueError as error:
            problems.append(file.problem(way, str(error)))
        except (KeyError, TypeError):
            problems.append(
                file.problem(way, "a release needs 'version' and 'projects' with 'repo' and 'hash'")
            )
    if problems:
        raise DataError(problems)
    return found


def _choose(versions: Iterable[str], pinned: Sequence[Pin]) -> str:
    """Choose a project's version: the pinned one if the series has it, else the newest final one."""
    known = {Version(text): text for text in versions}
    for pin in pinned:
        if Version(pin.version) in known:
            return known[Version(pin.version)]
    finals = [version for version in known if not version.is_prerelease]
    return known[max(finals or known)]


def pin_open_names(
    listing: Listing, names: Mapping[str, str], *, released: date, pythons: Sequence[str]
) -> tuple[dict[str, Pin], list[str]]:
    """Pin names that upstream leaves open.

    :param names: canonical name -> bound that the version must keep, may be empty
    :param pythons: versions of Python that the choice must allow
    :returns: the pins, and the names of which the index has nothing that will do
    """
    limit = datetime.combine(released, time(), tzinfo=UTC) + MARGIN
    pins: dict[str, Pin] = {}
    without: list[str] = []
    for dist, bound in sorted(names.items()):
        usable = [file for file in listing.files(dist) if _usable(file, bound, pythons)]
        early = [file for file in usable if file.uploaded is not None and file.uploaded <= limit]
        chosen = max(early or usable, key=lambda file: file.version, default=None)
        if chosen is None:
            without.append(dist)
        else:
            pins[dist] = Pin(version=str(chosen.version), origin="index")
    return pins, without


def _usable(file: Listed, bound: str, pythons: Sequence[str]) -> bool:
    if not file.sdist or file.yanked or file.version.is_prerelease or file.version not in SpecifierSet(bound):
        return False
    try:
        allowed = SpecifierSet(file.requires_python or "")
    except InvalidSpecifier:
        return False
    return all(python in allowed for python in pythons)


@dataclass(frozen=True)
class Imported:
    """A release as upstream's data make it, and what a person should know of it."""

    release: Release
    notes: tuple[str, ...]


def import_release(
    status: Status,
    *,
    deliverables: Path,
    constraints: Path,
    platforms: Sequence[str],
    pythons: Sequence[str],
    listing: Listing,
    components: Mapping[str, str] | None = None,
    also: Iterable[str] = (),
    previous: Release | None = None,
    update_open: bool = False,
    newest_on_index: bool = False,
) -> Imported:
    """Make a release's data.

    Pins of open names that ``previous`` has stay as they are unless ``update_open`` is set, so that an import
    changes what upstream changed and nothing else.

    :param deliverables: folder of the codename's files, or a checkout of openstack/releases
    :param constraints: upper-constraints, or a checkout of openstack/requirements
    :param also: canonical index names that are shipped with the series and are none of its deliverables
    :param newest_on_index: take versions that the index has and the deliverables don't know yet
    :raises DataError: all mistakes in upstream's files
    """
    problems: list[Problem] = []
    pins: dict[str, tuple[Pin, ...]] = {}
    try:
        pins = read_constraints(constraints)
    except DataError as error:
        problems += error.problems
    try:
        folder = deliverables_folder(deliverables, status.codename)
        newest = NewestOnIndex(listing, status.opened, status.released) if newest_on_index else None
        projects = read_projects(folder, pins, components or {}, newest)
    except DataError as error:
        problems += error.problems
    if problems:
        raise DataError(problems)

    if newest_on_index:
        pins = _without_overtaken(pins, projects.values())
    notes = [
        f"{project.dist}: the constraints pin {pins[project.dist][0].version},"
        f" which is no release of the series; its newest is {project.version}"
        for project in projects.values()
        if project.dist in pins
        and all(Version(pin.version) != Version(project.version) for pin in pins[project.dist])
    ]
    for project in projects.values():
        pins.setdefault(project.dist, (Pin(version=project.version, origin="deliverable"),))
    before = {} if previous is None else _open_pins(previous)
    before = {dist: found for dist, found in before.items() if dist not in pins}
    kept = {} if update_open else before
    # names that a packager has added to the file by hand stay open names of this release
    wanted = dict.fromkeys((*before, *also), "") | dict(OPEN_NAMES)
    names = {dist: bound for dist, bound in wanted.items() if dist not in pins and dist not in kept}
    opened, without = pin_open_names(listing, names, released=status.released, pythons=pythons)
    notes += [f"{dist}: the index has no final version with an sdist that will do" for dist in without]
    pins |= kept | {dist: (pin,) for dist, pin in opened.items()}
    release = Release(
        series=status.series,
        codename=status.codename,
        phase=status.phase,
        released=status.released,
        slurp=status.slurp,
        signing_keys=status.signing_keys,
        platforms=tuple(platforms),
        projects=projects,
        pins=dict(sorted(pins.items())),
        sources={} if previous is None else previous.sources,
    )
    return Imported(release, tuple(notes))


def _without_overtaken(
    pins: Mapping[str, tuple[Pin, ...]], projects: Iterable[Project]
) -> dict[str, tuple[Pin, ...]]:
    """Leave out constraints of projects whose own versions are newer."""
    own = {project.dist: Version(project.version) for project in projects}
    return {
        dist: found
        for dist, found in pins.items()
        if dist not in own or any(Version(pin.version) >= own[dist] for pin in found)
    }


def _open_pins(release: Release) -> dict[str, tuple[Pin, ...]]:
    return {dist: pins for dist, pins in release.pins.items() if pins[0].origin == "index"}
