"""What a user calls a thing, in any of the names it has, to its canonical index name."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from rdo.common.errors import UnknownNameError
from rdo.distribution.models import Platform, Project, Release
from rdo.packaging.naming import source_package


def index_name(name: str, release: Release, platform: Platform) -> str:
    """Return the canonical index name of a project (``keystone``), an index name (``oslo.config``), a source
    package (``openstack-keystone``, ``python-oslo-config``), a binary package (``python3-openstackclient``,
    ``openstack-nova-compute``) or an OpenStack client without its ``python-`` (``openstackclient``).

    :raises UnknownNameError: nothing in the release or on the platform bears the name
    """
    if name in release.projects:
        return release.projects[name].dist
    own = {project.dist for project in release.projects.values()}
    known = own | release.pins.keys() | platform.provides.keys()
    for candidate in _candidates(canonicalize_name(name)):
        if candidate in known:
            return candidate
    lowered = name.lower()
    services = [p for p in release.projects.values() if _is_package_of(lowered, p)]
    if services:
        return max(services, key=lambda p: len(p.name)).dist
    raise UnknownNameError("project or package", name, {*release.projects, *release.pins})


def _candidates(name: str) -> Iterator[str]:
    yield name
    for prefix in ("python3-", "python-"):
        if name.startswith(prefix):
            yield name.removeprefix(prefix)
            yield f"python-{name.removeprefix(prefix)}"
    yield f"python-{name}"


def _is_package_of(name: str, project: Project) -> bool:
    source = source_package(project.dist, project)
    return source.startswith("openstack-") and (name == source or name.startswith(f"{source}-"))
