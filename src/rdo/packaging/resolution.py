"""Resolution: the closure of what was asked for, and where each part of it comes from.

OpenStack's own projects are built at their release's versions, and so are the few names whose description
says ``always_built``. Another name is taken from the platform when the platform's version satisfies every
specifier stated in the closure, and built at the release's pin otherwise. What is built states requirements
of its own, runtime and build, so this goes on until nothing changes; a name that is built never goes back to
the platform, so it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from rdo.common.errors import RdoError
from rdo.distribution.description import PackageDescription
from rdo.distribution.models import Platform, Release, SourceLock
from rdo.packaging.asked_names import index_name
from rdo.packaging.extras import packaged_extras
from rdo.packaging.naming import source_package
from rdo.packaging.resolution_model import Node, Reason, Resolution
from rdo.packaging.stated import Stated, Statements, fits
from rdo.upstream.models import Metadata

MetadataOf = Callable[[Sequence[SourceLock]], Mapping[str, Metadata]]
"""Reads the metadata of several locked sources at once; returns it by canonical index name."""

Kind = Literal["asked", "runtime", "build", "extra"]


class ResolutionError(RdoError):
    """What was asked for can't be had together; every reason that was found."""

    def __init__(self, problems: Iterable[str], series: str) -> None:
        self.problems = sorted(set(problems))
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"The closure can't be resolved ({len(self.problems)}):\n{lines}",
            hint="A missing hash is added by `rdo release lock "
            + series
            + " NAME`; a bound that is too narrow is "
            "relaxed in the package.yaml of the package that states it.",
        )


def resolve(
    release: Release,
    platform: Platform,
    asked: Sequence[str],
    metadata_of: MetadataOf,
    *,
    descriptions: Mapping[str, PackageDescription] | None = None,
) -> Resolution:
    """Work out the closure of what is asked for on a platform.

    :param asked: names as :func:`rdo.packaging.asked_names.index_name` takes them; ``name[extra]`` too
    :param metadata_of: reads sources, many at a time; called once for each wave of the closure
    :param descriptions: packages' descriptions by canonical index name: relaxed and excluded requirements
    :raises UnknownNameError: a name nothing bears
    :raises ResolutionError: names without pin or hash, pins outside stated bounds, Requires-Python: all of
        them together, before anything is built
    """
    always_built = {dist for dist, said in (descriptions or {}).items() if said.always_built is not None}
    closure = _Closure(release, platform, Statements(platform.environment, descriptions), always_built)
    roots: list[str] = []
    for text in asked:
        name, _, extras = text.partition("[")
        dist = index_name(name, release, platform)
        roots.append(dist)
        wanted = frozenset(filter(None, extras.rstrip("]").split(",")))
        closure.demand(Stated(dist, text, SpecifierSet(), wanted), by="", kind="asked")
    closure.grow(metadata_of)
    problems = closure.problems()
    if problems:
        raise ResolutionError(problems, release.series)
    return Resolution(
        series=release.series,
        platform=platform.name,
        asked=tuple(dict.fromkeys(roots)),
        nodes={dist: closure.node(dist) for dist in sorted(closure.demands)},
        metadata={dist: closure.metadata[dist] for dist in sorted(closure.built)},
    )


@dataclass
class _Demand:
    """Everything the closure says about one name."""

    reasons: dict[Reason, None] = field(default_factory=dict)
    specifiers: dict[tuple[str, str], SpecifierSet] = field(default_factory=dict)  # (by, text) -> meaning
    extras: set[str] = field(default_factory=set)
    replaced_because: str | None = None


