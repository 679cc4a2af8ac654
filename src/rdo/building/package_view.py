"""One package as it is: its binary packages as they were built, else as its spec has them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.state import BuildRecord, State
from rdo.building.store import MissingError, Store
from rdo.common.errors import InputError, UnknownNameError
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.asked_names import index_name
from rdo.packaging.closure import resolve_closure
from rdo.packaging.preparing import inputs_for
from rdo.packaging.provenance import BinaryView, PackageView, Provenance
from rdo.packaging.spec import generate
from rdo.packaging.spec_store import SpecStore
from rdo.packaging.spec_text import binary_packages
from rdo.upstream.index import Index
from rdo.upstream.source_cache import SourceCache
from rdo.upstream.sources import fetch_all


class ShownPackage(PackageView):
    """A package with what became of building it.

    Files and requirements are those of the built RPMs where ``built`` says when they were built; else those
    of the spec of today, without what RPM's generators will find in the files.
    """

    built: datetime | None = Field(default=None, description="UTC")
    asked: str | None = Field(default=None, description="the binary package that was asked for by its name")


def show_package(
    distribution: Distribution,
    release: Release,
    platform: Platform,
    name: str,
    installation: Installation,
    progress: Progress,
    state: State,
    store: Store,
) -> ShownPackage:
    """Return what there is to say of a package.

    :param name: a project, an index name, a source package or a binary package
    :raises UnknownNameError: nothing bears the name
    :raises InputError: the platform provides it itself
    :raises RdoError: its source can't be had, or no spec be made of it
    """
    paths = installation.paths
    dist, asked = _meant(name, release, platform, paths)
    resolution = resolve_closure(distribution, release, platform, [dist], installation, progress)
    node = resolution.nodes[dist]
    if node.origin == "platform":
        raise InputError(
            f"{platform.name} provides {dist} {node.version} itself, as {node.package}.",
            hint="What the platform provides is no package of ours.",
        )
    lock = release.sources[dist, node.version]
    source = fetch_all([lock], installation.part(Index.open), SourceCache(paths.sources), progress)[
        dist, node.version
    ]
    inputs = inputs_for(
        distribution, release, platform, node, resolution.metadata[dist], source, paths.metadata
    )
    made = generate(inputs)
    provenance = Provenance(inputs, made)
    view = provenance.view()
    build = state.last_builds(platform.name, release.series).get(made.package)
    rpms = _rpms(build, made.version, store)
    packages = view.packages
    if rpms:
        packages = tuple(_as_built(rpms[p.name], p, provenance) for p in packages if p.name in rpms)
    values = {name: getattr(view, name) for name in PackageView.model_fields if name != "packages"}
    return ShownPackage(
        **values,
        packages=packages,
        built=build.started if build is not None and rpms else None,
        asked=asked if asked in {package.name for package in packages} else None,
    )


def _meant(name: str, release: Release, platform: Platform, paths: Paths) -> tuple[str, str | None]:
    """Return the index name that a user means, and the name itself, in case it is a binary package's.

    Binary packages whose name follows no rule are known by the last generated specs.
    """
    try:
        return index_name(name, release, platform), name
    except UnknownNameError:
        folder = SpecStore.of(paths.specs, platform.name, release.series).folder
        for file in sorted(folder.glob("*.spec")):
            if name in {package.name for package in binary_packages(file.read_text(encoding="utf-8"))}:
                return index_name(file.stem, release, platform), name
        raise


def _rpms(build: BuildRecord | None, version: str, store: Store) -> dict[str, RpmInfo]:
    """Return the binary RPMs of a build by name; none where it failed, is of another version, or is gone."""
    if build is None or build.status not in ("built", "cached") or build.version != version:
        return {}
    try:
        read = [
            read_rpm(store.path(artifact.sha256), sha256=artifact.sha256)
            for artifact in build.artifacts
            if not artifact.filename.endswith(".src.rpm")
        ]
    except MissingError:
        return {}
    return {info.name: info for info in read}


def _as_built(info: RpmInfo, planned: BinaryView, provenance: Provenance) -> BinaryView:
    requires = [text for text in info.requires if not text.startswith("rpmlib(")]
    return BinaryView(
        name=info.name,
        summary=planned.summary,
        requires=tuple(provenance.requirement(info.name, text) for text in sorted(requires)),
        files=tuple(provenance.file(path) for path in sorted(info.files)),
    )
