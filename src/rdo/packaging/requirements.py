"""Requirements: from PEP 508 to RPM's dependencies, as EL's own macros and generators convert them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name
from packaging.version import Version

from rdo.common.errors import RdoError
from rdo.packaging.versions import dependency_version


class RequirementError(RdoError):
    """A requirement that can't be read, or can't be said to RPM."""


def parse_requirement(text: str, by: str) -> Requirement:
    """Parse a PEP 508 requirement.

    :param by: who states it, for the error
    :raises RequirementError: it can't be parsed
    """
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise RequirementError(f"{by} requires {text!r}, which can't be read: {reason}") from error


def applicable(
    requirements: Iterable[str], environment: Mapping[str, str], by: str, *, extra: str = ""
) -> list[Requirement]:
    """Return the requirements whose markers hold, for one extra or (``""``) for none of them."""
    parsed = (parse_requirement(text, by) for text in requirements)
    context = {**environment, "extra": extra}
    return [item for item in parsed if item.marker is None or item.marker.evaluate(context)]


def python3dist(name: str, extra: str | None = None) -> str:
    """Return RPM's name of a Python distribution: ``python3dist(oslo-config)``."""
    suffix = f"[{canonicalize_name(extra)}]" if extra else ""
    return f"python3dist({canonicalize_name(name)}{suffix})"


def rpm_dependency(requirement: Requirement, extra: str | None = None) -> str:
    """Convert a requirement (its marker apart) to one dependency, rich where it is a range.

    >>> rpm_dependency(Requirement("a>=1,<2"))
    '(python3dist(a) >= 1 with python3dist(a) < 2)'

    :raises RequirementError: a specifier that has no meaning in RPM (a URL, ``=== text``)
    """
    if requirement.url is not None:
        raise RequirementError(f"The requirement {requirement} names a URL; RPM has no such thing.")
    name = python3dist(requirement.name, extra)
    ordered = sorted(
        _essential(requirement.specifier), key=lambda item: (_ORDER[item.operator], item.version)
    )
    clauses = [clause for specifier in ordered for clause in _clauses(name, specifier)]
    unique = list(dict.fromkeys(clauses))
    if not unique:
        return name
    return unique[0] if len(unique) == 1 else f"({' with '.join(unique)})"


_ORDER = {"===": 0, "==": 1, "~=": 2, ">=": 3, ">": 4, "!=": 5, "<": 6, "<=": 7}


def _essential(specifiers: Iterable[Specifier]) -> list[Specifier]:
    """Leave lower bounds out that a higher one makes needless."""
    rows = list(specifiers)
    bounds = [item for item in rows if item.operator == ">="]
    highest = max(bounds, key=lambda item: Version(item.version), default=None)
    return [item for item in rows if item.operator != ">=" or item is highest]


def _clauses(name: str, specifier: Specifier) -> list[str]:
    """Convert one specifier to clauses that must all hold."""
    operator, text = specifier.operator, specifier.version
    if text.endswith(".*"):
        base = Version(text[:-2])
        low, high = dependency_version(base), _next(base, len(base.release))
        if operator == "==":
            return [f"{name} >= {low}", f"{name} < {high}"]
        return [f"({name} < {low} or {name} >= {high})"]
    try:
        version = Version(text)
    except ValueError as error:
        raise RequirementError(f"{specifier} compares with text that is no version.") from error
    value = dependency_version(version)
    if operator == "~=":
        return [f"{name} >= {value}", f"{name} < {_next(version, len(version.release) - 1)}"]
    if operator in ("==", "==="):
        return [f"{name} = {value}"]
    if operator == "!=":
        return [f"({name} < {value} or {name} > {value})"]
    return [f"{name} {operator} {value}"]


def _next(version: Version, length: int) -> str:
    """Return the first version after all that begin with the first ``length`` numbers of one."""
    parts = version.release[:length]
    return dependency_version(version, release=(*parts[:-1], parts[-1] + 1))


def without_upper_bound(requirement: Requirement) -> Requirement:
    """Return the requirement with what holds newer versions off taken away: ``<``, ``<=``, ``==``, ``~=``.

    ``~=`` and ``==`` leave their lower bound.
    """
    kept = []
    for item in requirement.specifier:
        if item.operator in (">=", ">", "!="):
            kept.append(str(item))
        elif item.operator in ("~=", "==", "==="):
            kept.append(f">={item.version.removesuffix('.*')}")
    relaxed = Requirement(str(requirement))
    relaxed.specifier = type(requirement.specifier)(",".join(kept))
    return relaxed
