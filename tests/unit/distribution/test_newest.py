"""Which versions on the index belong to a series, and an import that takes them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rdo.distribution.importing import Imported, import_release
from rdo.distribution.newest import NewestOnIndex
from rdo.distribution.series_status import read_status

from .upstream_data import HASHES, FakeIndex, listed, write_upstream

OPENED, RELEASED = date(2026, 4, 1), date(2026, 9, 30)
BEFORE, DURING, LAST_DAY, AFTER = "2026-04-01", "2026-07-01", "2026-09-30T23:00", "2026-10-20"


def newest(*files: tuple[str, str], stated: tuple[str, ...] = (), once: bool = False) -> str | None:
    index = FakeIndex({"x": [listed("x", version, uploaded) for version, uploaded in files]})
    return NewestOnIndex(index, OPENED, RELEASED).version("x", stated, one_release_a_cycle=once)


def test_newer_than_the_deliverables() -> None:
    assert newest(("5.5.0", DURING), ("5.6.0", LAST_DAY), stated=("5.5.0",)) == "5.6.0"
    assert newest(("5.5.0", DURING), stated=("5.5.0",)) is None
    assert newest(("5.5.0", DURING), stated=("5.6.0",)) is None
    assert newest(("33.0.0", LAST_DAY), stated=("33.0.0.0b2",)) == "33.0.0"


def test_the_next_series_is_not_taken() -> None:
    assert newest(("4.16.0", DURING), ("4.17.0", AFTER)) == "4.16.0"
    assert newest(("34.0.0", LAST_DAY), ("35.0.0", AFTER), once=True) == "34.0.0"


def test_point_releases_of_the_series_are() -> None:
    assert newest(("10.3.0", DURING), ("10.4.0", AFTER), ("10.3.1", AFTER)) == "10.3.1"
    assert newest(("23.0.0", LAST_DAY), ("23.1.0", AFTER), ("22.2.0", AFTER), once=True) == "23.1.0"


def test_a_project_without_a_release_in_the_series() -> None:
    assert newest(("33.0.0", BEFORE), ("33.0.1", AFTER), once=True) is None
    assert newest(("34.0.0", AFTER), once=True) is None
    assert newest() is None


def test_what_nobody_should_build_does_not_count() -> None:
    files = [
        listed("x", "1.0", DURING),
        listed("x", "1.1", DURING, yanked=True),
        listed("x", "1.2", DURING, sdist=False),
        listed("x", "1.3rc1", DURING),
    ]
    found = NewestOnIndex(FakeIndex({"x": files}), OPENED, RELEASED)
    assert found.version("x", (), one_release_a_cycle=False) == "1.0"


@pytest.fixture
def imported(tmp_path: Path) -> Imported:
    deliverables, constraints, status = write_upstream(tmp_path)
    index = FakeIndex(
        {
            "keystone": [listed("keystone", "29.1.0", "2026-05-01"), listed("keystone", "29.0.0", BEFORE)],
            "glance-store": [listed("glance-store", "5.5.0"), listed("glance-store", "5.5.1", AFTER)],
            "unreleased": [listed("unreleased", "1.0", "2026-03-01")],
            "kolla": [listed("kolla", "22.1.0")],
        }
    )
    text = "- {name: old, release-id: 2025.2, status: maintained, initial-release: 2025-10-01}\n"
    status.write_text(status.read_text() + text)
    return import_release(
        read_status(status, "2026.1"),
        deliverables=deliverables,
        constraints=constraints,
        platforms=["debian13"],
        pythons=["3.13"],
        listing=index,
        newest_on_index=True,
    )


def test_an_import_takes_versions_that_the_deliverables_do_not_know(imported: Imported) -> None:
    projects = imported.release.projects
    assert {name: project.version for name, project in projects.items()} == {
        "glance_store": "5.5.1",
        "keystone": "29.1.0",
        "placement": "15.0.0.0rc1",
        "tempest": "46.2.0",
        "unreleased": "1.0",
    }
    assert projects["keystone"].commit is None
    assert projects["tempest"].commit == HASHES["e"]


def test_older_constraints_follow_the_projects(imported: Imported) -> None:
    (pin,) = imported.release.pins["glance-store"]
    assert (pin.version, pin.origin) == ("5.5.1", "deliverable")
    assert not any("glance-store" in note for note in imported.notes)
    assert imported.release.pins["pyyaml"][0].origin == "constraints"
