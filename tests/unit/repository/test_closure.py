from __future__ import annotations

import time

import pytest

from rdo.building.rpminfo import RpmInfo
from rdo.repository.closure import check
from rdo.repository.metadata import Entry


def _rpm(name: str, version: str = "1", **fields: object) -> RpmInfo:
    given = {"release": "1", "sha256": f"{name}-{version}"} | fields
    return RpmInfo.model_validate({"name": name, "version": version} | given)


PLATFORM = [
    _rpm("python3", "3.13", provides=("/usr/bin/python3", "python(abi) = 3.13")),
    _rpm("python3-pyyaml", "6.0", provides=("python3dist(pyyaml) = 6.0",)),
]


def test_a_closed_repository_has_no_findings() -> None:
    rpms = [
        _rpm("alpha", requires=("beta >= 2", "/usr/bin/python3", "python(abi) = 3.13", "rpmlib(Some) <= 4")),
        _rpm("beta", "2", requires=("python3dist(pyyaml) >= 5",)),
    ]
    assert check(rpms, PLATFORM) == []


def test_each_missing_requirement_is_found_with_who_offers_what_and_near_names() -> None:
    rpms = [
        _rpm("alpha", requires=("python3dist(pyyaml) >= 7", "python3dist(pyyalm)", "beta")),
        _rpm("beta"),
        _rpm("gamma", requires=("alpha",)),
    ]
    found = check(rpms, PLATFORM)
    assert [(f.package, f.kind, f.requirement) for f in found[:2]] == [
        ("alpha-1-1.noarch", "missing", "python3dist(pyyalm)"),
        ("alpha-1-1.noarch", "missing", "python3dist(pyyaml) >= 7"),
    ]
    assert found[0].providers == ()
    assert found[0].near == ("python3dist(pyyaml)",)
    assert found[1].providers == ("python3-pyyaml-6.0-1.noarch (python3dist(pyyaml) = 6.0)",)
    assert (found[2].package, found[2].kind) == ("gamma-1-1.noarch", "uninstallable")
    assert "alpha" in found[2].reason


@pytest.mark.parametrize(
    ("requirement", "clean"),
    [
        ("(python3dist(pyyaml) >= 5 with python3dist(pyyaml) < 7)", True),
        ("(python3dist(pyyaml) >= 5 with python3dist(pyyaml) < 6)", False),
        ("(python3dist(absent) or python3dist(pyyaml))", True),
        ("(python3dist(absent) if python3dist(unheard))", True),
        ("(python3dist(absent) if python3)", True),
        ("(python3dist(absent) and python3)", False),
    ],
)
def test_rich_requirements(requirement: str, clean: bool) -> None:
    found = check([_rpm("alpha", requires=(requirement,))], PLATFORM)
    assert (found == []) is clean
    if not clean:
        assert found[0].kind == "missing"
        assert found[0].requirement == requirement


def test_packages_that_can_never_be_installed() -> None:
    rpms = [_rpm("alpha", requires=("beta",), conflicts=("beta < 2",)), _rpm("beta")]
    (found,) = check(rpms, PLATFORM)
    assert (found.package, found.kind) == ("alpha-1-1.noarch", "uninstallable")
    assert "none of the providers can be installed" in found.reason


def test_a_conflict_between_packages_that_are_good_alone_is_fine() -> None:
    assert check([_rpm("alpha", conflicts=("beta",)), _rpm("beta")], PLATFORM) == []


def test_one_path_with_two_contents() -> None:
    rpms = [_rpm("alpha"), _rpm("beta"), _rpm("gamma"), _rpm("delta", conflicts=("alpha", "beta", "gamma"))]
    same, other = "a" * 64, "b" * 64
    contents = {
        "alpha-1": [Entry("/usr/bin/x", "file", same), Entry("/usr/lib", "dir", "")],
        "beta-1": [Entry("/usr/bin/x", "file", same), Entry("/usr/lib", "dir", "")],
        "gamma-1": [Entry("/usr/bin/x", "file", other), Entry("/usr/lib", "file", same)],
        "delta-1": [Entry("/usr/bin/x", "file", other + "c")],
    }
    found = check(rpms, PLATFORM, contents)
    assert [(f.package, f.requirement, f.providers) for f in found if f.kind == "file-conflict"] == [
        ("alpha-1-1.noarch", "/usr/bin/x", ("gamma-1-1.noarch",)),
        ("alpha-1-1.noarch", "/usr/lib", ("gamma-1-1.noarch",)),
        ("beta-1-1.noarch", "/usr/bin/x", ("gamma-1-1.noarch",)),
        ("beta-1-1.noarch", "/usr/lib", ("gamma-1-1.noarch",)),
    ]
    assert len(found) == 4


def test_two_packages_of_one_name() -> None:
    (found,) = check([_rpm("alpha"), _rpm("alpha", sha256="another")], PLATFORM)
    assert (found.kind, found.package) == ("duplicate", "alpha-1-1.noarch")


def test_source_packages_are_left_aside() -> None:
    assert check([_rpm("alpha", arch="src", requires=("absent",))], PLATFORM) == []


def test_a_package_that_replaces_the_platform_s_own() -> None:
    rpms = [
        _rpm("python3-pyyaml", "7.0", provides=("python3dist(pyyaml) = 7.0",)),
        _rpm("alpha", requires=("python3dist(pyyaml) >= 7",)),
    ]
    assert check(rpms, PLATFORM) == []


def test_hundreds_of_packages_take_a_moment() -> None:
    platform = [_rpm(f"p{i}", provides=(f"python3dist(p{i}) = 1",)) for i in range(1000)]
    rpms = [
        _rpm(f"o{i}", requires=tuple(f"python3dist(p{i * 2 + j}) >= 1" for j in range(8))) for i in range(300)
    ]
    contents = {rpm.sha256: [Entry(f"/{rpm.name}/{n}", "file", "a") for n in range(100)] for rpm in rpms}
    began = time.perf_counter()
    assert check(rpms, platform, contents) == []
    assert time.perf_counter() - began < 3
