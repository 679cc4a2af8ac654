"""RPM sorts converted versions as Python sorts the originals; libsolv's comparison is the judge."""

from __future__ import annotations

import itertools

import pytest
import solv
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from rdo.packaging.versions import dependency_version, rpm_version

_POOL = solv.Pool()
_POOL.setdisttype(solv.Pool.DISTTYPE_RPM)
_REPO = _POOL.add_repo("versions")
_LEFT, _RIGHT = _REPO.add_solvable(), _REPO.add_solvable()

_numbers = st.integers(0, 30)
_maybe = st.none() | _numbers


@st.composite
def versions(draw: st.DrawFn) -> Version:
    # Three numbers always: RPM tells 1.0 and 1.0.0 apart, Python doesn't.
    text = ".".join(str(draw(_numbers)) for _ in range(3))
    if draw(st.booleans()):
        text += f"{draw(st.sampled_from(['a', 'b', 'rc']))}{draw(_numbers)}"
    if (post := draw(_maybe)) is not None:
        text += f".post{post}"
    if (dev := draw(_maybe)) is not None:
        text += f".dev{dev}"
    if draw(st.booleans()):
        text += f"+{draw(st.sampled_from(['1', '2.3', 'ab', 'ubuntu']))}"
    return Version(text)


def compare(left: str, right: str) -> int:
    _LEFT.evr, _RIGHT.evr = f"{left}-1", f"{right}-1"
    return int(_LEFT.evrcmp(_RIGHT))


@settings(max_examples=1000)
@given(versions(), versions())
def test_rpm_sorts_as_python_does(left: Version, right: Version) -> None:
    expected = (left > right) - (left < right)
    assert compare(rpm_version(left).version, rpm_version(right).version) == expected


def test_order_of_one_release() -> None:
    # the order that PEP 440 gives as its example, and the neighbours
    names = "0.9 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 "
    names += "1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456 "
    names += "1.1.dev1"
    converted = [rpm_version(name).version for name in names.split()]
    for left, right in itertools.pairwise(converted):
        assert compare(left, right) < 0, (left, right)


@pytest.mark.parametrize(
    ("python", "rpm"),
    [
        ("29.0.0", "29.0.0"),
        ("29.0.0.0rc1", "29.0.0.0~rc1"),
        ("1.0.dev3", "1.0~~dev3"),
        ("1.0.post2", "1.0^post2"),
        ("1!2.0", "1:2.0"),
        ("2.9.0-1", "2.9.0^post1"),
        ("1.0+local.1", "1.0^local.local.1"),
    ],
)
def test_spelling(python: str, rpm: str) -> None:
    assert str(rpm_version(python)) == rpm


@pytest.mark.parametrize(
    ("python", "rpm"),
    [
        ("2.0.0", "2"),
        ("1.10", "1.10"),
        ("0", "0"),
        ("3.0rc1", "3~rc1"),
        ("1.0.dev1", "1~~dev1"),
        ("2.9.0.post0", "2.9^post0"),
    ],
)
def test_dependency_versions_are_written_as_the_generator_does(python: str, rpm: str) -> None:
    assert dependency_version(python) == rpm
