"""Upstream packages as they are, recorded from their sdists, and what surrounds them in a test.

Record one anew: ``python -m tests.unit.packaging.recorded_packages SDIST UPLOADED``.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path

from packaging.utils import canonicalize_name

from rdo.common.files import sha256_file
from rdo.distribution.load import Distribution
from rdo.distribution.models import DebootstrapRoot, Pin, Platform, Project, Provided, Release, SourceLock
from rdo.packaging.inspection import Inspection, inspect
from rdo.packaging.naming import source_package
from rdo.packaging.requirements import applicable
from rdo.packaging.resolution_model import Node
from rdo.packaging.spec_model import SpecInputs
from rdo.upstream.metadata import read_metadata
from rdo.upstream.models import Metadata, Source

HERE = Path(__file__).parent
DISTRIBUTION = HERE.parents[2] / "distribution"

_SERVICES = ("keystone",)
_PLUGINS = ("heat-dashboard",)
_DASHBOARD = re.compile(r"[^/]+/(local/)?(conf|enabled|local_settings\.d)/")
_LIBRARIES = (
    "keystoneauth",
    "os-vif",
    "oslo.config",
    "oslo.log",
    "oslo.messaging",
    "pbr",
    "python-openstackclient",
)
# What the platform offers of what extras need; brotli is too old.
_OFFERED = {
    "brotli": "1.1.0",
    "chardet": "5.2.0",
    "confluent-kafka": "1.7.0",
    "h2": "4.2.0",
    "ldappool": "3.0.0",
    "oauthlib": "3.2.2",
    "paste": "3.10.1",
    "pysocks": "1.7.1",
    "python-ldap": "3.4.4",
    "systemd-python": "235",
}
_DISTS = {"keystoneauth": "keystoneauth1", "oslo.config": "oslo-config"}


def names() -> list[str]:
    return sorted(file.stem for file in (HERE / "recorded").glob("*.json"))


def release() -> Release:
    projects = {
        name: Project(
            name=name,
            dist=_DISTS.get(name, canonicalize_name(name)),
            type="service" if name in _SERVICES else "horizon-plugin" if name in _PLUGINS else "library",
            repository=f"openstack/{name}",
            version="1.0",
            commit="0" * 40,
        )
        for name in (*_SERVICES, *_PLUGINS, *_LIBRARIES)
    }
    pins = {name: (Pin(version="99", origin="constraints"),) for name in ("oauthlib", "requests-kerberos")}
    return Release(
        series="2026.1",
        codename="gazpacho",
        phase="maintained",
        released=date(2026, 4, 1),
        platforms=("test",),
        projects=projects,
        pins=pins,
    )


def platform() -> Platform:
    return Platform(
        name="test",
        title="A platform for tests",
        architecture="x86_64",
        python="3.13",
        python_version="3.13.5",
        dist=".test",
        tested=False,
        root=DebootstrapRoot(kind="debootstrap", suite="trixie", packages=()),
        provides={name: Provided(version=version, package=name) for name, version in _OFFERED.items()},
    )


def inputs_of(name: str) -> SpecInputs:
    """Return the inputs of a recorded package."""
    data = json.loads((HERE / "recorded" / f"{name}.json").read_text())
    metadata = Metadata.model_validate(data["metadata"])
    here, under = release(), platform()
    project = here.project_of(metadata.dist)
    key = project.name if project is not None else metadata.dist
    description = Distribution.load(DISTRIBUTION).package(key)
    runtime = applicable(metadata.requires_dist, under.environment, metadata.dist)
    names = sorted({canonicalize_name(item.name) for item in runtime})
    node = Node(
        dist=metadata.dist,
        version=metadata.version,
        origin="build",
        package=source_package(metadata.dist, project),
        reasons=(),
        runtime=tuple(names),
        imports=tuple(names),
    )
    return SpecInputs(
        release=here,
        platform=under,
        node=node,
        metadata=metadata,
        inspection=Inspection.model_validate(data["inspection"]),
        lock=SourceLock.model_validate(data["lock"]),
        project=project,
        description=description,
        folder=None if description is None else DISTRIBUTION / "packages" / key,
    )


def record(sdist: Path, uploaded: str) -> None:
    """Write what a spec is made of; of the list of files only what matters to one."""
    source = Source(filename=sdist.name, sha256=sha256_file(sdist), path=sdist)
    metadata = read_metadata(source)
    inspection = inspect(source, metadata)
    files = [name for name in metadata.files if "/" not in name]
    files += [name for name in metadata.files if name.startswith("doc/source/")][:1]
    files += [name for name in metadata.files if _DASHBOARD.match(name)]
    short = metadata.model_copy(update={"files": tuple(files), "description": metadata.description[:3000]})
    lock = SourceLock(
        dist=metadata.dist,
        version=metadata.version,
        filename=sdist.name,
        sha256=source.sha256,
        size=sdist.stat().st_size,
        uploaded=uploaded,
    )
    data = {
        "metadata": short.model_dump(mode="json", exclude_defaults=True),
        "inspection": inspection.model_dump(mode="json", exclude_defaults=True),
        "lock": lock.model_dump(mode="json"),
    }
    (HERE / "recorded" / f"{metadata.dist}.json").write_text(
        json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
