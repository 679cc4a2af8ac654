"""The records of a platform's packages, kept in a file and found by capability."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rdo.building.debs import Deb
from rdo.building.platform_records import PlatformRecords
from rdo.building.roots import Layer, Root
from rdo.building.rpminfo import RpmInfo
from rdo.building.stubs import Names, records_key
from rdo.distribution.models import DebootstrapRoot, Platform, Provided

OWN = ("keystone", "nova", "oslo-config", "oslo-log")


def make_names(**more: object) -> Names:
    values = {
        "name": "p",
        "title": "P",
        "architecture": "x86_64",
        "python": "3.13",
        "python_version": "3.13.5",
        "dist": ".p",
        "tested": True,
        "root": DebootstrapRoot(kind="debootstrap", suite="trixie", packages=()),
        "native": {"gcc": ("gcc", "libc6-dev")},
        "provides": {
            "pyyaml": Provided(version="6.0.2", package="python3-yaml"),
            "absent": Provided(version="1", package="python3-absent"),
            "installed": Provided(version="1", package="python3-installed"),
        },
        **more,
    }
    return Names(Platform.model_validate(values))


@dataclass
class FakePool:
    """The archive: three debs of which one is installed, and what was fetched."""

    folder: Path
    archive: tuple[str, ...] = ("python3-yaml", "gcc", "libc6-dev", "python3-installed")
    asked: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base = {"python3-installed": "1"}
        self.root = Root((Layer("base", self.folder / "base"),))

    def get(self, name: str) -> Deb | None:
        self.asked.append(name)
        return Deb(name, "6.0.2-1", f"sha-{name}", 1, ()) if name in self.archive else None

    def all_fetched(self) -> list[Deb]:
        return [Deb(name, "6.0.2-1", f"sha-{name}", 1, ()) for name in self.fetched]

    def layer(self, deb: Deb) -> Layer:
        root = self.folder / deb.name / "root"
        (root / "usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "usr/bin" / deb.name).touch()
        return Layer(deb.name, root)

    def facts(self, deb: Deb) -> Path:
        file = self.folder / deb.name / "sonames"
        file.touch()
        return file


@pytest.fixture
def pool(tmp_path: Path) -> FakePool:
    return FakePool(tmp_path)


def make(pool: FakePool, tmp_path: Path, names: Names | None = None) -> PlatformRecords:
    fixed = [RpmInfo(name="base", version="1", provides=("deb(base)",), sha256="base")]
    return PlatformRecords(fixed, names or make_names(), pool, tmp_path / "facts")  # type: ignore[arg-type]


def test_records_are_found_by_what_they_offer(pool: FakePool, tmp_path: Path) -> None:
    records = make(pool, tmp_path)
    assert [r.name for r in records.offering("python3dist(pyyaml)")] == ["python3-pyyaml"]
    assert [r.name for r in records.offering("base")] == ["base"]
    assert list(records.offering("python3dist(absent)")) == []
    found = records.of_deb("gcc")
    assert found is not None and found.requires == ("deb(libc6-dev)",)
    assert records.of_deb("python3-installed") is None, "what is in the base has its record from there"
    assert sorted(r.name for r in records) == ["base", "gcc", "libc6-dev", "python3-pyyaml"]


def test_data_is_worked_out_once(pool: FakePool, tmp_path: Path) -> None:
    first = list(make(pool, tmp_path))
    pool.asked.clear()
    assert list(make(pool, tmp_path)) == first
    assert not pool.asked


def test_contents_take_the_place_of_data(pool: FakePool, tmp_path: Path) -> None:
    records = make(pool, tmp_path)
    assert list(records.offering("/usr/bin/python3-yaml")) == []
    pool.fetched.append("python3-yaml")
    records.refresh()
    (found,) = records.offering("/usr/bin/python3-yaml")
    assert list(records.offering("python3dist(pyyaml)")) == [found]
    assert records.of_deb("python3-yaml") == found
    assert [r for r in records if r.name == "python3-pyyaml"] == [found]


def test_key_covers_data_and_base_and_is_the_same_in_every_process() -> None:
    names = make_names(own=OWN)
    assert records_key(names, "a") == records_key(make_names(own=reversed(OWN)), "a")
    assert records_key(names, "a") != records_key(names, "b")
    assert records_key(names, "a") != records_key(make_names(), "a")
    assert records_key(names, "a") != records_key(make_names(own=OWN, native={}), "a")
