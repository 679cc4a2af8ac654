from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from rdo.common.errors import DataError, UnknownNameError
from rdo.distribution.importing import (
    Imported,
    import_release,
    pin_open_names,
    read_constraints,
)
from rdo.distribution.models import Release
from rdo.distribution.releasefile import ReleaseFile, render
from rdo.distribution.series_status import read_status
from rdo.distribution.yamlfile import parse_yaml, validate

from .upstream_data import DELIVERABLES, HASHES, FakeIndex, listed, write_upstream

INDEX = FakeIndex(
    {
        "setuptools": [
            listed("setuptools", "80.9.0", "2025-05-01"),
            listed("setuptools", "81.0.0", "2026-03-01"),
            listed("setuptools", "82.0.0", "2026-03-02"),
            listed("setuptools", "81.1.0", "2026-09-01"),
        ],
        "vcs-versioning": [listed("vcs-versioning", "1.0", "2026-10-01")],
    }
)


def run(
    folder: Path, previous: Release | None = None, *, update_open: bool = False, listing: FakeIndex = INDEX
) -> Imported:
    deliverables, constraints, status = write_upstream(folder)
    return import_release(
        read_status(status, "2026.1"),
        deliverables=deliverables,
        constraints=constraints,
        platforms=["debian13"],
        pythons=["3.13"],
        listing=listing,
        components={"keystone": "keystone"},
        previous=previous,
        update_open=update_open,
    )


def test_names_and_versions_of_deliverables(tmp_path: Path) -> None:
    projects = run(tmp_path).release.projects
    assert {p.name: (p.dist, p.version) for p in projects.values()} == {
        "glance_store": ("glance-store", "5.4.0"),
        "keystone": ("keystone", "29.0.10"),
        "placement": ("openstack-placement", "15.0.0.0rc1"),
        "tempest": ("tempest", "46.2.0"),
    }
    assert projects["keystone"].commit == HASHES["c"]
    assert projects["keystone"].component == "keystone"
    assert projects["tempest"].component is None


def test_pins_say_who_decided_them(tmp_path: Path) -> None:
    pins = run(tmp_path).release.pins
    origins = {dist: (pin.version, pin.origin) for dist, (pin, *_) in pins.items()}
    assert origins["glance-store"] == ("5.4.0", "constraints")
    assert origins["keystone"] == ("29.0.10", "deliverable")
    assert origins["setuptools"] == ("81.0.0", "index")
    assert origins["vcs-versioning"] == ("1.0", "index")  # nothing early enough: today's
    assert origins["pyyaml"] == ("6.0.3", "constraints")


def test_markers_are_kept_and_hold(tmp_path: Path) -> None:
    release = run(tmp_path).release
    new, old = {"python_version": "3.13"}, {"python_version": "3.9"}
    networkx = [release.pin("networkx", environment) for environment in (new, old)]
    assert [pin.version if pin else None for pin in networkx] == ["3.4.2", "3.2.1"]
    assert release.pin("tomli", new) is None


def test_what_the_index_lacks_is_noted(tmp_path: Path) -> None:
    assert any(note.startswith("wheel: ") for note in run(tmp_path).notes)


def test_file_of_a_release_reads_back_the_same(tmp_path: Path) -> None:
    release = run(tmp_path).release
    text = render(release)
    assert validate(parse_yaml(text, Path("2026.1.yaml")), ReleaseFile).release({}) == release
    assert render(run(tmp_path / "again").release) == text


def test_importing_again_keeps_open_names_unless_told(tmp_path: Path) -> None:
    first = run(tmp_path / "1").release
    older = first.pins["setuptools"][0].model_copy(update={"version": "80.9.0"})
    previous = first.model_copy(update={"pins": {**first.pins, "setuptools": (older,)}})
    assert run(tmp_path / "2", previous).release.pins["setuptools"] == (older,)
    assert run(tmp_path / "3", previous, update_open=True).release.pins["setuptools"][0].version == "81.0.0"


