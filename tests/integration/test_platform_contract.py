"""What both kinds of platform packages, debs and RPMs, keep to as planners of roots see them."""

from __future__ import annotations

import pytest

from rdo.building.deb_packages import DebPackages
from rdo.building.platform_packages import Chosen, PlatformPackages
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.solver import Unsatisfied
from tests.integration.test_rpm_packages import Bench, bench  # noqa: F401 - a fixture
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]


@pytest.fixture(scope="module", params=["debs", "rpms"])
def packages(request: pytest.FixtureRequest, bench: Bench) -> PlatformPackages:  # noqa: F811
    return (
        DebPackages(bench.debian, installation_of(bench.paths))
        if request.param == "debs"
        else bench.packages()
    )


@pytest.fixture(scope="module")
def wanted(packages: PlatformPackages) -> RpmInfo:
    """Something that is offered and isn't in the base."""
    capability = "python3dist(pyyaml)" if isinstance(packages, DebPackages) else "python3dist(bar)"
    return next(info for info in packages.offering(capability) if info not in packages.base)


@pytest.fixture(scope="module")
def chosen(packages: PlatformPackages, wanted: RpmInfo) -> Chosen:
    choice = packages.choose([wanted])
    packages.fetch(choice)
    return choice


def test_base_and_what_stands_are_offered(packages: PlatformPackages) -> None:
    known = {info.sha256 for info in packages.records}
    base = {info.sha256 for info in packages.base}
    assert base and base <= known
    assert {info.sha256 for info in packages.standing} <= base


def test_offers_are_among_the_records(packages: PlatformPackages, wanted: RpmInfo) -> None:
    assert wanted in list(packages.records)
    assert list(packages.offering("no-such-thing-at-all")) == []


def test_nothing_chosen_is_the_base_alone(packages: PlatformPackages) -> None:
    nothing = packages.choose([])
    assert (nothing.records, nothing.layers, nothing.debs, nothing.rpms) == ((), (), (), ())
    packages.fetch(nothing)
    layers = packages.layers(nothing)
    assert layers[-1] == packages.root.layers[-1]
    assert all(layer.path.is_dir() for layer in layers)
    assert packages.database(nothing) == []


def test_choice_has_a_layer_for_each_thing_unpacked(packages: PlatformPackages, chosen: Chosen) -> None:
    assert len(chosen.layers) == len(chosen.debs) + len(chosen.rpms) > 0
    layers = packages.layers(chosen)
    assert tuple(layer.id for layer in layers[: len(chosen.layers)]) == chosen.layers
    assert layers[-1] == packages.root.layers[-1]
    assert all(layer.path.is_dir() for layer in layers)


def test_choice_is_the_same_each_time(packages: PlatformPackages, wanted: RpmInfo, chosen: Chosen) -> None:
    packages.refresh()
    again = next(info for info in packages.offering(wanted.name) if info.name == wanted.name)
    assert packages.choose([again]).layers == chosen.layers
    packages.fetch(chosen)
    assert packages.choose([again]).layers == chosen.layers


def test_database_tells_of_what_was_chosen(
    packages: PlatformPackages, wanted: RpmInfo, chosen: Chosen
) -> None:
    told = {read_rpm(path).name for path in packages.database(chosen)}
    assert told == {info.name for info in chosen.records}
    assert wanted.name in told


def test_packages_of_ours_stand_in_the_platform_s_place(packages: PlatformPackages, wanted: RpmInfo) -> None:
    replaced = packages.choose([wanted], ours={wanted.name})
    assert wanted.name not in {info.name for info in replaced.records}


def test_what_a_root_holds_is_the_base_and_the_choice(packages: PlatformPackages, chosen: Chosen) -> None:
    base, held = packages.held(Chosen((), ())), packages.held(chosen)
    assert set(base) < set(held)
    assert len(held) - len(base) == len(chosen.debs) + len(chosen.rpms)
    assert all(one.sha256 for one in set(held) - set(base)), "what was fetched is known by its hash"


def test_nothing_is_learnt_of_what_nobody_knows(packages: PlatformPackages) -> None:
    before = len(packages.records)
    assert not packages.learn([Unsatisfied("no-such-thing-at-all", None, "nothing provides it")])
    assert len(packages.records) == before
