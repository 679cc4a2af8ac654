"""The descriptions in ``distribution/packages`` as they are: the house's rules, and names that users rely on.

``known_services.json`` has what RDO's users know of some services: packages, units, epochs and static ids.
Each package and unit is made by the service's description, or the comment at the head of its package.yaml
names it and says why not.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from rdo.distribution.description import PackageDescription, Service, Subpackage
from rdo.distribution.load import Distribution
from rdo.distribution.models import Project
from rdo.packaging import naming
from rdo.packaging.units import named

ROOT = Path(__file__).parents[3] / "distribution"
DISTRIBUTION = Distribution.load(ROOT)
DESCRIPTIONS = DISTRIBUTION.packages()
RELEASES = [DISTRIBUTION.release(series) for series in DISTRIBUTION.series()]
SERVICES = {name: stated.service for name, stated in DESCRIPTIONS.items() if stated.service is not None}
# What its makers alone offer, on every platform: it may be recommended.
ELSEWHERE = ("salt",)
KNOWN = json.loads((Path(__file__).parent / "known_services.json").read_text())


def project_of(name: str) -> Project | None:
    """Return the project of a description, from the newest series that has it; None for third parties."""
    found = [release.projects[name] for release in RELEASES if name in release.projects]
    return found[-1] if found else None


def dist_of(name: str) -> str:
    project = project_of(name)
    return canonicalize_name(name if project is None else project.dist)


def source_package(name: str) -> str:
    return naming.source_package(dist_of(name), project_of(name))


def units(name: str, service: Service) -> list[str]:
    parts = (service.units, *(sub.units for sub in service.subpackages))
    made = [
        named(unit, service, name, service.user or service.folder_name(name))
        for part in parts
        for unit in part
    ]
    return list(dict.fromkeys(unit.filename for unit in made))


def binary_packages(name: str) -> list[str]:
    """Return the packages of a description; tests, translations and docs are there if the sdist has them."""
    package = source_package(name)
    modules = naming.modules_package(dist_of(name), package)
    made = [modules, f"{modules}-tests", f"{package}-doc", naming.lang_package(dist_of(name))]
    stated = DESCRIPTIONS[name]
    made += [naming.extra_package(dist_of(name), extra) for extra in stated.extras or ()]
    if stated.service is not None:
        service = stated.service
        made += [
            service.main or package,
            *service.provides,
            *([] if service.common is None else [service.common]),
        ]
        for sub in service.subpackages:
            made += [sub.name, *sub.provides]
    return list(dict.fromkeys(made))


def head_comment(name: str) -> str:
    text = (ROOT / "packages" / name / "package.yaml").read_text()
    return " ".join(line.lstrip("# ") for line in re.match(r"(#.*\n)*", text)[0].splitlines())  # type: ignore[index]


def is_explained(what: str, name: str) -> bool:
    """Tell whether the head comment names a package or unit: in full, without .service or openstack-."""
    comment = head_comment(name)
    plain = what.removesuffix(".service")
    words = {what, plain, plain.removeprefix("openstack-")}
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w@-])", comment) for word in words)


def dependencies(stated: PackageDescription) -> Iterator[str]:
    """Yield all RPM dependencies of a description, without versions."""
    parts: list[PackageDescription | Service | Subpackage] = [stated]
    if stated.service is not None:
        parts += [stated.service, *stated.service.subpackages]
    for part in parts:
        for field in ("requires", "recommends", "build_requires", "check_requires"):
            for item in getattr(part, field, ()):
                yield item.split()[0]


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_follow_the_house_rules(name: str) -> None:
    stated = DESCRIPTIONS[name]
    assert stated.project == name
    subs = () if stated.service is None else stated.service.subpackages
    for summary in (stated.summary, *(sub.summary for sub in subs)):
        # rpmlint's own limit
        assert summary is None or (len(summary) <= 79 and not summary.endswith(".") and summary[0].isupper())
    if stated.description is not None:
        assert stated.description.strip().endswith("."), "descriptions are sentences"
    for sub in subs:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", sub.name)
        assert sub.name.startswith((f"{source_package(name)}-", "openstack-", "python3-"))
    project = project_of(name)
    if project is not None and project.type == "service":
        assert head_comment(name) and stated.summary, "upstream's summaries of services say little"


def test_no_name_is_made_twice() -> None:
    packages = Counter(package for name in DESCRIPTIONS for package in binary_packages(name))
    made = Counter(unit for name, service in SERVICES.items() for unit in units(name, service))
    sites = Counter(
        f"{service.folder_name(name)}/{site}"
        for name, service in SERVICES.items()
        for site in {application.name for application in service.httpd}
    )
    for found in (packages, made, sites):
        assert [what for what, count in found.items() if count > 1] == []


def test_static_ids_and_accounts_are_one_services_alone() -> None:
    own = {name: service for name, service in SERVICES.items() if service.of is None}
    ids = Counter(service.uid for service in own.values() if service.uid is not None)
    users = Counter(service.user or service.folder_name(name) for name, service in own.items())
    assert [uid for uid, count in ids.items() if count > 1] == []
    assert [user for user, count in users.items() if count > 1 and user != "root"] == []


@pytest.mark.parametrize("name", [name for name in KNOWN if name in SERVICES])
def test_what_users_know_is_there_or_explained(name: str) -> None:
    known, stated = KNOWN[name], DESCRIPTIONS[name]
    assert source_package(name) == known["package"]
    assert stated.epoch == known["epoch"], "a lower epoch than users have would never be an update"
    if known["uid"] is not None:
        assert SERVICES[name].uid == known["uid"]
    made = {*binary_packages(name), *units(name, SERVICES[name])}
    lost = [what for what in (*known["subpackages"], *known["units"]) if what not in made]
    assert [what for what in lost if not is_explained(what, name)] == []


def test_rpm_dependencies_are_known() -> None:
    """Whoever has RPMs of its own has EL's names; the others must know them all."""
    platform = DISTRIBUTION.platform("debian13")
    dists = {dist for release in RELEASES for dist in release.pins} | set(platform.provides)
    known = {*ELSEWHERE, *platform.native, *(provided.package for provided in platform.provides.values())}
    known |= {name for dist in dists for name in (naming.python_package(dist), f"python3dist({dist})")}
    known |= {package for project in DESCRIPTIONS for package in binary_packages(project)}
    known |= {naming.source_package(p.dist, p) for release in RELEASES for p in release.projects.values()}
    known |= {package for one in KNOWN.values() for package in (one["package"], *one["subpackages"])}
    asked = {(project, item) for project, stated in DESCRIPTIONS.items() for item in dependencies(stated)}
    assert sorted((project, item) for project, item in asked if item not in known) == []
