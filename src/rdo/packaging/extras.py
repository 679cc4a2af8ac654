"""Which of a distribution's extras become subpackages.

That depends on the release, the platform and the package's own data, and never on what else a run was asked
for: the same package has the same content in every run. And whatever a run was asked for, its repository and
the platform together have what these subpackages require. So there are extras

* that the package's description states: what they need is in the closure whenever the package is;
* for users, where each requirement is one that the platform offers at a fitting version, or that the package
  has anyway; where the release has a pin of it, the pin must fit as well, since some runs build it.
"""

from __future__ import annotations

import re

from rdo.distribution.models import Platform, Release
from rdo.packaging.stated import Stated, Statements, fits
from rdo.upstream.models import Metadata

# Extras for developers of the project itself, or bundles of all others.
_ASIDE = re.compile(
    r"(all|betamax|ci|dev|devel|develop|development|doc|docs|documentation|full|lint|linters?|mypy|pre-commit|"
    r"quality|release|style|benchmarks?|bench|cover|coverage|fuzz|nox|tox|typing|types|type|typecheck|check|checks|"
    r"check-hooks|enabler|pep8|hacking|tests?|testing|unittest|fixtures|maintainer|build|packaging|publish)"
    r"([-_.].*)?|.*[-_.](tests?|docs?|dev|testing|typing)"
)


def is_for_users(extra: str) -> bool:
    """Tell whether an extra is of use to those who run the software.

    >>> is_for_users("kafka"), is_for_users("test"), is_for_users("docs-build")
    (True, False, False)
    """
    return _ASIDE.fullmatch(extra.lower()) is None


def packaged_extras(
    metadata: Metadata, release: Release, platform: Platform, statements: Statements
) -> tuple[str, ...]:
    """Return the extras that become subpackages, in order.

    An extra made of other extras of the same package (``all`` of ``keystone[ldap,memcache]``) needs those to
    be packaged. One that asks for an extra of another package is packaged only where it is stated: what that
    brings, the platform doesn't say.
    """
    stated = statements.extras(metadata)
    if stated is not None:
        return tuple(extra for extra in stated if extra in metadata.extras)
    anyway = {item.dist for item in statements.runtime(metadata)}
    judged: dict[str, bool] = {}

    def is_packaged(extra: str) -> bool:
        if extra not in judged:
            judged[extra] = False  # until it is known; extras that are made of each other stay so
            needs = statements.of_extra(metadata, extra)
            judged[extra] = is_for_users(extra) and bool(needs) and all(map(is_there, needs))
        return judged[extra]

    def is_there(need: Stated) -> bool:
        if need.dist == metadata.dist:
            return all(map(is_packaged, need.extras))
        return not need.extras and _is_always_there(need, release, platform, need.dist in anyway)

    return tuple(extra for extra in sorted(metadata.extras) if is_packaged(extra))


def _is_always_there(need: Stated, release: Release, platform: Platform, required_anyway: bool) -> bool:
    """Tell whether every run that builds the package has what this needs, at a version that fits."""
    offered = platform.provides.get(need.dist)
    if offered is not None and (need.dist in platform.own or release.project_of(need.dist) is not None):
        offered = None
    if offered is None and not required_anyway:
        return False
    pin = release.pin(need.dist, platform.environment)
    versions = [item.version for item in (pin, offered) if item is not None]
    return bool(versions) and all(fits(need.specifier, version) for version in versions)
