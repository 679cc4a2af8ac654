from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild
from rdo.building.graph import build_graph
from rdo.building.models import Artifact, BuildRequest
from rdo.building.sealed import Sandbox
from rdo.building.store import Store
from rdo.building.verifying import compare_headers, verify
from rdo.common.errors import InputError
from tests.unit.building.fakes import FakeBuilder, House, request

REQUESTS = [request("pbr"), request("oslo", "pbr")]


def no_tools() -> Sandbox:
    raise AssertionError("nothing to look at")


@dataclass(frozen=True)
class Renaming(FakeBuilder):
    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        raw = FakeBuilder.build(self, request, artifacts, store, folder)
        return RawBuild(tuple(rpm.rename(folder / "other.rpm") for rpm in raw.rpms), raw.log, raw.seconds)


def test_same_bytes_are_identical(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    house.run(*REQUESTS)
    found = verify(build_graph(REQUESTS), house.builder, house.store, "oslo", tmp_path / "v", no_tools)
    assert found.identical
    assert found.compared == ("oslo-1.rpm",)
    assert house.builder.built() == ["pbr", "oslo", "oslo"]


def test_other_packages_are_a_difference(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    house.run(*REQUESTS)
    found = verify(build_graph(REQUESTS), Renaming(tmp_path), house.store, "oslo", tmp_path / "v", no_tools)
    assert found.differences == (
        "oslo-1.rpm: only the first build made it",
        "other.rpm: only the second build made it",
    )


def test_only_what_was_built_can_be_verified(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    for package in ("oslo", "nobody"):
        with pytest.raises(InputError):
            verify(build_graph(REQUESTS), house.builder, house.store, package, tmp_path / "v", no_tools)


def test_headers_are_compared_by_tag_and_by_file() -> None:
    one = {
        "Name": ["pbr"],
        "Buildtime": ["1"],
        "Sha256header": ["x"],
        "Dirnames": ["/usr/bin/", "/usr/lib/"],
        "Dirindexes": ["0", "1"],
        "Basenames": ["pbr", "a.py"],
        "Filedigests": ["11", "22"],
        "Filemtimes": ["5", "5"],
    }
    other = {**one, "Buildtime": ["2"], "Sha256header": ["y"], "Filedigests": ["11", "33"]}
    assert compare_headers(one, other) == ["Buildtime: 1 / 2", "/usr/lib/a.py: Filedigests 22 / 33"]
    assert compare_headers(one, one) == []
