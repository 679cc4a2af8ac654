"""From names that a user asked for to build requests: resolve, fetch, generate."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from packaging.utils import canonicalize_name

from rdo.building.models import BuildRequest, SourceFile
from rdo.building.platform_packages import is_configured
from rdo.common.errors import RdoError
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.description import PackageDescription
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.closure import descriptions_by_dist, resolve_closure
from rdo.packaging.preparing import inputs_for
from rdo.packaging.resolution_model import Resolution
from rdo.packaging.spec import generate
from rdo.packaging.spec_model import GeneratedSpec
from rdo.packaging.spec_store import SpecStore
from rdo.upstream.index import Index
from rdo.upstream.models import HookSubject
from rdo.upstream.source_cache import SourceCache
from rdo.upstream.sources import fetch_all

if TYPE_CHECKING:
    from rdo.building.hooks import SealedHooks

_PYTHON = re.compile(r"python3(?:\.\d+)?dist\(([^)\[]+)(\[?)")
_NAME = re.compile(r"[^\s()<>=]+")


@dataclass(frozen=True)
class Prepared:
    """What there is to build: the resolution, and a request for each node of it that is built."""

    resolution: Resolution
    requests: tuple[BuildRequest, ...]


def prepare(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    asked: Sequence[str],
    installation: Installation,
    progress: Progress,
) -> Prepared:
    """Work out what is needed, fetch all sources, generate all specs; nothing is built.

    The specs are kept as the platform's and series' last ones.

    :param asked: names as users write them (:func:`rdo.packaging.asked_names.index_name`)
    :raises UnknownNameError: a name that nothing bears
    :raises ResolutionError: the closure can't be had
    :raises FetchError: sources could not be fetched
    :raises PreparationError: specs could not be generated; all of them, with the reasons
    """
    paths = installation.paths
    described = descriptions_by_dist(distribution, release)
    hooks = (
        _LazyHooks(platform, installation, progress, described)
        if _can_run_hooks(platform, installation)
        else None
    )
    with progress.task("Resolving", total=1) as task:
        resolution = resolve_closure(
            distribution, release, platform, asked, installation, progress, hooks=hooks
        )
        task.advance()
    cache = SourceCache(paths.sources)
    locks = [release.sources[node.dist, node.version] for node in resolution.built]
    sources = fetch_all(locks, installation.part(Index.open), cache, progress)
    specs: dict[str, GeneratedSpec] = {}
    problems: dict[str, RdoError] = {}
    kept = SpecStore.of(paths.specs, platform.name, release.series)
    with progress.task("Generating specs", total=len(resolution.built)) as task:
        for node in resolution.built:
            metadata, source = resolution.metadata[node.dist], sources[node.dist, node.version]
            try:
                inputs = inputs_for(distribution, release, platform, node, metadata, source, paths.metadata)
                specs[node.dist] = generate(inputs)
                kept.save(specs[node.dist])
            except RdoError as error:
                problems[node.dist] = error
            task.advance()
    if problems:
        raise PreparationError(problems)
    return Prepared(resolution, tuple(requests_of(resolution, specs, cache)))


class PreparationError(RdoError):
    """Specs could not be generated; every one, and why."""

    def __init__(self, problems: Mapping[str, RdoError]) -> None:
        self.problems = dict(problems)
        lines = "\n".join(
            f"  {dist}: {error.diagnostics().replace(chr(10), chr(10) + '    ')}"
            for dist, error in sorted(problems.items())
        )
        super().__init__(f"No spec could be generated for {len(problems)} packages:\n{lines}")


class _LazyHooks:
    """Makes the root that backends run in when the first of them has to."""

    def __init__(
        self,
        platform: Platform,
        installation: Installation,
        progress: Progress,
        descriptions: Mapping[str, PackageDescription],
    ) -> None:
        self._platform, self._installation, self._progress = platform, installation, progress
        self._descriptions = descriptions
        self._sealed: SealedHooks | None = None

    def requires_for_build_wheel(self, subject: HookSubject) -> list[str]:
        return self._hooks().requires_for_build_wheel(subject)

    def core_metadata(self, subject: HookSubject) -> str:
        return self._hooks().core_metadata(subject)

    def _hooks(self) -> SealedHooks:
        if self._sealed is None:
            from rdo.building.hooks import SealedHooks
            from rdo.building.planner import RootPlanner

            planner = RootPlanner(self._platform, self._installation, self._progress)
            self._sealed = SealedHooks(planner, self._descriptions)
        return self._sealed


def _can_run_hooks(platform: Platform, installation: Installation) -> bool:
    return os.geteuid() == 0 and is_configured(platform, installation)


def requests_of(
    resolution: Resolution, specs: Mapping[str, GeneratedSpec], cache: SourceCache
) -> list[BuildRequest]:
    """Return the build requests of generated specs.

    Which packages come before one is read from its spec's BuildRequires, and from what these need in turn
    when they are installed.

    :param specs: by canonical index name; one for each node that is built
    :param cache: where files of ours that go into a build are kept
    """
    makers = {sub: dist for dist, spec in specs.items() for sub in (*spec.subpackages, spec.package)}
    return [_request(dist, resolution, specs, makers, cache) for dist in sorted(specs)]


def _request(
    dist: str,
    resolution: Resolution,
    specs: Mapping[str, GeneratedSpec],
    makers: Mapping[str, str],
    cache: SourceCache,
) -> BuildRequest:
    spec = specs[dist]
    checked = set(spec.check_requires)
    hard = _dists((r for r in spec.build_requires if r not in checked), specs, makers)
    soft = _dists(spec.check_requires, specs, makers)
    needed_hard = _with_runtime(hard, resolution, specs)
    needed = needed_hard | _with_runtime(soft, resolution, specs)
    return BuildRequest(
        package=spec.package,
        version=spec.version,
        release=spec.release,
        spec=spec.text,
        sources=tuple(_source_file(spec, number, cache) for number in range(len(spec.sources))),
        build_requires=spec.build_requires,
        check_requires=spec.check_requires,
        after=_packages(needed - {dist}, specs),
        check_after=_packages(needed - needed_hard - {dist}, specs),
        timeout=spec.timeout,
        memory=spec.memory,
        replaces=spec.replaces,
        dist=dist,
        upstream_version=resolution.nodes[dist].version,
    )


def _dists(
    dependencies: Iterable[str], specs: Mapping[str, GeneratedSpec], makers: Mapping[str, str]
) -> dict[str, bool]:
    """Return which built projects RPM dependencies name, by their Python name or by a subpackage's.

    The value says whether what their extras need is needed as well (subpackages may be such).
    """
    found: dict[str, bool] = {}
    for dependency in dependencies:
        python = _PYTHON.findall(dependency)
        named: list[tuple[str, bool]] = [(canonicalize_name(name), bool(extra)) for name, extra in python]
        named += [(makers[word], True) for word in _NAME.findall(dependency) if word in makers]
        for dist, extras in named:
            if dist in specs:
                found[dist] = found.get(dist, False) or extras
    return found


def _with_runtime(
    dists: Mapping[str, bool], resolution: Resolution, specs: Mapping[str, GeneratedSpec]
) -> set[str]:
    """Return built projects with what they need when installed, transitively, as far as we build it."""
    reached = set(dists)
    waiting = {name for dist, all_of_it in dists.items() for name in _needs(dist, all_of_it, resolution)}
    while waiting := (waiting & specs.keys()) - reached:
        reached |= waiting
        waiting = {name for dist in waiting for name in _needs(dist, False, resolution)}
    return reached


def _needs(dist: str, with_extras: bool, resolution: Resolution) -> tuple[str, ...]:
    node = resolution.nodes[dist]
    return (*node.imports, *node.runtime) if with_extras else node.imports


def _packages(dists: Iterable[str], specs: Mapping[str, GeneratedSpec]) -> tuple[str, ...]:
    return tuple(sorted(specs[dist].package for dist in dists))


def _source_file(spec: GeneratedSpec, number: int, cache: SourceCache) -> SourceFile:
    source = spec.sources[number]
    path: Path | None = source.path
    if path is None:
        content = source.content or b""
        kept = cache.find(source.filename, source.sha256) or cache.add(
            source.filename, source.sha256, lambda target: _write(target, content)
        )
        path = kept.path
    return SourceFile(filename=source.filename, sha256=source.sha256, path=path)


def _write(target: IO[bytes], content: bytes) -> None:
    target.write(content)
