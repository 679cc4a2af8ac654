"""One build: rpmbuild in a sealed root that holds the build requirements' closure and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rdo.building.builder import RawBuild
from rdo.building.diagnosis import diagnose
from rdo.building.inspection import REFUSED, accepted, read_expectation, refusal
from rdo.building.integrity import CacheError
from rdo.building.models import Artifact, BuildRequest
from rdo.building.output import collect, copy_script
from rdo.building.planner import RootPlan, RootPlanner
from rdo.building.roots import ensure_build_root
from rdo.building.rpm_layers import JUST_DB
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.sealed import Bind, Limits, Sandbox, SandboxError, SealedResult, scratch_folder
from rdo.building.store import Store
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.models import Platform
from rdo.upstream.models import Source
from rdo.upstream.source_cache import SourceCache

_TOP = "/builddir/build"

# The rpmdb first learns what is in the root, so that rpmbuild's own check of build requirements is real;
# the stubs and RPMs it is told from lie in a folder that the build user can't open. Sources get one fixed
# time stamp (the first that zip archives know), since their times go into the source RPM.
_BEFORE = f"""
mkdir -p {_TOP} || exit 1
if [ -n "$(ls /run/rdo/db)" ]; then {JUST_DB} /run/rdo/db/*.rpm || exit 1; fi
cd {_TOP} && mkdir -p BUILD BUILDROOT RPMS SRPMS SOURCES SPECS || exit 1
cp -r /run/rdo/in/. SOURCES/ && mv SOURCES/*.spec SPECS/ 2>/dev/null
find SOURCES SPECS -type f -exec touch -d @315532800 {{}} +
chown -R mockbuild: {_TOP}
"""
_AFTER = copy_script(_TOP, "/run/rdo/out")


_LIMIT_HINT = "`minutes` and `memory` of its package.yaml raise the limits of time, memory and files."


def build_in_root(
    request: BuildRequest,
    available: Iterable[RpmInfo],
    rpms: Mapping[str, Path],
    planner: RootPlanner,
    folder: Path,
    progress: Progress | None = None,
    *,
    limits: Limits | None = None,
) -> RawBuild:
    """Build a package; what comes out lies in ``folder`` and is what the request leads to expect.

    :param available: packages of ours that may satisfy build requirements
    :param rpms: where they lie, by SHA-256
    :param folder: an empty folder for this build alone
    :param limits: what the build may use; its time is limited by the request in any case
    :raises HashMismatchError: a source is not what it should be; it is put aside and nothing is built
    :raises UnsatisfiedError: a build requirement can't be satisfied
    :raises CacheError: the cache changed under the build
    :raises SandboxError: the sandbox or the machine failed, not the package
    :raises RdoError: the root could not be made
    """
    plan = planner.plan(request.build_requires, available, what=request.package)
    inputs = folder / "in"
    sources = SourceCache(planner.paths.sources)
    for source in request.sources:
        # Verified when it was fetched; the disk may have changed it since.
        sources.check(Source(filename=source.filename, sha256=source.sha256, path=source.path))
    _lay_inputs(request, inputs)
    command = ["rpmbuild", "-ba", *_options(request.with_check), f"{_TOP}/SPECS/{request.package}.spec"]
    limits = replace(limits or Limits(), timeout=request.timeout)
    if request.memory is not None:
        limits = replace(limits, memory=request.memory)
    expected = read_expectation(request, plan, planner, inputs, folder)
    raw = _build(command, plan, rpms, planner, folder, limits, progress)
    if raw.reason is not None:
        return raw
    return accepted(raw, expected, planner, folder)


def rebuild(
    srpm: Path,
    available: Iterable[RpmInfo],
    rpms: Mapping[str, Path],
    planner: RootPlanner,
    folder: Path,
    *,
    timeout: float = 900.0,
    with_check: bool = True,
) -> RawBuild:
    """Build binary and source RPMs again from a source RPM, with plain rpmbuild.

    :raises UnsatisfiedError: a build requirement can't be satisfied
    """
    info = read_rpm(srpm)
    plan = planner.plan(info.requires, available, what=info.name)
    (folder / "in").mkdir(parents=True)
    _link(srpm, folder / "in" / "package.src.rpm")
    # -ba of what is inside rather than --rebuild: the same stages as the first build, so the same files.
    script = f'rpm -i "$1" {_TOP}/SOURCES/package.src.rpm && exec rpmbuild -ba "$@" {_TOP}/SPECS/*.spec'
    command = ["sh", "-c", script, "rebuild", *_options(with_check)]
    return _build(command, plan, rpms, planner, folder, Limits(timeout=timeout), None)


def _options(with_check: bool) -> list[str]:
    defines = [f"--define=_topdir {_TOP}", "--define=_srcdefattr (-,root,root)"]
    return defines if with_check else [*defines, "--without", "check", "--nocheck"]


def _build(
    command: Sequence[str],
    plan: RootPlan,
    rpms: Mapping[str, Path],
    planner: RootPlanner,
    folder: Path,
    limits: Limits,
    progress: Progress | None,
) -> RawBuild:
    layers = planner.ensure(plan, rpms, progress)
    database, out = folder / "db", folder / "out"
    database.mkdir(mode=0o700)
    out.mkdir()
    for number, path in enumerate(planner.database(plan)):
        _link(path, database / f"{number}.rpm")
    binds = [
        Bind(folder / "in", "/run/rdo/in"),
        Bind(database, "/run/rdo/db"),
        Bind(out, "/run/rdo/out", writable=True),
    ]
    log = folder / "build.log"
    sandbox = Sandbox([layer.path for layer in layers], scratch_folder(planner.paths))
    try:
        result = sandbox.run(
            command, cwd="/builddir", binds=binds, log=log, limits=limits, before=_BEFORE, after=_AFTER
        )
    except SandboxError:
        planner.inspect(layers, again=True)
        raise
    planner.inspect(layers, again=not result.ok)
    if not result.ok:
        return _failure(result, plan, planner, log)
    made, problems = collect(out)
    if problems:
        return RawBuild((), log, result.seconds, refusal(problems), REFUSED)
    if not made:
        return RawBuild((), log, result.seconds, "rpmbuild ended well but wrote no package.")
    return RawBuild(tuple(made[name] for name in sorted(made)), log, result.seconds)


def _failure(result: SealedResult, plan: RootPlan, planner: RootPlanner, log: Path) -> RawBuild:
    if result.limit is not None:
        words = [line for line in result.tail.splitlines() if line.strip()]
        last = f" Its last words: {words[-2][:300]}" if len(words) > 1 else ""
        return RawBuild((), log, result.seconds, result.limit + last, _LIMIT_HINT)
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - (4 << 20)))
        text = stream.read().decode(errors="replace")
    found = diagnose(text, [*planner.records, *plan.rpms], planner.platform)
    return RawBuild((), log, result.seconds, found.reason, found.hint)


def _lay_inputs(request: BuildRequest, inputs: Path) -> None:
    inputs.mkdir(parents=True)
    (inputs / f"{request.package}.spec").write_text(request.spec)
    for source in request.sources:
        _link(source.path, inputs / source.filename)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@lru_cache(maxsize=4)
def _planner(platform_json: str, installation: Installation) -> RootPlanner:
    return RootPlanner(Platform.model_validate_json(platform_json), installation)


@dataclass(frozen=True)
class RootBuilder:
    """Builds packages of one platform in sealed roots (see :class:`rdo.building.builder.Builder`).

    It holds plain values and crosses process borders; each process makes its planner once.
    """

    platform_json: str
    platform: str
    macros: str
    installation: Installation

    @classmethod
    def make(
        cls, platform: Platform, installation: Installation, progress: Progress | None = None
    ) -> RootBuilder:
        """Return a builder; the base root is made if it is not there.

        :raises RdoError: the base root could not be made
        """
        text = platform.model_dump_json()
        root = ensure_build_root(platform, installation, progress)
        return cls(text, platform.name, root.layers[0].id, installation)

    @property
    def planner(self) -> RootPlanner:
        """This process's planner."""
        return _planner(self.platform_json, self.installation)

    def prefetch(self, requests: Iterable[BuildRequest], progress: Progress | None = None) -> None:
        """Fetch in one go what of the platform the requests will need, before any of them is built."""
        self.planner.prefetch([request.build_requires for request in requests], progress)

    def plan(self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store) -> tuple[str, ...]:
        """Return the ids of the layers of the request's root, topmost first, without making any.

        :raises UnsatisfiedError: a build requirement can't be satisfied
        """
        infos = self.infos(artifacts, store)
        return self.planner.plan(request.build_requires, infos, what=request.package).layers

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        """Build a request in a root of exactly those layers; write into ``folder`` only.

        :raises RdoError: the root could not be made
        """
        infos = self.infos(artifacts, store)
        places = _Places(store, {info.sha256 for info in infos})
        try:
            return self._build(request, infos, places, folder / "first")
        except CacheError:
            # What was damaged has been set aside. A new planner makes it anew; only the same root will do,
            # since the build's identity is known already.
            before = self.planner.plan(request.build_requires, infos, what=request.package).layers
            _planner.cache_clear()
            if self.planner.plan(request.build_requires, infos, what=request.package).layers != before:
                raise
            return self._build(request, infos, places, folder / "second")

    def _build(
        self, request: BuildRequest, infos: Sequence[RpmInfo], places: Mapping[str, Path], folder: Path
    ) -> RawBuild:
        try:
            return build_in_root(request, infos, places, self.planner, folder)
        except OSError as error:
            # A full disk, too many open files: nothing that the package could help.
            raise SandboxError(f"This machine failed the build of {request.package}: {error}") from error

    def judge(
        self,
        request: BuildRequest,
        artifacts: Sequence[Artifact],
        made: Sequence[Artifact],
        store: Store,
        folder: Path,
    ) -> RawBuild:
        """Compare what was built before with what a request leads to expect; write into ``folder`` only.

        :raises RdoError: the root could not be made
        """
        planner = self.planner
        plan = planner.plan(request.build_requires, self.infos(artifacts, store), what=request.package)
        inputs, built = folder / "in", folder / "made"
        built.mkdir(parents=True)
        for artifact in made:
            _link(store.path(artifact.sha256), built / artifact.filename)
        _lay_inputs(request, inputs)
        expected = read_expectation(request, plan, planner, inputs, folder)
        return accepted(RawBuild(tuple(sorted(built.iterdir())), None, 0.0), expected, planner, folder)

    def infos(self, artifacts: Sequence[Artifact], store: Store) -> list[RpmInfo]:
        """Return what artifacts say of themselves, source RPMs left out."""
        return [
            _info(one, store, self.installation.paths)
            for one in artifacts
            if not one.filename.endswith(".src.rpm")
        ]


class _Places(Mapping[str, Path]):
    """Where our RPMs lie; the store is asked only for those that are looked at."""

    def __init__(self, store: Store, digests: set[str]) -> None:
        self._store, self._digests = store, digests

    def __getitem__(self, digest: str) -> Path:
        if digest not in self._digests:
            raise KeyError(digest)
        return self._store.path(digest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


_INFOS: dict[str, RpmInfo] = {}


def _info(artifact: Artifact, store: Store, paths: Paths) -> RpmInfo:
    known = _INFOS.get(artifact.sha256)
    if known is None:
        cache = paths.metadata / "rpms"
        kept = cache / f"{artifact.sha256}.json"
        if kept.exists():
            known = RpmInfo.model_validate_json(kept.read_bytes())
        else:
            known = read_rpm(store.path(artifact.sha256), sha256=artifact.sha256, cache=cache)
        _INFOS[artifact.sha256] = known
    return known
