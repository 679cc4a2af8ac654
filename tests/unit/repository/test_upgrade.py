"""What becomes of each package of a series on a host that is upgraded to the next one."""

from __future__ import annotations

from rdo.building.rpminfo import RpmInfo
from rdo.repository.upgrade import UpgradePath, upgrade_path

PLATFORM = [RpmInfo(name="python3", version="3.13", provides=("python(abi) = 3.13",), sha256="platform")]


def rpm(name: str, version: str = "1", **fields: object) -> RpmInfo:
    given = {"release": "1", "sha256": f"{name}-{version}-{fields.get('epoch', 0)}"} | fields
    return RpmInfo.model_validate({"name": name, "version": version} | given)


def path(old: list[RpmInfo], new: list[RpmInfo]) -> UpgradePath:
    return upgrade_path(old, new, PLATFORM)


def test_what_goes_up_or_is_replaced_is_fine() -> None:
    old = [
        rpm("nova", "32", requires=("oslo >= 1", "python(abi) = 3.13")),
        rpm("oslo", "1"),
        rpm("nova-network", "32"),
        rpm("same", "1"),
        rpm("nova", "32", arch="src", sha256="source"),
    ]
    new = [
        rpm("nova", "33", requires=("oslo >= 2",), obsoletes=("nova-network < 33",)),
        rpm("oslo", "2"),
        rpm("same", "1"),
    ]
    found = path(old, new)
    assert found.findings == ()
    assert found.upgraded == (
        ("nova-32-1.noarch", "nova-33-1.noarch"),
        ("oslo-1-1.noarch", "oslo-2-1.noarch"),
    )
    assert found.replaced == (("nova-network-32-1.noarch", "nova-33-1.noarch"),)
    assert found.same == ("same-1-1.noarch",)


def test_lower_versions_count_with_their_epoch() -> None:
    old = [rpm("a", "2"), rpm("b", "2"), rpm("c", "3")]
    new = [rpm("a", "1"), rpm("b", "1", epoch="1"), rpm("c", "3", sha256="another")]
    found = path(old, new)
    assert [(f.package, f.kind) for f in found.findings] == [
        ("a-2-1.noarch", "lower-version"),
    ]
    assert found.same == ("c-3-1.noarch",), "built anew, it is the same for hosts"
    assert "not higher" in found.findings[0].reason


def test_what_nobody_continues_is_an_orphan() -> None:
    found = path([rpm("a"), rpm("b")], [rpm("b", "2", obsoletes=("a < 1",))])
    assert [(f.package, f.kind) for f in found.findings] == [("a-1-1.noarch", "orphan")]


def test_what_the_platform_has_is_left_to_it() -> None:
    found = path(
        [rpm("python3", "3.14"), rpm("python3-tests", "3.14"), rpm("rdo-obsolete-packages")], [rpm("b")]
    )
    assert found.left == ("python3-3.14-1.noarch",)
    assert [f.package for f in found.findings] == ["python3-tests-3.14-1.noarch"], (
        "it would hold the other back"
    )


def test_what_would_stay_since_its_successor_cannot_be_had_is_told() -> None:
    old = [rpm("a"), rpm("plugin", requires=("lib = 1",)), rpm("lib")]
    new = [rpm("a", "2", requires=("lost",)), rpm("plugin", "2", requires=("lib = 1",)), rpm("lib", "2")]
    found = path(old, new)
    assert ("a-1-1.noarch", "held-back") in [(f.package, f.kind) for f in found.findings]
    assert any("lost" in f.reason for f in found.findings)


def test_nothing_old_is_nothing_to_do() -> None:
    assert path([], [rpm("a")]) == UpgradePath()
    assert path([rpm("a")], [rpm("a")]) == UpgradePath(same=("a-1-1.noarch",))
