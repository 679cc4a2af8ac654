from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from rdo.building.platform_names import TakenNameError, require_free_names
from rdo.building.platform_packages import PlatformPackages
from rdo.building.rpminfo import RpmInfo
from tests.unit.building.fakes import request
from tests.unit.building.test_acceptance import expectation


class Offers:
    """What a platform offers by name."""

    def __init__(self, *infos: RpmInfo) -> None:
        self.infos = infos

    def offering(self, name: str) -> Sequence[RpmInfo]:
        return [i for i in self.infos if name in {i.name, *(p.partition(" ")[0] for p in i.provides)}]


def checked(*infos: RpmInfo, replaces: tuple[str, ...] = ()) -> None:
    build = request("python-odd", dist="odd", replaces=replaces)
    require_free_names(build, expectation(), cast("PlatformPackages", Offers(*infos)), "debian13")


def info(name: str, *provides: str) -> RpmInfo:
    return RpmInfo(name=name, version="2", provides=provides)


def test_names_that_the_platform_does_not_have_are_free() -> None:
    checked(info("python3-other", "python3-odd = 2"))


@pytest.mark.parametrize("provided", ["python3dist(odd) = 2", "python3dist(Odd[more]) = 2"])
def test_a_distribution_may_take_its_own_package_s_place(provided: str) -> None:
    """That the platform's is not taken is what the resolution has decided."""
    checked(info("python3-odd", provided))


@pytest.mark.parametrize("provided", ["python3dist(python-odd) = 2", "odd = 2"])
def test_another_package_s_name_is_refused(provided: str) -> None:
    with pytest.raises(
        TakenNameError, match=r"python3-odd is debian13's name for python3-odd-2\.noarch"
    ) as caught:
        checked(info("python3-odd", provided))
    assert "replaces" in (caught.value.hint or "")


def test_a_name_may_be_taken_on_purpose() -> None:
    checked(info("python3-odd"), replaces=("python3-odd",))
