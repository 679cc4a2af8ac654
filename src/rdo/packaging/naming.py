"""Names of packages: from upstream's project and index names to those that EL's users know."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from rdo.distribution.models import Project

_TEMPEST_PLUGIN = re.compile(r"-tempest-(?:plugin|tests)\Z")


def source_package(dist: str, project: Project | None) -> str:
    """Return the name of the source package.

    Services are ``openstack-<project>``, plugins of the dashboard ``openstack-<what they are for>-ui``,
    everything else ``python-<name>``; a project whose users know it otherwise says so in the data.

    :param dist: canonical index name: oslo-config
    :param project: the OpenStack project that makes it, None for third parties
    """
    if project is not None:
        if project.package is not None:
            return project.package
        if project.type == "horizon-plugin":
            return f"openstack-{project.name.removesuffix('-dashboard').removesuffix('-ui')}-ui"
        if project.type == "service":
            return f"openstack-{project.name}"
    return f"python-{_bare(dist)}"


def python_package(dist: str) -> str:
    """Return the name of the binary package with the modules of a canonical index name.

    Plugins of tempest are known as tests: ``python3-cinder-tests-tempest``.

    >>> python_package("python-openstackclient"), python_package("oslo-config")
    ('python3-openstackclient', 'python3-oslo-config')

    Services whose own name was taken on the index have ``openstack-`` before it there:

    >>> python_package("openstack-placement")
    'python3-placement'
    """
    return f"python3-{_bare(dist)}"


def modules_package(dist: str, source: str) -> str:
    """Return the name of the binary package with the modules of a source package.

    It follows the source package where the data names that (horizon's is python-django-horizon).

    >>> modules_package("horizon", "python-django-horizon"), modules_package("nova", "openstack-nova")
    ('python3-django-horizon', 'python3-nova')
    """
    if source.startswith("python-"):
        return f"python3-{source.removeprefix('python-')}"
    return python_package(dist)


def extra_package(dist: str, extra: str) -> str:
    """Return the name of the subpackage of an extra: ``python3-oslo-messaging+kafka``."""
    return f"{python_package(dist)}+{canonicalize_name(extra)}"


def lang_package(dist: str) -> str:
    """Return the name of the subpackage with translations, which no Python version is part of."""
    return f"python-{_bare(dist)}-lang"


def _bare(dist: str) -> str:
    name = _TEMPEST_PLUGIN.sub("-tests-tempest", canonicalize_name(dist))
    return name.removeprefix("python-").removeprefix("openstack-") or name
