"""What can be installed together of a repository."""

from __future__ import annotations

from rdo.building.rpminfo import RpmInfo
from rdo.cloud.trial import Checked, Trial, together


def rpm(name: str, **fields: tuple[str, ...]) -> RpmInfo:
    return RpmInfo(name=name, version="1", sha256=name, **fields)


def test_what_conflicts_is_left_out_with_what_needs_it() -> None:
    infos = [
        rpm("old", conflicts=("new",), provides=("dist(old) = 1",)),
        rpm("new"),
        rpm("user", requires=("dist(old) >= 1",)),
        rpm("users-user", requires=("user", "new")),
        rpm("either", requires=("lib",)),
        rpm("elsewhere", conflicts=("unheard", "new < 1"), provides=("lib",)),
    ]
    assert [info.name for info in together(infos)] == ["new", "either", "elsewhere"]


def test_a_trial_is_in_order_where_nothing_has_problems() -> None:
    fine = Checked(name="install", seconds=1.0)
    assert Trial(host="h", series="2026.1", packages=3, checks=(fine,)).ok
    bad = Checked(name="units", seconds=1.0, problems=("x",))
    assert not Trial(host="h", series="2026.1", packages=3, checks=(fine, bad)).ok