class _Closure:
    """The state of one resolution."""

    def __init__(
        self, release: Release, platform: Platform, statements: Statements, always_built: Collection[str]
    ) -> None:
        self.always_built = always_built
        self.release, self.platform, self.statements = release, platform, statements
        self.projects = {project.dist: project for project in release.projects.values()}
        self.environment = platform.environment
        self.demands: dict[str, _Demand] = {}
        self.built: dict[str, str] = {}  # name -> version
        self.metadata: dict[str, Metadata] = {}
        self.missing: dict[str, str] = {}  # name -> what is missing
        self._read: set[tuple[str, str]] = set()  # (name, extra) whose requirements are in

    # growing

    def demand(self, stated: Stated, *, by: str, kind: Kind) -> None:
        """Take a requirement in, and decide anew where its name comes from."""
        demand = self.demands.setdefault(stated.dist, _Demand())
        demand.reasons[Reason(by=by, requirement=stated.text, kind=kind)] = None
        demand.extras |= stated.extras
        if stated.dist != by:
            demand.specifiers[(by, stated.text)] = stated.specifier
        if stated.dist in self.built or stated.dist in self.missing:
            return
        because = self._why_built(stated.dist, demand)
        if because is not None:
            demand.replaced_because = because
            self._build(stated.dist)

    def grow(self, metadata_of: MetadataOf) -> None:
        """Read what is built, wave by wave, until nothing new comes."""
        while True:
            wave = [
                self.release.sources[(dist, version)]
                for dist, version in sorted(self.built.items())
                if dist not in self.metadata and dist not in self.missing
            ]
            if wave:
                self.metadata |= metadata_of(wave)
            pending = [
                (dist, extra)
                for dist in sorted(self.metadata)
                for extra in ("", *self._wanted_extras(dist))
                if (dist, extra) not in self._read
            ]
            if not pending and not wave:
                return
            for dist, extra in pending:
                self._take_in(dist, extra)

    def _wanted_extras(self, dist: str) -> list[str]:
        """Return the extras of something built whose requirements belong to the closure."""
        stated = self.statements.extras(self.metadata[dist]) or ()
        return sorted({*self.demands[dist].extras, *stated})

    def _take_in(self, dist: str, extra: str) -> None:
        self._read.add((dist, extra))
        metadata = self.metadata[dist]
        if extra:
            for stated in self.statements.of_extra(metadata, extra):
                self.demand(stated, by=dist, kind="extra")
            return
        for stated in self.statements.runtime(metadata):
            self.demand(stated, by=dist, kind="runtime")
        for stated in self.statements.build(metadata):
            self.demand(stated, by=dist, kind="build")

    def _why_built(self, dist: str, demand: _Demand) -> str | None:
        """Return why the platform's version won't do, None where it does."""
        if dist in self.projects:
            return "is OpenStack's own"
        if dist in self.always_built:
            return "is always built here"
        offered = self.platform.provides.get(dist)
        if offered is None:
            return "the platform has none"
        for (by, text), specifier in demand.specifiers.items():
            if not fits(specifier, offered.version):
                return f"{by or 'the user'} requires {text}"
        pin = self.release.pin(dist, self.environment)
        newer = pin is not None and Version(pin.version) > Version(offered.version)
        if newer and self.platform.older_than_pin == "replaced":
            return "is older than the release's pin"
        return None

    def _build(self, dist: str) -> None:
        pin = self.release.pin(dist, self.environment)
        project = self.projects.get(dist)
        version = pin.version if pin is not None else project.version if project is not None else None
        if version is None:
            self.missing[dist] = "the release has no pin of it"
            return
        self.built[dist] = version
        if (dist, version) not in self.release.sources:
            self.missing[dist] = f"the release's lock has no hash of {version}"

    # judging

    def problems(self) -> list[str]:
        """Return everything that speaks against building this, in sentences."""
        found = [
            f"{dist} is needed and {what} ({self._who(dist)}); {self._offer(dist)}."
            for dist, what in self.missing.items()
        ]
        for dist, demand in self.demands.items():
            offered = self.platform.provides.get(dist)
            version = self.built.get(dist) or (offered.version if offered is not None else None)
            if version is None or (dist in self.missing and dist not in self.built):
                continue
            whose = f"{self.release.series} pins" if dist in self.built else f"{self.platform.name} provides"
            found += [
                f"{by or 'the user'} requires {text}, and {whose} {dist} {version}."
                for (by, text), specifier in demand.specifiers.items()
                if not fits(specifier, version)
            ]
        python = self.platform.python_version
        for dist, metadata in self.metadata.items():
            found += [
                f"{dist} {metadata.version} has no extra {extra}, which its package.yaml states."
                for extra in self.statements.extras(metadata) or ()
                if extra not in metadata.extras
            ]
            if metadata.requires_python and not _python_fits(metadata.requires_python, python):
                found.append(
                    f"{dist} {metadata.version} requires Python {metadata.requires_python}, "
                    f"and {self.platform.name} has {python}."
                )
        return found

    def _who(self, dist: str) -> str:
        reasons = list(self.demands[dist].reasons)
        said = [f"{r.by or 'the user'} requires {r.requirement}" for r in reasons[:3]]
        return "; ".join(said) + (f"; and {len(reasons) - 3} more" if len(reasons) > 3 else "")

    def _offer(self, dist: str) -> str:
        offered = self.platform.provides.get(dist)
        return f"{self.platform.name} provides " + ("none" if offered is None else offered.version)

    # answering

    def node(self, dist: str) -> Node:
        """Return the finished node of a name."""
        demand, offered = self.demands[dist], self.platform.provides.get(dist)
        if dist not in self.built:
            assert offered is not None, dist
            return Node(
                dist=dist,
                version=offered.version,
                origin="platform",
                package=offered.package,
                reasons=tuple(demand.reasons),
                extras=tuple(sorted(demand.extras)),
            )
        metadata = self.metadata[dist]
        runtime = self.statements.runtime(metadata)
        packaged = packaged_extras(metadata, self.release, self.platform, self.statements)
        of_extras = [
            stated
            for extra in sorted({*demand.extras, *packaged})
            for stated in self.statements.of_extra(metadata, extra)
            if stated.dist in self.demands
        ]
        return Node(
            dist=dist,
            version=self.built[dist],
            origin="build",
            package=source_package(dist, self.projects.get(dist)),
            reasons=tuple(demand.reasons),
            runtime=_names([*runtime, *of_extras], dist),
            build=_names(self.statements.build(metadata), dist),
            imports=_names([*runtime, *self._through_extras(runtime)], dist),
            extras=tuple(sorted(demand.extras)),
            replaces=None if offered is None else offered.version,
            replaces_because=None if offered is None else demand.replaced_because,
        )

    def _through_extras(self, stated: Iterable[Stated]) -> list[Stated]:
        """Return what the extras bring that requirements name: oslo.cache[dogpile] brings dogpile.

        Only of what is built in every closure with this requirement, since a package's own requirements
        must not hang on what else is asked for. Of the platform's packages nobody knows.
        """
        found: list[Stated] = []
        for item in stated:
            if item.extras and self._is_always_built(item):
                metadata = self.metadata[item.dist]
                for extra in sorted(item.extras):
                    found += self.statements.of_extra(metadata, extra)
        return found

    def _is_always_built(self, stated: Stated) -> bool:
        alone = _Demand(specifiers={("", stated.text): stated.specifier})
        return self._why_built(stated.dist, alone) is not None


def _python_fits(requires: str, python: str) -> bool:
    try:
        return fits(SpecifierSet(requires), python)
    except InvalidSpecifier:
        return True  # a statement that can't be read rules nothing out


def _names(stated: Iterable[Stated], own: str) -> tuple[str, ...]:
    return tuple(sorted({item.dist for item in stated} - {own}))
