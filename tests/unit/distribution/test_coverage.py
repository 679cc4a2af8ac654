"""What ``coverage.yaml`` adds to releases and takes from them, and the mistakes it can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.common.errors import DataError
from rdo.distribution.load import Distribution

RELEASE = """\
series: "{series}"
codename: some
phase: maintained
released: 2026-04-01
platforms: [small]
projects:
  nova: {{type: service, version: "33.0.0"}}
  oslo.config: {{type: library, version: "10.0.0"}}
{more}
constraints: {{tooz: "7.0.0", openstack-whitebox: "0.5"}}
"""
PLATFORM = """\
name: small
title: Small
architecture: x86_64
python: "3.13"
python_version: "3.13.5"
dist: .small
tested: true
root: {kind: debootstrap, suite: trixie, packages: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms/small.yaml").write_text(PLATFORM)
    for series, more in (("2025.2", '  vitrage: {type: service, version: "15.0.0"}'), ("2026.1", "")):
        (tmp_path / f"releases/{series}.yaml").write_text(RELEASE.format(series=series, more=more))
    return tmp_path


def loaded(folder: Path, coverage: str) -> Distribution:
    (folder / "coverage.yaml").write_text(coverage)
    distribution = Distribution.load(folder)
    distribution.check()
    return distribution


def mistakes(folder: Path, coverage: str) -> list[tuple[int, str]]:
    with pytest.raises(DataError) as caught:
        loaded(folder, coverage)
    assert {p.file.name for p in caught.value.problems} == {"coverage.yaml"}
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_without_the_file_a_release_ships_its_projects(folder: Path) -> None:
    distribution = Distribution.load(folder)
    distribution.check()
    assert distribution.release("2025.2").shipped == ("nova", "oslo.config", "vitrage")


def test_what_is_pinned_beside_a_series_is_shipped_too(folder: Path) -> None:
    distribution = loaded(
        folder,
        "also:\n"
        "  tooz: {type: library, component: common}\n"
        "  whitebox: {dist: openstack-whitebox, type: other, repository: x/whitebox}\n",
    )
    release = distribution.release("2026.1")
    assert release.shipped == ("nova", "oslo.config", "tooz", "whitebox")
    assert release.projects["tooz"].repository == "openstack/tooz"
    assert release.projects["tooz"].version == "7.0.0"
    whitebox = release.projects["whitebox"]
    assert (whitebox.dist, whitebox.repository) == ("openstack-whitebox", "x/whitebox")
    assert distribution.coverage().dists == ("tooz", "openstack-whitebox")


def test_a_project_of_some_series_stays_in_the_others(folder: Path) -> None:
    (folder / "releases/2026.1.yaml").write_text(
        (folder / "releases/2026.1.yaml").read_text().replace("{tooz", '{vitrage: "14.0.0", tooz')
    )
    distribution = loaded(folder, "also: {vitrage: {type: service}}\n")
    assert distribution.release("2025.2").projects["vitrage"].version == "15.0.0"
    assert distribution.release("2026.1").projects["vitrage"].version == "14.0.0"


def test_names_and_what_is_left_out(folder: Path) -> None:
    distribution = loaded(
        folder, "names: {nova: compute}\nnot_shipped: {vitrage: Retired., packstack: 'Never known.  '}\n"
    )
    release = distribution.release("2025.2")
    assert release.projects["nova"].package == "compute"
    assert "vitrage" in release.projects
    assert release.shipped == ("nova", "oslo.config")
    assert release.not_shipped["packstack"] == "Never known."


def test_contradictions_within_the_file(folder: Path) -> None:
    found = mistakes(
        folder,
        "names:\n"
        "  nova: compute\n"
        "  oslo.config: compute\n"
        "also:\n"
        "  tooz: {type: library}\n"
        "  Tooz: {type: library}\n"
        "not_shipped:\n"
        "  nova: It is.\n"
        "  tooz: It is.\n",
    )
    assert found == [
        (3, "compute is nova already"),
        (6, "tooz is tooz already"),
        (8, "nova is not shipped, and named in 'names' too (line 2)"),
        (9, "tooz is not shipped, and named in 'also' too (line 5)"),
    ]


def test_contradictions_with_the_releases(folder: Path) -> None:
    found = mistakes(
        folder,
        "names:\n  nvoa: compute\nalso:\n  nova: {type: service}\n  vitrage: {type: service}\n"
        "  absent: {type: library}\n",
    )
    assert found == [
        (2, "no release has a project named 'nvoa'"),
        (4, "every release has nova among its own projects"),
        (6, "no release pins absent; `rdo release import` looks for it on the index"),
    ]


def test_mistakes_of_single_values(folder: Path) -> None:
    found = mistakes(
        folder, "names:\n  nova: two words\nalso:\n  tooz: {type: thing}\nnot_shipped:\n  vitrage: ' '\n"
    )
    assert [line for line, _ in found] == [2, 4, 6]


def test_nothing_is_held_against_releases_that_cannot_be_read(folder: Path) -> None:
    (folder / "releases/2025.2.yaml").write_text("series: []\n")
    (folder / "coverage.yaml").write_text("names: {vitrage: openstack-vitrage}\n")
    with pytest.raises(DataError) as caught:
        Distribution.load(folder).check()
    assert {problem.file.name for problem in caught.value.problems} == {"2025.2.yaml"}
