"""What a user calls a thing, in any of the names it has, to its canonical index name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from rdo.common.errors import UnknownNameError
from rdo.distribution.models import Platform, Project, Release
from rdo.packaging.naming import modules_package, python_package, source_package

# What the binary packages of every project may have after their name.
_PART = re.compile(r"(\+.*|-tests|-lang|-doc)\Z")


def index_name(name: str, release: Release, platform: Platform) -> str:
    """Return the canonical index name of a project (``keystone``), an index name (``oslo.config``), a source
    package (``openstack-keystone``, ``python-oslo-config``), a binary package (``python3-openstackclient``,
    ``python3-oslo-config-tests``, ``openstack-nova-compute``) or an OpenStack client without its ``python-``
    (``openstackclient``).

    :raises UnknownNameError: nothing in the release or on the platform bears the name
    """
    if name in release.projects:
        return release.projects[name].dist
    own = {project.dist for project in release.projects.values()}
    known = own | release.pins.keys() | platform.provides.keys()
    plain = canonicalize_name(name)
    for candidate in _candidates(plain):
        if candidate in known:
            return candidate
    lowered = name.lower()
    named = [p for p in release.projects.values() if _is_package_of(lowered, p)]
    if named:
        return max(named, key=lambda p: len(p.name)).dist
    for candidate in _candidates(_PART.sub("", plain)):
        if candidate in known:
            return candidate
    raise UnknownNameError("project or package", name, {*release.projects, *release.pins})


def _candidates(name: str) -> Iterator[str]:
    yield name
    for prefix in ("python3-", "python-"):
        if name.startswith(prefix):
            yield name.removeprefix(prefix)
            yield f"python-{name.removeprefix(prefix)}"
            yield f"openstack-{name.removeprefix(prefix)}"
    yield f"python-{name}"


def _is_package_of(name: str, project: Project) -> bool:
    source = source_package(project.dist, project)
    if name in (source, python_package(project.dist), modules_package(project.dist, source)):
        return True
    return source.startswith("openstack-") and name.startswith(f"{source}-")
