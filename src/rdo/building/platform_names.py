"""Names that the platform has: if our package bears one, it replaces the platform's package on every host.

If both are the same Python distribution, the resolution has chosen ours: the release's data has a pin that
the platform's doesn't fit. Anything else must be stated.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.utils import canonicalize_name

from rdo.building.expectation import Expectation
from rdo.building.models import BuildRequest
from rdo.building.platform_packages import PlatformPackages
from rdo.common.errors import RdoError

_PREFIX = "python3dist("


class TakenNameError(RdoError):
    """Packages would have names of the platform's that are of something else."""


def require_free_names(
    request: BuildRequest, expected: Expectation, packages: PlatformPackages, platform: str
) -> None:
    """Do nothing if no package of a build has the name of another one of the platform's, unless it is stated.

    :param platform: its name, for the error
    :raises TakenNameError: with every such name, and what it is there
    """
    taken = []
    for package in expected.packages:
        name = package.facts.name
        theirs = [info for info in packages.offering(name) if info.name == name]
        dists = {dist for info in theirs for dist in _dists(info.provides)}
        if theirs and name not in request.replaces and request.dist not in dists:
            what = ", ".join(sorted(dists)) or "no Python distribution"
            taken.append(f"{name} is {platform}'s name for {theirs[0].nevra} ({what})")
    if taken:
        raise TakenNameError(
            f"{request.package} would take the place of packages of the platform's: {'; '.join(taken)}.",
            hint="If that is meant, state it in package.yaml: `replaces: {NAME: WHY}`. "
            "Else the package needs another name.",
        )


def _dists(provides: Iterable[str]) -> Iterable[str]:
    """Yield the Python distributions that capabilities name, canonical and without extras."""
    for capability in provides:
        if capability.startswith(_PREFIX):
            yield canonicalize_name(capability.removeprefix(_PREFIX).partition(")")[0].partition("[")[0])
