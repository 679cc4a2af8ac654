"""Which of a distribution's extras become subpackages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from packaging.requirements import Requirement

from rdo.packaging.requirements import requirements_of_extra
from rdo.upstream.models import Metadata

# Extras for developers of the project itself, or bundles of all others.
_ASIDE = re.compile(
    r"(all|ci|dev|devel|develop|development|doc|docs|documentation|full|lint|linters?|mypy|pre-commit|"
    r"quality|release|style|benchmarks?|bench|cover|coverage|fuzz|nox|tox|typing|types|type|check|checks|"
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
    metadata: Metadata, environment: Mapping[str, str], satisfied: Callable[[Requirement], bool]
) -> tuple[str, ...]:
    """Return the extras that become subpackages, in order.

    :param satisfied: tells whether the closure has what a requirement asks for
    """
    chosen = []
    for extra in sorted(metadata.extras):
        if not is_for_users(extra):
            continue
        added = requirements_of_extra(metadata.requires_dist, environment, metadata.dist, extra)
        if added and all(satisfied(item) for item in added):
            chosen.append(extra)
    return tuple(chosen)
