"""Publication with its checks, against the command lines of createrepo_c and dnf repoclosure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.closure import built_closure
from benchmarks.measure import Row, Sample, measured, row
from benchmarks.places import Bench, installation_of
from rdo.building.models import Artifact
from rdo.building.planner import RootPlanner
from rdo.building.roots import Root, ensure_grown, ensure_tools
from rdo.building.sealed import Bind
from rdo.building.stubs import write_stub_rpms
from rdo.common.errors import RdoError
from rdo.common.progress import Progress
from rdo.repository import keys
from rdo.repository.closure import platform_checker
from rdo.repository.contents import run_beside
from rdo.repository.metadata import RpmFile, describe
from rdo.repository.publication import publish_artifacts

TITLE = "Publication of keystone's closure, and its checks, against plain tools"

_CREATEREPO = "createrepo_c --quiet --no-database /run/bench"
_REPOCLOSURE = (
    "dnf --quiet --disableplugin=local --releasever=13 --setopt=reposdir=/nowhere"
    " --repofrompath=ours,/run/bench"
    " --repofrompath=platform,/run/platform --repo=ours --repo=platform repoclosure --check=ours"
)
_SHARED = ("roots", "sources", "layers", "metadata")


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Publish in installations that never published anything; run the plain tools on the same packages."""
    closure = built_closure(bench, progress, ("keystone",), ())
    artifacts = [one for result in closure.results.values() for one in result.artifacts]
    key = keys.ensure(bench.paths)
    tools = ensure_tools(bench.platform, installation_of(bench.paths), progress)
    tools = ensure_grown(
        tools, ["dnf-plugins-core"], installation_of(bench.paths), progress, title="dnf's plugins"
    )
    seen: dict[str, list[Sample]] = {name: [] for name in ("all", "again", "signed", "check")}
    seen |= {"dnf": [], "createrepo": [], "describe": []}
    with bench.folder() as folder:
        platform = _plain_repository(bench, artifacts, folder, tools)
        for number in range(rounds):
            progress.message(f"round {number + 1} of {rounds}")
            with bench.apart(_SHARED, closure.results.values()) as paths:
                for name in ("all", "again"):
                    with measured() as sample:
                        _publish(bench, artifacts, replace(bench, paths=paths), key)
                    seen[name].append(sample)
                shutil.rmtree(paths.repositories)
                shutil.rmtree(paths.metadata / "repodata-2", ignore_errors=True)
                with measured() as sample:
                    _publish(bench, artifacts, replace(bench, paths=paths), key)
                seen["signed"].append(sample)
            for name, script in (("createrepo", _CREATEREPO), ("dnf", _REPOCLOSURE)):
                seen[name].append(_plain(bench, tools, folder / "ours", platform, script))
            with bench.apart(_SHARED) as paths:
                files = [RpmFile.of(bench.store.path(one.sha256)) for one in artifacts]
                with measured() as sample:
                    described = [describe(one, paths.metadata) for one in files]
                seen["describe"].append(sample)
                with measured() as sample:
                    findings = platform_checker(bench.platform, installation_of(paths))(described, files)
                seen["check"].append(sample)
                if findings:
                    raise RdoError(f"The closure is not clean: {findings[0]}")
    count = f"{len(artifacts)} RPMs, source RPMs among them"
    return [
        row("sign, check, publish", seen["all"], note=count),
        row("check, publish, with signed copies", seen["signed"], note="metadata read anew"),
        row("publish what is published", seen["again"], base=seen["all"], against="the first time"),
        row("`createrepo_c` in the tools root", seen["createrepo"]),
        row("our reading of packages", seen["describe"], base=seen["createrepo"], against="createrepo_c"),
        row("`dnf repoclosure` in the tools root", seen["dnf"], note="requirements only"),
        row(
            "our check",
            seen["check"],
            base=seen["dnf"],
            against="dnf repoclosure",
            note="installability and file conflicts too",
        ),
    ], ["Plain tools run in a sealed root; its start, a few hundredths of a second, is in their figures."]


def _publish(bench: Bench, artifacts: list[Artifact], where: Bench, key: keys.Key) -> None:
    publish_artifacts(
        artifacts,
        run_beside(("keystone",), datetime.now(UTC), key, where.paths),
        release=bench.release,
        platform=bench.platform,
        store=where.store,
        key=key,
        installation=installation_of(where.paths),
    )


def _plain_repository(bench: Bench, artifacts: list[Artifact], folder: Path, tools: Root) -> Path:
    """Lay out the packages, and stubs for the platform's, as folders for plain tools."""
    ours, platform = folder / "ours", folder / "platform"
    ours.mkdir()
    for one in artifacts:
        if not one.filename.endswith(".src.rpm"):
            shutil.copyfile(bench.store.path(one.sha256), ours / one.filename)
    planner = RootPlanner(bench.platform, installation_of(bench.paths))
    platform.mkdir()
    for number, path in enumerate(
        write_stub_rpms(planner.records, folder / "stubs", tools, bench.paths).values()
    ):
        shutil.copyfile(path, platform / f"{number}.rpm")
    _plain(bench, tools, platform, platform, _CREATEREPO)
    return platform


def _plain(bench: Bench, tools: Root, ours: Path, platform: Path, script: str) -> Sample:
    binds = [Bind(ours, "/run/bench", writable=True), Bind(platform, "/run/platform")]
    with measured() as sample:
        result = tools.sandbox(bench.paths).run(["sh", "-c", script], user="root", binds=binds)
    if not result.ok:
        raise RdoError(f"{script}: {result.tail.strip()[-1500:]}")
    return sample
