"""A small OpenStack for tests: deliverables, constraints, status, and an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from rdo.distribution.listing import Listed

HASHES = {name: f"{number:040x}" for number, name in enumerate("abcdef", 1)}

DELIVERABLES = {
    "keystone.yaml": f"""
type: service
release-model: cycle-with-rc
repository-settings:
  openstack/keystone: {{}}
releases:
- version: 29.0.0.0rc1
  projects: [{{repo: openstack/keystone, hash: {HASHES["a"]}}}]
- version: 29.0.2
  projects: [{{repo: openstack/keystone, hash: {HASHES["b"]}}}]
- version: 29.0.10
  projects: [{{repo: openstack/keystone, hash: {HASHES["c"]}}}]
""",
    "placement.yaml": f"""
type: service
release-model: cycle-with-rc
repository-settings:
  openstack/placement:
    tarball-base: openstack-placement
releases:
- version: 15.0.0.0rc1
  projects: [{{repo: openstack/placement, hash: {HASHES["d"]}}}]
""",
    "tempest.yaml": f"""
type: other
release-model: cycle-with-intermediary
repository-settings:
  openstack/tempest:
    pypi-name: Tempest
    tarball-base: something-else
releases:
- version: 46.2.0
  projects: [{{repo: openstack/tempest, hash: {HASHES["e"]}}}]
""",
    "glance_store.yaml": f"""
type: library
release-model: cycle-with-intermediary
repository-settings:
  openstack/glance_store: {{}}
releases:
- version: 5.4.0
  projects: [{{repo: openstack/glance_store, hash: {HASHES["f"]}}}]
- version: 5.5.0
  projects: [{{repo: openstack/glance_store, hash: {HASHES["a"]}}}]
""",
    "puppet-nova.yaml": f"""
type: trailing
release-model: cycle-with-intermediary
repository-settings:
  openstack/puppet-nova: {{}}
releases:
- version: 28.0.0
  projects: [{{repo: openstack/puppet-nova, hash: {HASHES["a"]}}}]
""",
    "kolla.yaml": f"""
type: trailing
release-model: cycle-with-rc
repository-settings:
  openstack/kolla: {{}}
releases:
- version: 22.0.0
  projects: [{{repo: openstack/kolla, hash: {HASHES["a"]}}}]
""",
    "grenade.yaml": """
type: other
release-model: untagged
repository-settings:
  openstack/grenade: {}
""",
    "unreleased.yaml": """
type: other
release-model: cycle-with-intermediary
repository-settings:
  openstack/unreleased: {}
""",
}

CONSTRAINTS = """\
# A warning that nobody reads
glance_store===5.4.0
networkx===3.2.1;python_version=='3.9'
networkx===3.4.2;python_version>='3.10'
tomli===2.2.1;python_version=='3.10'
PyYAML===6.0.3
"""

STATUS = """\
- name: hibiscus
  release-id: 2026.2
  status: development
  initial-release: 2026-09-30
- name: gazpacho
  release-id: 2026.1
  status: maintained
  slurp: yes
  initial-release: 2026-04-01
  signing-key:
    key: b8e9315f48553ec5aff9ffe5e69d97da9efb5aff
    start: 2025-10-06
    end: 2026-04-10
"""


def write_upstream(folder: Path) -> tuple[Path, Path, Path]:
    """Write it all as checkouts of upstream's repositories; returns deliverables, constraints, status."""
    releases, requirements = folder / "releases", folder / "requirements"
    deliverables = releases / "deliverables" / "gazpacho"
    deliverables.mkdir(parents=True)
    (releases / "data").mkdir()
    requirements.mkdir()
    for name, text in DELIVERABLES.items():
        (deliverables / name).write_text(text)
    constraints = requirements / "upper-constraints.txt"
    constraints.write_text(CONSTRAINTS)
    status = releases / "data" / "series_status.yaml"
    status.write_text(STATUS)
    return deliverables, constraints, status


def listed(
    dist: str,
    version: str,
    uploaded: str = "2026-03-01",
    *,
    sdist: bool = True,
    python: str | None = None,
    yanked: bool = False,
    sha256: str = "0" * 64,
) -> Listed:
    """Make one file of an index."""
    return Listed(
        filename=f"{dist}-{version}.tar.gz" if sdist else f"{dist}-{version}-py3-none-any.whl",
        version=Version(version),
        sdist=sdist,
        sha256=sha256,
        size=1234,
        uploaded=datetime.fromisoformat(uploaded).replace(tzinfo=UTC),
        requires_python=python,
        yanked=yanked,
    )


class FakeIndex:
    """An index that has what it was given, and counts what it was asked."""

    def __init__(self, files: Mapping[str, Sequence[Listed]]) -> None:
        self.content = dict(files)
        self.asked: list[str] = []

    def files(self, dist: str) -> Sequence[Listed]:
        self.asked.append(dist)
        return self.content.get(dist, ())
