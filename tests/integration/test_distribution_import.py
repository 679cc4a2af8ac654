"""The importers against the real index and the real Debian archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.cli.release import IndexListing
from rdo.distribution.debian import Suite, import_provides, mirror_of_host, provides_of_table
from rdo.distribution.load import Distribution
from rdo.distribution.lockfile import refresh, wanted

DATA = Path(__file__).parents[2] / "distribution"


@pytest.mark.index
def test_locked_sources_are_what_the_index_serves() -> None:
    release = Distribution.load(DATA).release("2026.1")
    names = ["keystone", "oslo-config", "pbr"]
    result = refresh(wanted(release, names), release.sources, IndexListing(open_installation()), again=True)
    assert not result.added
    assert not result.missing


@pytest.mark.index
def test_a_name_that_the_index_has_not_got_has_no_files() -> None:
    assert IndexListing(open_installation()).files("rdo-surely-nobody-made-this-name") == []


@pytest.mark.mirror
def test_debian_offers_what_its_packages_say(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found, _, _ = import_provides(tmp_path / "apt", "trixie", mirror_of_host())
    assert found["pyyaml"].package == "python3-yaml"
    assert found["setuptools"].package == "python3-setuptools"
    assert len(found) > 4000
    known = Distribution.load(DATA).platform("debian13").provides
    assert len(known.keys() & found.keys()) > 0.9 * len(known)


@pytest.mark.mirror
def test_lists_of_packages_are_verified(tmp_path: Path) -> None:
    suite = Suite(tmp_path / "apt", "trixie")
    suite.update(mirror_of_host())
    versions = suite.versions()
    assert versions["python3"].startswith("3.13")
    assert provides_of_table(["PyYAML python3-yaml"], versions)[0]["pyyaml"].version
