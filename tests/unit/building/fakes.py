"""A builder in memory: what a spec's first line says is what its RPM holds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rdo.building.builder import RawBuild
from rdo.building.engine import InlineEngine
from rdo.building.expectation import Expectation
from rdo.building.models import Artifact, BuildRequest, SourceFile
from rdo.building.run import RunContext, RunSummary, build_all
from rdo.building.state import State
from rdo.building.store import LocalStore, Store
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress
from tests.settings import installation_of


def request(package: str, *after: str, content: str = "", comment: str = "", **more: object) -> BuildRequest:
    values: dict[str, object] = {
        "package": package,
        "version": "1",
        "release": "1",
        "spec": f"{content or package}\n{comment}\n",
        "sources": (SourceFile(filename=f"{package}.tar.gz", sha256="0" * 64, path=Path("/nowhere")),),
        "build_requires": after,
        "after": after,
        **more,
    }
    return BuildRequest.model_validate(values)


def expectation(request: BuildRequest) -> Expectation:
    """Return an expectation that nobody compares anything with."""
    return Expectation(package=request.package, packages=(), sources={})


@dataclass(frozen=True)
class FakeBuilder:
    """Notes each build in the folder ``journal``, as one line a package."""

    journal: Path
    platform: str = "fake"
    macros: str = "macros"
    failing: frozenset[str] = frozenset()
    unplannable: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    suicidal: frozenset[str] = frozenset()
    seconds: float = 0.0

    def prefetch(self, requests: Iterable[BuildRequest], progress: Progress | None = None) -> None:
        pass

    def plan(self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store) -> tuple[str, ...]:
        if request.package in self.unplannable:
            raise RdoError("nothing provides unicorn", hint="breed one")
        return ("base", *sorted(artifact.sha256 for artifact in artifacts))

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        for artifact in artifacts:
            assert store.path(artifact.sha256).exists()
        self.note(request)
        time.sleep(self.seconds)
        if request.package in self.suicidal and self.built().count(request.package) == 1:
            os.kill(os.getpid(), 9)
        if request.package in self.broken:
            raise ZeroDivisionError("a defect")
        log = folder / "build.log"
        log.write_text(f"building {request.package}\n")
        if request.package in self.failing:
            return RawBuild((), log, 0.5, "error: no such luck\nmore", "try again")
        rpm = folder / f"{request.package}-1.rpm"
        rpm.write_text(request.spec.splitlines()[0])
        return RawBuild((rpm,), log, 0.5, expected=expectation(request))

    def judge(
        self,
        request: BuildRequest,
        artifacts: Sequence[Artifact],
        made: Sequence[Artifact],
        store: Store,
        folder: Path,
    ) -> RawBuild:
        with (self.journal / "judged").open("a") as stream:
            stream.write(f"{request.package}\n")
        if request.package in self.failing:
            return RawBuild((), None, 0.0, "it made another package", "look at its log")
        rpms = tuple(store.path(artifact.sha256) for artifact in made)
        return RawBuild(rpms, None, 0.0, expected=expectation(request))

    def note(self, request: BuildRequest) -> None:
        with (self.journal / "built").open("a") as stream:
            stream.write(request.package + ("" if request.with_check else ":bootstrap") + "\n")

    def built(self) -> list[str]:
        file = self.journal / "built"
        return file.read_text().split() if file.exists() else []


@dataclass(frozen=True)
class House:
    """Everything that a run needs, in one folder."""

    paths: Paths
    store: LocalStore
    state: State
    builder: FakeBuilder

    @classmethod
    def at(cls, folder: Path) -> House:
        paths = Paths(state=folder / "state", cache=folder / "cache", distribution=folder)
        return cls(paths, LocalStore(paths.store), State.open(installation_of(paths)), FakeBuilder(folder))

    def with_builder(self, **changes: object) -> House:
        return replace(self, builder=replace(self.builder, **changes))  # type: ignore[arg-type]

    def run(self, *requests: BuildRequest, engine: object = None) -> RunSummary:
        return build_all(
            requests,
            self.builder,
            self.store,
            self.state,
            engine or InlineEngine(),  # type: ignore[arg-type]
            SilentProgress(),
            RunContext("2026.1", ("asked",), self.paths),
        )


def statuses(summary: RunSummary) -> dict[str, str]:
    return {result.package: result.status for result in summary.results}
