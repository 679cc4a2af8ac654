"""The BuildRequires of a package: its build system's requirements, and what importing it needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rdo.packaging.requirements import applicable, python3dist, rpm_dependency, without_upper_bound
from rdo.packaging.spec_model import SpecInputs

_COMPILERS = {"c": ("gcc",), "c++": ("gcc-c++",), "cython": ("gcc",), "rust": ("cargo", "gcc", "rust")}
# What backends start. They ask for these as Python packages where they don't find the commands.
_TOOLS = {"mesonpy": ("ninja-build",), "scikit_build_core.build": ("cmake", "ninja-build")}
# Newer setuptools make wheels by themselves.
_SETUPTOOLS_WITH_WHEEL = Version("70.1")


@dataclass(frozen=True)
class BuildRequirements:
    """RPM dependencies: of the build itself, and of %check besides (none is in both)."""

    build: tuple[str, ...]
    check: tuple[str, ...]


def build_requirements(
    inputs: SpecInputs, languages: Iterable[str], natives: Iterable[str]
) -> BuildRequirements:
    """Work out what must be in the build root.

    :param languages: of compiled modules, as in :class:`Inspection`
    :param natives: dependencies that are not Python's: the description's, and those of generated steps
    """
    by, environment = inputs.metadata.dist, inputs.platform.environment
    system = inputs.metadata.build_system
    stated = applicable(system.requires, environment, by)
    runtime = applicable(inputs.metadata.requires_dist, environment, by)
    compilers = {name for language in languages for name in _COMPILERS[language]}
    started = _TOOLS.get(system.backend, ())
    tools = ["python3-devel", "pyproject-rpm-macros", *sorted({*compilers, *started, *natives})]
    python = {"python3dist(pip)", *_converted(inputs, stated), *_wheel(inputs)}
    build = (*tools, *sorted(python, key=_key))
    tests = {*_converted(inputs, runtime), *through_extras(inputs), *inputs.stated.check_requires}
    return BuildRequirements(build, tuple(sorted(tests - set(build), key=_key)))


def through_extras(inputs: SpecInputs) -> list[str]:
    """Return what is needed since a requirement names an extra: ``oslo.cache[dogpile]`` needs dogpile.cache.

    RPM's generators leave extras out of what they require, and a platform's packages don't provide them.
    """
    runtime = applicable(inputs.metadata.requires_dist, inputs.platform.environment, inputs.metadata.dist)
    plain = {canonicalize_name(item.name) for item in runtime}
    return [python3dist(name) for name in inputs.node.imports if name not in plain]


def _key(dependency: str) -> tuple[str, str]:
    return dependency.lstrip("(").split(" ")[0], dependency


def _converted(inputs: SpecInputs, requirements: Iterable[Requirement]) -> list[str]:
    """Convert requirements; what is stated of one name in several places is one dependency."""
    stated = inputs.stated
    merged: dict[str, Requirement] = {}
    for item in requirements:
        name = canonicalize_name(item.name)
        if name in stated.exclude or name == inputs.metadata.dist:
            continue
        wanted = without_upper_bound(item) if name in stated.relax else item
        if name in merged and wanted.url is None:
            merged[name].specifier &= wanted.specifier
        else:
            merged[name] = wanted
    return [rpm_dependency(item) for item in merged.values()]


def _wheel(inputs: SpecInputs) -> list[str]:
    """Return the wheel project where the platform's setuptools can't make wheels alone."""
    provided = inputs.platform.provides.get("setuptools")
    backend = inputs.metadata.build_system.wraps or inputs.metadata.build_system.backend
    if provided is None or not backend.startswith(("setuptools", "pbr")):
        return []
    return ["python3dist(wheel)"] if Version(provided.version) < _SETUPTOOLS_WITH_WHEEL else []
