"""Requirements as packages state them: parsed once, with markers, extras, and a packager's exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from rdo.distribution.description import PackageDescription
from rdo.packaging.requirements import parse_requirement, without_upper_bound
from rdo.upstream.models import Metadata


@dataclass(frozen=True)
class Stated:
    """One requirement that holds: on ``dist``, in the words ``text``, meaning ``specifier``.

    ``text`` is upstream's; ``specifier`` lacks the upper bound where the package's description relaxes it.
    """

    dist: str
    text: str
    specifier: SpecifierSet
    extras: frozenset[str]


class Statements:
    """Reads the requirements of packages in one environment.

    :param environment: PEP 508's variables of the platform's Python
    :param descriptions: by canonical index name
    """

    def __init__(
        self, environment: Mapping[str, str], descriptions: Mapping[str, PackageDescription] | None = None
    ) -> None:
        self._environment = dict(environment)
        self._descriptions = descriptions or {}

    def runtime(self, metadata: Metadata) -> list[Stated]:
        """Return what a package requires without any of its extras, its description's ``needs`` included."""
        stated = list(self._read(metadata.dist, metadata.requires_dist, ""))
        description = self._descriptions.get(metadata.dist)
        if description is not None:
            known = {item.dist for item in stated}
            more = sorted(set(description.needs) - known)
            stated += [Stated(name, name, SpecifierSet(), frozenset()) for name in more]
        return stated

    def of_extra(self, metadata: Metadata, extra: str) -> list[Stated]:
        """Return what an extra requires beyond that."""
        plain = {stated.text for stated in self.runtime(metadata)}
        return [s for s in self._read(metadata.dist, metadata.requires_dist, extra) if s.text not in plain]

    def extras(self, metadata: Metadata) -> tuple[str, ...] | None:
        """Return the extras that a package's description wants packaged, in order; None: it has no say."""
        description = self._descriptions.get(metadata.dist)
        if description is None or description.extras is None:
            return None
        return tuple(sorted({canonicalize_name(extra) for extra in description.extras}))

    def build(self, metadata: Metadata) -> list[Stated]:
        """Return what building a package requires, its runtime requirements left aside."""
        return list(self._read(metadata.dist, metadata.build_system.requires, ""))

    def _read(self, by: str, texts: Iterable[str], extra: str) -> Iterator[Stated]:
        description = self._descriptions.get(by)
        for text in texts:
            requirement, name = _parsed(text, by)
            if description is not None and name in description.exclude:
                continue
            if requirement.marker is not None and not self._holds(requirement, extra):
                continue
            extras = frozenset(canonicalize_name(e) for e in requirement.extras)
            if name == by:
                # keystone[all] = keystone[ldap,memcache]: an extra made of other extras of its own
                if extras:
                    yield Stated(name, text, SpecifierSet(), extras)
                continue
            if description is not None and name in description.relax:
                requirement = without_upper_bound(requirement)
            yield Stated(name, text, requirement.specifier, extras)

    def _holds(self, requirement: Requirement, extra: str) -> bool:
        assert requirement.marker is not None
        return requirement.marker.evaluate({**self._environment, "extra": extra})


def fits(specifier: SpecifierSet, version: str) -> bool:
    """Tell whether a version satisfies a specifier, prereleases counting like any other."""
    return specifier.contains(Version(version), prereleases=True)


@lru_cache(maxsize=20_000)
def _parsed(text: str, by: str) -> tuple[Requirement, str]:
    requirement = parse_requirement(text, by)
    return requirement, canonicalize_name(requirement.name)
