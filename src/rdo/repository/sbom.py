"""Bills of materials: what a build was made of, and what a repository holds.

Both are CycloneDX. All that a repository's bill says is from its packages: an RPM's licence and requirements,
and its source RPM's files, of which one is upstream's sdist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from rdo.building.models import BuildRequest
from rdo.building.platform_packages import Held
from rdo.building.solver import capability_names
from rdo.distribution.models import SourceLock
from rdo.repository.cyclonedx import Component, component, document, purl, sdist
from rdo.repository.metadata import NAMESPACES, Described

#: Name of a repository's bill, in the snapshot's folder.
SBOM_FILE = "sbom.cdx.json"

_VENDOR = "rdo"
_RPM = "{http://linux.duke.edu/metadata/rpm}"


@dataclass(frozen=True)
class _Facts:
    """What an RPM's metadata say of it beside its name; capabilities by their names alone."""

    licence: str
    source: str
    provides: frozenset[str]
    requires: frozenset[str]


def repository_sbom(name: str, packages: Sequence[Described]) -> str:
    """Return the bill of a repository's packages, source packages among them.

    A package depends on those of the repository that offer what it requires; what the platform offers is not
    in it.
    """
    facts = {package.nevra: _facts(package) for package in packages}
    upstream = {package.filename: _upstream(package) for package in packages if package.is_source}
    binaries = [package for package in packages if not package.is_source]
    offering: dict[str, set[str]] = defaultdict(set)
    for package in binaries:
        for capability in (*facts[package.nevra].provides, *(entry.path for entry in package.files)):
            offering[capability].add(package.nevra)
    depends = {
        package.nevra: {other for name in facts[package.nevra].requires for other in offering.get(name, ())}
        - {package.nevra}
        for package in binaries
    }
    components = [_rpm(package, facts[package.nevra], upstream) for package in packages]
    newest = max((package.built for package in packages), default=0)
    subject = component("platform", name, ref=name)
    return document(subject, components, depends, datetime.fromtimestamp(newest, UTC))


def build_sbom(
    request: BuildRequest, lock: SourceLock, rpms: Sequence[Described], held: Iterable[Held]
) -> str:
    """Return the bill of one build: its sources, all that was in its root, and the RPMs that came out.

    What was in the root has the scope ``excluded``: it is needed for building only.

    :param lock: upstream's sdist, which is one of the request's sources
    :param rpms: what the build made, its source RPM among it
    """
    origin = sdist(lock.filename, lock.sha256)
    where = purl("pypi", None, lock.dist, lock.version)
    source = origin or component("library", lock.dist, version=lock.version, purl=where, sha256=lock.sha256)
    source |= {"bom-ref": where, "name": lock.dist, "version": lock.version, "purl": where}
    files = [
        component("file", one.filename, ref=f"file:{one.filename}", sha256=one.sha256)
        for one in request.sources
        if one.sha256 != lock.sha256
    ]
    root = {one["bom-ref"]: one for one in map(_held, held)}
    facts = {package.nevra: _facts(package) for package in rpms}
    ours = [_rpm(package, facts[package.nevra], {}) for package in rpms]
    made = next((package for package in rpms if package.is_source), rpms[0])
    subject = component(
        "library",
        request.package,
        ref=request.package,
        version=f"{made.version}-{made.release}",
        licence=facts[made.nevra].licence,
    )
    inputs = [where, *(one["bom-ref"] for one in files), *root]
    depends = {request.package: inputs} | {package.nevra: [request.package] for package in rpms}
    when = datetime.fromisoformat(lock.uploaded) if lock.uploaded else None
    return document(subject, [source, *files, *root.values(), *ours], depends, when)


def _rpm(package: Described, facts: _Facts, upstream: dict[str, Component | None]) -> Component:
    version = f"{package.version}-{package.release}"
    epoch = "" if package.epoch in ("", "0") else package.epoch
    origin = upstream.get(package.filename if package.is_source else facts.source)
    parts = []
    if package.is_source:
        entries = [(entry.path.rpartition("/")[2], entry.digest) for entry in package.files]
        parts = [
            component("file", name, sha256=digest)
            for name, digest in sorted(entries)
            if digest and sdist(name, digest) is None
        ]
    return component(
        "library",
        package.name,
        ref=package.nevra,
        version=f"{epoch}:{version}" if epoch else version,
        purl=purl(
            "rpm",
            _VENDOR,
            package.name,
            version,
            {"arch": package.arch, "epoch": epoch, "upstream": facts.source},
        ),
        sha256=package.sha256,
        licence=facts.licence,
        ancestors=[] if origin is None else [origin],
        components=parts,
    )


def _held(one: Held) -> Component:
    epoch, _, plain = one.version.rpartition(":") if one.kind == "rpm" else ("", "", one.version)
    where = purl(one.kind, one.vendor or _VENDOR, one.name, plain, {"epoch": epoch})
    return component(
        "library", one.name, ref=where, version=one.version, purl=where, sha256=one.sha256, scope="excluded"
    )


def _upstream(source: Described) -> Component | None:
    """Return the sdist in a source RPM; without a reference, since many packages are made from it."""
    for entry in source.files:
        found = sdist(entry.path.rpartition("/")[2], entry.digest)
        if found is not None:
            return {key: value for key, value in found.items() if key != "bom-ref"}
    return None


def _facts(package: Described) -> _Facts:
    root = ElementTree.fromstring(f"<{NAMESPACES['primary']}>{package.primary}</metadata>")
    names = {
        tag: [entry.get("name", "") for entry in root.iterfind(f".//{_RPM}{tag}/{_RPM}entry")]
        for tag in ("provides", "requires")
    }
    return _Facts(
        licence=root.findtext(f".//{_RPM}license") or "",
        source=root.findtext(f".//{_RPM}sourcerpm") or "",
        provides=frozenset(names["provides"]),
        requires=frozenset(one for text in names["requires"] for one in capability_names(text)),
    )
