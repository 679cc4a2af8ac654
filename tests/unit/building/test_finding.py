from __future__ import annotations

from pathlib import Path

import pytest

from rdo.building.finding import last_build, package_named, readable_log
from rdo.common.errors import UnknownNameError
from tests.unit.building.fakes import House, request

NAMES = ["openstack-keystone", "python-oslo-config", "pbr"]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("keystone", "openstack-keystone"),
        ("openstack-keystone", "openstack-keystone"),
        ("oslo.config", "python-oslo-config"),
        ("python-oslo-config", "python-oslo-config"),
        ("pbr", "pbr"),
    ],
)
def test_a_package_goes_by_its_projects_name_too(name: str, package: str) -> None:
    assert package_named(name, NAMES) == package


def test_unknown_name_says_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        package_named("openstack-keystne", NAMES)
    assert caught.value.nearest == ["openstack-keystone"]


def test_log_comes_back_from_the_store(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    house.run(request("python-pbr"))
    build = last_build(house.state, "pbr")
    file = readable_log(build, house.paths, house.store)
    assert file is not None and file.read_text() == "building python-pbr\n"
    file.unlink()
    assert readable_log(build, house.paths, house.store) == file
    assert file.read_text() == "building python-pbr\n"
    house.run(request("python-pbr"))
    assert last_build(house.state, "pbr").status == "cached"
    assert readable_log(last_build(house.state, "pbr"), house.paths, house.store) == file