def test_all_mistakes_of_all_files_come_together(tmp_path: Path) -> None:
    deliverables, constraints, status = write_upstream(tmp_path)
    (deliverables / "bad.yaml").write_text(
        "type: service\nrepository-settings: {openstack/bad: {}}\nreleases:\n- version: 1.x\n  projects: []\n"
        "- version: 1.0\n"
    )
    (deliverables / "odd.yaml").write_text("type: sandwich\n")
    (deliverables / "short.yaml").write_text(
        DELIVERABLES["keystone.yaml"].replace("keystone", "short").replace(HASHES["c"], "abc")
    )
    constraints.write_text("fine===1.0\nbroken==1.0\nworse===one\nmarked===1;python=='3'\nfine===2.0\n")
    with pytest.raises(DataError) as caught:
        import_release(
            read_status(status, "2026.1"),
            deliverables=deliverables,
            constraints=constraints,
            platforms=["debian13"],
            pythons=["3.13"],
            listing=FakeIndex({}),
        )
    places = {(problem.file.name, problem.line) for problem in caught.value.problems}
    assert places == {
        ("bad.yaml", 4),
        ("bad.yaml", 6),
        ("odd.yaml", 1),
        ("short.yaml", 12),
        ("upper-constraints.txt", 2),
        ("upper-constraints.txt", 3),
        ("upper-constraints.txt", 4),
        ("upper-constraints.txt", 5),
    }


def test_checkouts_do_as_well_as_files(tmp_path: Path) -> None:
    write_upstream(tmp_path)
    imported = import_release(
        read_status(tmp_path / "releases", "2026.1"),
        deliverables=tmp_path / "releases",
        constraints=tmp_path / "requirements",
        platforms=["debian13"],
        pythons=["3.13"],
        listing=FakeIndex({}),
    )
    assert set(imported.release.projects) == {"glance_store", "keystone", "placement", "tempest"}
    assert "networkx" in imported.release.pins


def test_status(tmp_path: Path) -> None:
    _, _, status = write_upstream(tmp_path)
    found = read_status(status, "2026.1")
    assert (found.codename, found.phase, found.slurp) == ("gazpacho", "maintained", True)
    assert found.released == date(2026, 4, 1)
    assert found.signing_keys == ("b8e9315f48553ec5aff9ffe5e69d97da9efb5aff",)
    with pytest.raises(UnknownNameError) as caught:
        read_status(status, "2026.3")
    assert "2026.1" in caught.value.nearest


def test_constraint_twice_with_the_same_version_is_one(tmp_path: Path) -> None:
    path = tmp_path / "uc.txt"
    path.write_text("Foo.Bar===1.0\nfoo_bar===1.0\n")
    assert [pin.version for pin in read_constraints(path)["foo-bar"]] == ["1.0"]


_FILES = st.lists(
    st.builds(
        lambda version, day, sdist, yanked, python: replace(
            listed("x", version, f"2026-{1 + day // 28:02}-{1 + day % 28:02}", sdist=sdist, yanked=yanked),
            requires_python=python,
        ),
        version=st.sampled_from(["1.0", "1.1", "1.10", "2.0rc1", "2.0", "3.0.dev1", "4.0"]),
        day=st.integers(0, 300),
        sdist=st.booleans(),
        yanked=st.booleans(),
        python=st.sampled_from([None, "", ">=3.8", ">=3.14", "<3.12", "garbage"]),
    ),
    max_size=12,
)


@given(_FILES)
def test_open_names_are_final_usable_and_the_newest_early_one(files: list) -> None:  # type: ignore[type-arg]
    pins, without = pin_open_names(
        FakeIndex({"x": files}), {"x": "<4"}, released=date(2026, 4, 1), pythons=["3.13"]
    )
    good = [
        f
        for f in files
        if f.sdist
        and not f.yanked
        and not f.version.is_prerelease
        and f.version < Version("4")
        and f.requires_python in (None, "", ">=3.8")
    ]
    early = [f for f in good if f.uploaded.date() < date(2026, 5, 1) or f.uploaded.date() == date(2026, 5, 1)]
    if not good:
        assert without == ["x"]
        assert not pins
    else:
        assert Version(pins["x"].version) == max(f.version for f in (early or good))


def test_names_that_a_packager_added_are_kept_and_renewed(tmp_path: Path) -> None:
    first = run(tmp_path / "1").release
    added = first.pins["setuptools"][0].model_copy(update={"version": "1.0"})
    previous = first.model_copy(update={"pins": {**first.pins, "by-hand": (added,)}})
    assert run(tmp_path / "2", previous).release.pins["by-hand"] == (added,)
    index = FakeIndex({"by-hand": [listed("by-hand", "1.5", "2026-01-01")]})
    renewed = run(tmp_path / "3", previous, update_open=True, listing=index).release
    assert renewed.pins["by-hand"][0].version == "1.5"
