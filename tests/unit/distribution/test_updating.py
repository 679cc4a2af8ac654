from pathlib import Path

import pytest

from rdo.distribution.importing import import_release
from rdo.distribution.models import Pin, Release
from rdo.distribution.series_status import read_status
from rdo.distribution.updating import lock_updates, updated_release, updates_between

from .upstream_data import FakeIndex, listed, write_upstream

Upstream = tuple[Path, Path]


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    deliverables, constraints, _ = write_upstream(tmp_path)
    return deliverables, constraints


@pytest.fixture
def now(upstream: Upstream) -> Release:
    deliverables, constraints = upstream
    return import_release(
        read_status(deliverables.parents[1], "2026.1"),
        deliverables=deliverables,
        constraints=constraints,
        platforms=["debian13"],
        pythons=["3.13"],
        listing=FakeIndex({}),
        components={"keystone": "keystone"},
    ).release


def at(release: Release, dist: str, version: str, *, indexed: bool = False) -> Release:
    """Return a release with another version of a name; ``indexed`` where no deliverable has it."""
    project = release.project_of(dist)
    pins = tuple(pin.model_copy(update={"version": version}) for pin in release.pins[dist])
    changed: dict[str, object] = {"pins": {**release.pins, dist: pins}}
    if project is not None:
        values = {"version": version} | ({"commit": None} if indexed else {})
        changed["projects"] = {**release.projects, project.name: project.model_copy(update=values)}
    return release.model_copy(update=changed)


def updated(release: Release, upstream: Upstream, index: FakeIndex | None = None) -> Release:
    deliverables, constraints = upstream
    return updated_release(
        release,
        deliverables=deliverables,
        constraints=constraints,
        pythons=["3.13"],
        listing=index or FakeIndex({}),
        index=index is not None,
    )


def test_what_is_up_to_date_has_no_updates(now: Release, upstream: Upstream) -> None:
    assert updates_between(now, updated(now, upstream)) == []


def test_services_move_to_the_newest_and_libraries_to_the_pin(now: Release, upstream: Upstream) -> None:
    before = at(at(at(now, "keystone", "29.0.2"), "glance-store", "5.3.0"), "pyyaml", "6.0.4")
    after = updated(before, upstream)
    rows = [(u.project, u.old, u.new, u.kind, u.lower) for u in updates_between(before, after)]
    assert rows == [
        ("keystone", "29.0.2", "29.0.10", "service", False),
        ("glance_store", "5.3.0", "5.4.0", "library", False),  # 5.5.0 is out; the pin is what counts
        ("pyyaml", "6.0.4", "6.0.3", "third-party", True),
    ]
    reasons = [u.reason for u in updates_between(before, after)]
    assert reasons[0] == "newest release of 2026.1"
    assert reasons[1] == "the constraints of 2026.1 pin it"


def test_what_upstream_does_not_decide_stays(now: Release, upstream: Upstream) -> None:
    pins = {**now.pins, "setuptools": (Pin(version="80.9.0", origin="index"),)}
    before = now.model_copy(update={"pins": pins, "phase": "development"})
    index = FakeIndex({"setuptools": [listed("setuptools", "81.0.0")]})
    after = updated(before, upstream, index)
    assert after.pins["setuptools"][0].version == "80.9.0"
    assert after.projects["keystone"].component == "keystone"
    # a folder of deliverables says nothing of the series' phase; a checkout does
    assert after.phase == "development"
    assert updated(before, (upstream[0].parents[1], upstream[1])).phase == "maintained"


def test_what_comes_and_goes_says_so(now: Release, upstream: Upstream) -> None:
    pins = {**now.pins, "gone": (Pin(version="1", origin="constraints"),)}
    before = now.model_copy(update={"pins": {d: p for d, p in pins.items() if d != "pyyaml"}})
    rows = [(u.project, u.old, u.new) for u in updates_between(before, updated(before, upstream))]
    assert rows == [("gone", "1", None), ("pyyaml", None, "6.0.3")]


def test_releases_of_services_from_the_index(now: Release, upstream: Upstream) -> None:
    index = FakeIndex(
        {
            "keystone": [
                listed("keystone", "29.0.0", "2026-03-30"),
                listed("keystone", "29.1.0", "2026-09-01"),
                listed("keystone", "30.0.0", "2026-09-30"),
            ],
            "glance-store": [listed("glance_store", "5.4.1")],
        }
    )
    after = updated(now, upstream, index)
    (update,) = updates_between(now, after)
    assert (update.project, update.old, update.new) == ("keystone", "29.0.10", "29.1.0")
    assert "the deliverables don't name it yet" in update.reason
    assert after.projects["keystone"].version == "29.1.0"
    assert after.projects["keystone"].commit is None
    assert "glance-store" not in index.asked  # a library: what the constraints pin counts


def test_a_point_release_from_the_index_stays_until_the_deliverables_have_it(
    now: Release, upstream: Upstream
) -> None:
    before = at(now, "keystone", "29.0.11", indexed=True)
    assert updates_between(before, updated(before, upstream)) == []
    for path in upstream[0].glob("keystone.yaml"):
        path.unlink()  # as in data from before the series had any release
    assert updates_between(before, updated(before, upstream)) == []


def test_what_the_deliverables_have_overtaken_follows_them(now: Release, upstream: Upstream) -> None:
    overtaken = at(now, "keystone", "29.0.9", indexed=True)
    assert updated(overtaken, upstream).projects["keystone"] == now.projects["keystone"]


def test_what_has_no_sdist_yet_is_held_back(now: Release) -> None:
    index = FakeIndex({"keystone": [listed("keystone", "29.0.10")], "pyyaml": [listed("pyyaml", "6.0.2")]})
    before, refreshed = lock_updates(now, now, updates_between(at(now, "pyyaml", "6.0.2"), now), index)
    assert refreshed.missing == (("pyyaml", "6.0.3"),)
    assert before.pins["pyyaml"][0].version == "6.0.3"  # the old one isn't locked: nothing to hold on to
    old = at(at(now, "pyyaml", "6.0.2"), "keystone", "29.0.2")
    locked, _ = lock_updates(old, old, updates_between(now, old), index)
    assert ("pyyaml", "6.0.2") in locked.sources
    after, _ = lock_updates(locked, now, updates_between(locked, now), index)
    assert after.pins["pyyaml"][0].version == "6.0.2"
    assert after.projects["keystone"].version == "29.0.10"
    assert ("keystone", "29.0.10") in after.sources
