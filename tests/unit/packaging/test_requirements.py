"""Converted requirements mean to RPM what they mean to Python; libsolv is the judge."""

from __future__ import annotations

import pytest
import solv
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rdo.packaging.requirements import (
    RequirementError,
    applicable,
    parse_requirement,
    rpm_dependency,
    without_upper_bound,
)
from rdo.packaging.stated import Statements
from rdo.packaging.versions import dependency_version
from rdo.upstream.models import Metadata

_ENVIRONMENT = {"python_version": "3.13", "sys_platform": "linux", "platform_machine": "x86_64"}


@pytest.mark.parametrize(
    ("requirement", "rpm"),
    [
        ("a", "python3dist(a)"),
        ("Oslo.Config>=10.0.0", "python3dist(oslo-config) >= 10"),
        ("a>=1,<2", "(python3dist(a) >= 1 with python3dist(a) < 2)"),
        ("a~=1.4.2", "(python3dist(a) >= 1.4.2 with python3dist(a) < 1.5)"),
        ("a==1.*", "(python3dist(a) >= 1 with python3dist(a) < 2)"),
        ("a==1.0", "python3dist(a) = 1"),
        ("a===1.0", "python3dist(a) = 1"),
        ("a!=1.5", "(python3dist(a) < 1.5 or python3dist(a) > 1.5)"),
        ("a!=2.1.0,>=2.0.0", "(python3dist(a) >= 2 with (python3dist(a) < 2.1 or python3dist(a) > 2.1))"),
        ("a!=1.2.*", "(python3dist(a) < 1.2 or python3dist(a) >= 1.3)"),
        ("a>=1,>=2,>=1.5", "python3dist(a) >= 2"),
        ("a>=2.0rc1", "python3dist(a) >= 2~rc1"),
    ],
)
def test_conversion(requirement: str, rpm: str) -> None:
    assert rpm_dependency(Requirement(requirement)).removeprefix("(" if rpm[0] != "(" else "") in (
        rpm,
        f"{rpm})",
    )


def test_what_rpm_cannot_say_is_refused() -> None:
    with pytest.raises(RequirementError, match="URL"):
        rpm_dependency(Requirement("a @ https://example.org/a.tar.gz"))
    with pytest.raises(RequirementError, match="text"):
        rpm_dependency(Requirement("a===one"))
    with pytest.raises(RequirementError, match="nova requires"):
        parse_requirement("a >>= 1", "nova")


_version = st.lists(st.integers(0, 6), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
_specifier = st.one_of(
    st.tuples(st.sampled_from([">=", "<", "<=", ">", "==", "!="]), _version).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), _version).map(lambda pair: f"{pair[0]}{pair[1]}.*"),
    st.tuples(_version, st.integers(0, 6)).map(lambda pair: f"~={pair[0]}.{pair[1]}"),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_specifier, min_size=1, max_size=3), _version)
def test_a_converted_requirement_holds_when_the_original_does(specifiers: list[str], candidate: str) -> None:
    original = SpecifierSet(",".join(specifiers))
    dependency = rpm_dependency(Requirement(f"a{original}"))
    assert _solvable(dependency, dependency_version(candidate)) == original.contains(Version(candidate))


def _solvable(dependency: str, version: str) -> bool:
    """Tell whether a package that provides ``python3dist(a) = version`` fulfils a dependency."""
    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch("x86_64")
    repo = pool.add_repo("here")
    provider = repo.add_solvable()
    provider.name, provider.evr, provider.arch = "python3-a", "1-1", "noarch"
    name = pool.Dep("python3dist(a)")
    provider.add_deparray(solv.SOLVABLE_PROVIDES, name.Rel(solv.REL_EQ, pool.Dep(version)))
    pool.createwhatprovides()
    wanted = pool.parserpmrichdep(dependency) if dependency.startswith("(") else _plain(pool, dependency)
    return provider in pool.whatprovides(wanted)


def _plain(pool: solv.Pool, dependency: str) -> solv.Dep:
    name, _, rest = dependency.partition(" ")
    if not rest:
        return pool.Dep(name)
    operator, version = rest.split()
    flags = {
        ">=": solv.REL_GT | solv.REL_EQ,
        "<=": solv.REL_LT | solv.REL_EQ,
        "=": solv.REL_EQ,
        ">": solv.REL_GT,
        "<": solv.REL_LT,
    }
    return pool.Dep(name).Rel(flags[operator], pool.Dep(version))


def test_markers_and_extras() -> None:
    rows = ("a; python_version<'3'", "b>=1", "c; extra == 'x'", "b>=2; extra == 'x'", "d; extra == 'y'")
    assert [str(item) for item in applicable(rows, _ENVIRONMENT, "p")] == ["b>=1"]
    metadata = Metadata(name="p", dist="p", version="1", requires_dist=rows)
    added = Statements(_ENVIRONMENT).of_extra(metadata, "x")
    assert [item.dist for item in added] == ["c", "b"]


@pytest.mark.parametrize(
    ("requirement", "relaxed"),
    [("a<4,>=3", "a>=3"), ("a~=1.4", "a>=1.4"), ("a==2.*", "a>=2"), ("a!=1.1,<2", "a!=1.1"), ("a<=3", "a")],
)
def test_relaxing_takes_what_holds_newer_versions_off(requirement: str, relaxed: str) -> None:
    assert str(without_upper_bound(Requirement(requirement))) == relaxed
