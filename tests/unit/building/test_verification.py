"""Verifying many packages: what is known, what is kept, failures, interruption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild
from rdo.building.engine import Engine, InlineEngine
from rdo.building.graph import build_graph
from rdo.building.models import Artifact, BuildRequest
from rdo.building.sealed import Sandbox
from rdo.building.store import Store
from rdo.building.verification import Verifiable, VerificationRun, VerificationSummary
from rdo.common.errors import InputError
from rdo.common.progress import SilentProgress, Task
from tests.unit.building.fakes import FakeBuilder, House, request

REQUESTS = [request("pbr"), request("oslo", "pbr"), request("nova", "oslo"), request("swift", "pbr")]


def no_tools() -> Sandbox:
    raise AssertionError("nothing to look at")


@dataclass(frozen=True)
class Renaming(FakeBuilder):
    """Gives the RPMs of one package another name."""

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        raw = FakeBuilder.build(self, request, artifacts, store, folder)
        if request.package != "oslo":
            return raw
        return RawBuild(tuple(rpm.rename(folder / "other.rpm") for rpm in raw.rpms), raw.log, raw.seconds)


@dataclass(frozen=True)
class Stopping(FakeBuilder):
    """Is interrupted as by Ctrl-C where it comes to one package."""

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        if request.package == "nova":
            raise KeyboardInterrupt
        return FakeBuilder.build(self, request, artifacts, store, folder)


@dataclass
class Noting(SilentProgress):
    lines: list[str] = field(default_factory=list)
    steps: int = 0

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Task]:
        yield self

    def message(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, steps: int = 1) -> None:
        self.steps += steps

    def describe(self, text: str) -> None:
        pass


def subjects(house: House, *packages: str) -> Verifiable:
    found = Verifiable.of(build_graph(REQUESTS), house.builder, house.store)
    return found.only(packages) if packages else found


def verified(
    house: House,
    *packages: str,
    builder: FakeBuilder | None = None,
    engine: Engine | None = None,
    progress: SilentProgress | None = None,
    again: bool = False,
) -> VerificationSummary:
    run = VerificationRun(
        builder or house.builder,
        house.store,
        engine or InlineEngine(),
        house.paths,
        progress or SilentProgress(),
        no_tools,
        again=again,
    )
    return run.verify(subjects(house, *packages))


def statuses(found: VerificationSummary) -> dict[str, str]:
    return {result.package: result.status for result in found.results}


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.at(tmp_path)
    house.run(*REQUESTS)
    (tmp_path / "built").unlink()
    return house


def test_all_that_was_built_is_built_again(house: House) -> None:
    progress = Noting()
    found = verified(house, progress=progress)
    assert found.ok
    assert found.counts() == {"identical": 4, "different": 0, "failed": 0, "not built": 0}
    assert sorted(house.builder.built()) == ["nova", "oslo", "pbr", "swift"]
    assert dict(found.results[0].first) == dict(found.results[0].second) != {}
    assert progress.steps == 4 and "oslo: identical" in progress.lines


def test_packages_of_any_run_are_known(tmp_path: Path) -> None:
    """Not just those of the last one; and what it builds is not what was built."""
    house = House.at(tmp_path)
    house.run(*REQUESTS[:3])
    house.run(REQUESTS[0], REQUESTS[3])
    assert set(subjects(house).known) == {"pbr", "oslo", "nova", "swift"}


def test_what_was_found_is_kept_by_the_inputs(house: House) -> None:
    assert verified(house, "oslo", "pbr").kept == 0
    found = verified(house)
    assert (found.kept, len(found.results)) == (2, 4)
    assert sorted(house.builder.built()) == ["nova", "oslo", "pbr", "swift"]
    assert verified(house, again=True).kept == 0
    assert len(house.builder.built()) == 8


def test_a_first_build_that_was_lost_is_verified_anew(house: House) -> None:
    known = subjects(house).known["pbr"].result
    assert verified(house).kept == 0
    other = house.paths.cache / "other.rpm"
    other.write_text("another first build")
    artifact = Artifact(filename="pbr-other.rpm", sha256=house.store.put(other), size=other.stat().st_size)
    house.store.record(known.model_copy(update={"artifacts": (artifact,)}))
    assert verified(house, "pbr").kept == 0


def test_differences_and_failures_stop_nothing(house: House) -> None:
    require_going_on(house, InlineEngine())


def require_going_on(house: House, engine: Engine) -> None:
    """Verify packages of which one differs, one fails and one breaks the task itself."""
    builder = Renaming(house.builder.journal, failing=frozenset({"pbr"}), broken=frozenset({"swift"}))
    found = verified(house, builder=builder, engine=engine)
    assert statuses(found) == {"nova": "identical", "oslo": "different", "pbr": "failed", "swift": "failed"}
    assert not found.ok
    by_name = {result.package: result for result in found.results}
    assert by_name["oslo"].differences == (
        "oslo-1.rpm: only the first build made it",
        "other.rpm: only the second build made it",
    )
    assert "no such luck" in (by_name["pbr"].reason or "")
    assert "a defect" in (by_name["swift"].reason or "")
    # what failed is tried again, what was compared is not
    found = verified(house)
    assert (found.kept, statuses(found)["oslo"]) == (2, "different")
    assert statuses(found)["pbr"] == statuses(found)["swift"] == "identical"


def test_interrupted_it_goes_on_from_there(house: House) -> None:
    with pytest.raises(KeyboardInterrupt):
        verified(house, builder=Stopping(house.builder.journal))
    before = house.builder.built()
    found = verified(house)
    assert found.kept == len(before) == 3
    assert found.ok and len(found.results) == 4
    assert house.builder.built()[3:] == ["nova"]
    assert not list((house.paths.cache / "verify").iterdir())


def test_a_damaged_record_is_none(house: House) -> None:
    verified(house)
    for file in (house.paths.state / "verifications").rglob("*.json"):
        file.write_text('{"package": "half a')
    assert verified(house).kept == 0


def test_what_is_not_built_is_said(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    house.run(*REQUESTS[:2])
    found = verified(house)
    assert (found.unbuilt, found.counts()["not built"]) == (("nova", "swift"), 2)
    with pytest.raises(InputError, match="nova, swift"):
        subjects(house, "swift", "pbr", "nova")


def test_what_nothing_can_be_built_of_today_is_not_built(house: House) -> None:
    broken = replace(house.builder, unplannable=frozenset({"oslo"}))
    found = Verifiable.of(build_graph(REQUESTS), broken, house.store)
    assert found.unbuilt == ("nova", "oslo")
