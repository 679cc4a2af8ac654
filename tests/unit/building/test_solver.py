"""Requirements among packages described by hand."""

from __future__ import annotations

from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import Universe, capability_names, solve


def package(name: str, version: str = "1", **more: tuple[str, ...] | str) -> RpmInfo:
    return RpmInfo.model_validate({"name": name, "version": version, "release": "1", **more})


def names(packages: tuple[RpmInfo, ...]) -> list[str]:
    return [f"{info.name}-{info.version}" for info in packages]


def test_closure_follows_requirements_only() -> None:
    available = [
        package("a", requires=("b >= 1",)),
        package("b", requires=("/usr/bin/c",)),
        package("c", files=("/usr/bin/c",)),
        package("unneeded"),
    ]
    assert names(solve(["a"], available).packages) == ["a-1", "b-1", "c-1"]


def test_rich_range_keeps_too_new_versions_out() -> None:
    available = [package("b", "2"), package("b", "3"), package("a", requires=("(b >= 1 with b < 3)",))]
    assert names(solve(["a"], available).packages) == ["a-1", "b-2"]


def test_rich_condition() -> None:
    available = [package("a", requires=("(b if c)",)), package("b"), package("c")]
    assert names(solve(["a"], available).packages) == ["a-1"]
    assert names(solve(["a", "c"], available).packages) == ["a-1", "b-1", "c-1"]


def test_rich_alternative_of_files() -> None:
    available = [package("a", requires=("(/usr/bin/x or /usr/bin/y)",)), package("y", files=("/usr/bin/y",))]
    assert names(solve(["a"], available).packages) == ["a-1", "y-1"]


def test_says_what_is_missing_and_for_whom() -> None:
    available = [package("a", requires=("b",)), package("b", requires=("python3dist(nope) >= 2",))]
    (problem,) = solve(["a"], available).problems
    assert problem.requirement == "python3dist(nope) >= 2"
    assert problem.needed_by is not None and problem.needed_by.startswith("b-1-1")
    assert str(problem) == "nothing provides python3dist(nope) >= 2, needed by b-1-1.noarch"


def test_says_everything_that_is_asked_for_and_missing() -> None:
    problems = solve(["one", "two"], [package("a")]).problems
    assert [problem.requirement for problem in problems] == ["one", "two"]
    assert {problem.needed_by for problem in problems} == {None}


def test_conflict_is_a_problem() -> None:
    available = [package("a", conflicts=("b",)), package("b")]
    result = solve(["a", "b"], available)
    assert not result.ok
    assert "conflicts with b" in str(result.problems[0])


def test_priority_goes_before_version() -> None:
    universe = Universe()
    universe.add([package("theirs", "9", provides=("python3dist(x) = 9",))])
    universe.add([package("ours", "1", provides=("python3dist(x) = 8",))], priority=10)
    assert names(universe.solve(["python3dist(x) >= 2"]).packages) == ["ours-1"]
    assert names(universe.solve(["python3dist(x) >= 9"]).packages) == ["theirs-9"]


def test_only_considered_packages_are_used_and_others_come_back() -> None:
    universe = Universe()
    a, b = package("a", provides=("x",)), package("b", provides=("x",))
    universe.add([a, b])
    assert names(universe.solve(["x"], considered=[b]).packages) == ["b-1"]
    late = package("late", provides=("y",))
    universe.add([late])
    assert not universe.solve(["y"], considered=[b]).ok
    assert names(universe.solve(["x", "y"], considered=[a, late]).packages) == ["a-1", "late-1"]
    assert universe.solve(["y"]).ok


def test_epochs_and_tildes_sort_as_in_rpm() -> None:
    available = [package("a", "2~rc1"), package("b", "1", epoch="1")]
    assert not solve(["a >= 2"], available).ok
    assert solve(["a < 2"], available).ok
    assert solve(["b > 9"], available).ok


def test_uninstallable_packages_are_named() -> None:
    universe = Universe()
    good, bad = package("good"), package("bad", requires=("nope",))
    universe.add([good, bad])
    assert universe.uninstallable([good]) == {}
    assert list(universe.uninstallable([good, bad])) == ["bad-1-1.noarch"]


def test_rpmlib_requirements_are_no_packages() -> None:
    assert solve(["rpmlib(PayloadIsZstd) <= 5"], [package("a", requires=("rpmlib(X) <= 1",))]).ok


def test_names_in_requirements() -> None:
    assert capability_names("python3dist(a) >= 1") == {"python3dist(a)"}
    assert capability_names("/usr/bin/x") == {"/usr/bin/x"}
    rich = capability_names("((python3dist(a) >= 1 with python3dist(a[b]) < 2) or libx.so.1()(64bit))")
    assert {"python3dist(a)", "python3dist(a[b])", "libx.so.1()(64bit)"} <= rich


def test_only_the_capabilities_that_matter_are_entered() -> None:
    universe = Universe()
    many = package("a", provides=("cap = 2", "other"), files=("/usr/bin/a", "/usr/bin/b"))
    universe.add([many], only={"cap", "/usr/bin/a"})
    assert names(universe.solve(["a", "cap >= 2", "/usr/bin/a"]).packages) == ["a-1"]
    assert not universe.solve(["other"]).ok
