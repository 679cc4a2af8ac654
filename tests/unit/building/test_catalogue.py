"""Projects in RDO, from builds in memory and metadata in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.building.catalogue import CatalogueEntry, catalogue, hand_written_lines
from rdo.building.state import State
from rdo.distribution.load import Distribution
from rdo.distribution.models import Release, SourceLock
from rdo.packaging.spec_model import GeneratedSpec
from rdo.packaging.spec_store import SpecStore
from rdo.upstream.metadata import READER_VERSION
from rdo.upstream.models import Metadata
from tests.settings import installation_of
from tests.unit.building.fakes import House, request
from tests.unit.packaging.small_release import platform, project, release

UNDER = platform({}).model_copy(update={"name": "fake"})


@pytest.fixture
def house(tmp_path: Path) -> House:
    folder = tmp_path / "data/packages/nova"
    folder.mkdir(parents=True)
    (folder / "package.yaml").write_text("# why\nproject: nova\n\nsummary: Computes 100%\n")
    (folder / "nova-api.service").write_text("[Unit]\n[Service]\n")
    return House.at(tmp_path)


def made(**more: object) -> Release:
    projects = (project("nova", kind="service"), project("oslo.log", "oslo-log"), project("kolla"))
    pins = {"nova": "1", "oslo-log": "1", "kolla": "1"}
    return release(pins, *projects).model_copy(
        update={"not_shipped": {"kolla": "Of no use.", "packstack": "Superseded."}} | more
    )


def entries(house: House, of: Release | None = None) -> dict[str, CatalogueEntry]:
    distribution = Distribution.load(house.paths.cache.parent / "data")
    found = catalogue(
        distribution, of or made(), UNDER, house.paths, State.open(installation_of(house.paths))
    )
    return {entry.project: entry for entry in found}


def test_before_anything_was_done(house: House) -> None:
    found = entries(house)
    assert list(found) == ["kolla", "nova", "oslo.log", "packstack"]
    assert found["nova"] == CatalogueEntry(
        project="nova",
        type="service",
        version="1",
        package="openstack-nova",
        state="not built",
        hand_written=5,
    )
    assert (found["kolla"].state, found["kolla"].reason) == ("not shipped", "Of no use.")
    assert (found["packstack"].state, found["packstack"].version) == ("not shipped", None)
    assert found["kolla"].package is None


def test_states_are_those_of_the_last_builds(house: House) -> None:
    house.with_builder(failing=frozenset({"python-oslo-log"})).run(
        request("openstack-nova"), request("python-oslo-log"), request("python-late", "python-oslo-log")
    )
    late = project("late")
    found = entries(house, made(projects=made().projects | {"late": late}, pins={}))
    assert found["nova"].state == "not built"
    assert found["nova"].reason == "1 was built last"  # the project says 1.0 where no pin does
    found = entries(
        house, made(projects=made().projects | {"late": late.model_copy(update={"version": "1"})})
    )
    assert (found["nova"].state, found["nova"].reason) == ("built", None)
    assert (found["oslo.log"].state, found["oslo.log"].reason) == ("failed", "error: no such luck")
    assert found["late"].state == "not built"
    assert "python-oslo-log" in (found["late"].reason or "")


def test_binaries_are_of_the_build_or_of_the_last_spec(house: House) -> None:
    text = "Name:           openstack-nova\n\n%files\n\n%files -n python3-nova -f x\n"
    spec = GeneratedSpec("openstack-nova", "1", "1", 0, text, (), (), (), ())
    SpecStore.of(house.paths.specs, "fake", "2026.1").save(spec)
    assert entries(house)["nova"].binaries == ("openstack-nova", "python3-nova")


def test_what_it_is_comes_from_the_description_or_upstream(house: House) -> None:
    locks = {
        (dist, "1"): SourceLock(dist=dist, version="1", filename="f", sha256=digest, size=1, uploaded="")
        for dist, digest in (("nova", "a" * 64), ("oslo-log", "b" * 64))
    }
    for lock in locks.values():
        place = house.paths.metadata / f"reader-{READER_VERSION}" / lock.sha256[:2] / f"{lock.sha256}.json"
        place.parent.mkdir(parents=True)
        known = Metadata(name=lock.dist, dist=lock.dist, version="1", summary="A library for logs.")
        place.write_text(known.model_dump_json())
    found = entries(house, made(sources=locks))
    assert found["nova"].summary == "Computes 100%"
    assert found["oslo.log"].summary == "A library for logs"


def test_lines_written_by_hand(house: House) -> None:
    assert hand_written_lines(Distribution.load(house.paths.cache.parent / "data")) == {"nova": 5}
