"""Finding what a user means: a package by its own or its project's name, and its log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rdo.building.models import BuildResult
from rdo.building.run import log_place, publish_log
from rdo.building.state import BuildRecord, State
from rdo.building.store import Store
from rdo.common.errors import UnknownNameError
from rdo.common.paths import Paths


def package_named(name: str, packages: Iterable[str]) -> str:
    """Return the package that a user calls ``name``: keystone and openstack-keystone are the same.

    :raises UnknownNameError: no package bears it
    """
    known = set(packages)
    bare = name.replace(".", "-").replace("_", "-").lower()
    for candidate in (name, f"openstack-{bare}", f"python-{bare}", bare):
        if candidate in known:
            return candidate
    raise UnknownNameError("package", name, known)


def last_build(state: State, name: str) -> BuildRecord:
    """Return the last build of what a user calls ``name``.

    :raises UnknownNameError: no run had it
    """
    package = package_named(name, state.packages())
    found = state.last_build(package)
    if found is None:
        raise UnknownNameError("package", name, state.packages())
    return found


def readable_log(build: BuildRecord, paths: Paths, store: Store) -> Path | None:
    """Return the file of a build's log, brought from the store where it is not there any more; None if none.

    :raises RdoError: the store does not have it any more either
    """
    place = log_place(paths, build.package, build.input_hash)
    if place.exists() or build.log is None:
        return place if place.exists() else None
    result = BuildResult(package=build.package, input_hash=build.input_hash, status="built", log=build.log)
    return publish_log(paths, result, store)
