"""Projects in RDO: what each is, which packages it is in here, and what became of building it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from rdo.building.models import Value
from rdo.building.state import BuildRecord, State
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution, package_folders
from rdo.distribution.models import Platform, Project, Release
from rdo.packaging.naming import source_package
from rdo.packaging.prose import summary_of
from rdo.packaging.spec_store import SpecStore
from rdo.packaging.spec_text import binary_packages
from rdo.packaging.versions import rpm_version
from rdo.upstream.metadata_cache import MetadataCache

Standing = Literal["built", "failed", "not built", "not shipped"]


class CatalogueEntry(Value):
    """One project of a release on a platform."""

    project: str
    summary: str = Field(default="", description="empty where its source has not been read yet")
    type: str | None = None
    component: str | None = None
    version: str | None = None
    package: str | None = Field(default=None, description="source package, where it is shipped")
    binaries: tuple[str, ...] = Field(
        default=(), description="of its last build, else of its last spec; none before there is one"
    )
    state: Standing
    reason: str | None = Field(default=None, description="why it is not built or not shipped, in a line")
    hand_written: int = Field(default=0, description="lines in packages/<project>/ that aren't empty")


def catalogue(
    distribution: Distribution, release: Release, platform: Platform, paths: Paths, state: State
) -> list[CatalogueEntry]:
    """Return the projects of a release by name, and what coverage says of projects that it doesn't have."""
    builds = state.last_builds(platform.name, release.series)
    specs = SpecStore.of(paths.specs, platform.name, release.series)
    written = hand_written_lines(distribution)
    metadata = MetadataCache(paths.metadata)
    found = [
        _entry(distribution, release, platform, project, builds, specs, metadata, written)
        for project in release.projects.values()
    ]
    found += [
        CatalogueEntry(project=name, state="not shipped", reason=reason)
        for name, reason in release.not_shipped.items()
        if name not in release.projects
    ]
    return sorted(found, key=lambda entry: entry.project)


def _entry(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    project: Project,
    builds: Mapping[str, BuildRecord],
    specs: SpecStore,
    metadata: MetadataCache,
    written: Mapping[str, int],
) -> CatalogueEntry:
    pin = release.pin(project.dist, platform.environment)
    version = pin.version if pin is not None else project.version
    lock = release.sources.get((project.dist, version))
    known = metadata.find(lock.sha256) if lock is not None else None
    stated = distribution.package(project.name)
    entry = CatalogueEntry(
        project=project.name,
        summary="" if known is None else summary_of(known, stated.summary if stated else None),
        type=project.type,
        component=project.component,
        version=version,
        state="not shipped",
        reason=release.not_shipped.get(project.name),
        hand_written=written.get(project.name, 0),
    )
    if project.name in release.not_shipped:
        return entry
    package = source_package(project.dist, project)
    build = builds.get(package)
    standing, reason = _standing(build, rpm_version(version).version)
    binaries = _built_binaries(build) if build and standing == "built" else _of_spec(specs.last(package))
    return entry.model_copy(
        update={"package": package, "binaries": binaries, "state": standing, "reason": reason}
    )


def _standing(build: BuildRecord | None, version: str) -> tuple[Standing, str | None]:
    """Say what a package's last build means for the version that it should have."""
    if build is None:
        return "not built", None
    if build.version != version:
        return "not built", f"{build.version} was {build.status} last"
    if build.status in ("built", "cached"):
        return "built", None
    if build.status == "failed":
        return "failed", (build.reason or "no reason known").splitlines()[0]
    return "not built", build.reason or build.status


def _built_binaries(build: BuildRecord) -> tuple[str, ...]:
    names = (a.filename for a in build.artifacts if not a.filename.endswith(".src.rpm"))
    return tuple(sorted({name.rsplit("-", 2)[0] for name in names}))


def _of_spec(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(sorted(package.name for package in binary_packages(text)))


def hand_written_lines(distribution: Distribution) -> dict[str, int]:
    """Return how many lines people have written of each package: of all its files, empty ones left aside."""
    return {
        name: sum(_lines(file) for file in sorted(folder.rglob("*")) if file.is_file())
        for name, folder in package_folders(distribution).items()
    }


def _lines(file: Path) -> int:
    return sum(1 for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip())
