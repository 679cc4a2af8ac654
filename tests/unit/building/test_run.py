from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rdo.building.run import RunSummary
from tests.unit.building.fakes import House, request, statuses


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.at(tmp_path)


def test_builds_in_order_and_then_finds_everything(house: House) -> None:
    requests = [request("nova", "oslo", "pbr"), request("oslo", "pbr"), request("pbr")]
    first = house.run(*requests)
    assert first.ok
    assert house.builder.built() == ["pbr", "oslo", "nova"]
    assert [result.package for result in first.results] == ["nova", "oslo", "pbr"]
    second = house.run(*requests)
    assert set(statuses(second).values()) == {"cached"}
    assert len(house.builder.built()) == 3
    assert second.artifacts == first.artifacts


def test_failure_blocks_only_what_needs_it(house: House) -> None:
    broken = house.with_builder(failing=frozenset({"oslo"}))
    summary = broken.run(
        request("pbr"),
        request("oslo", "pbr"),
        request("keystone", "oslo"),
        request("client", "keystone"),
        request("other", "pbr"),
    )
    assert statuses(summary) == {
        "pbr": "built",
        "oslo": "failed",
        "keystone": "blocked",
        "client": "blocked",
        "other": "built",
    }
    by_name = {result.package: result for result in summary.results}
    assert by_name["client"].blocked_by == ("oslo",)
    assert by_name["oslo"].reason == "error: no such luck\nmore"
    assert by_name["oslo"].hint == "try again"
    assert not summary.ok
    log = house.paths.logs / "builds/oslo/latest"
    assert log.read_text() == "building oslo\n"
    run = house.state.last_run()
    assert run is not None and run.outcome == "failed"
    assert {b.package: b.blocked_by for b in run.builds if b.blocked_by} == {
        "keystone": ("oslo",),
        "client": ("oslo",),
    }
    # Mended, only what failed or was blocked is built.
    again = house.run(
        request("pbr"),
        request("oslo", "pbr"),
        request("keystone", "oslo"),
        request("client", "keystone"),
        request("other", "pbr"),
    )
    assert statuses(again) == {
        "pbr": "cached",
        "oslo": "built",
        "keystone": "built",
        "client": "built",
        "other": "cached",
    }


def test_requirement_that_nothing_provides_fails_that_package(house: House) -> None:
    summary = house.with_builder(unplannable=frozenset({"oslo"})).run(
        request("oslo"), request("keystone", "oslo"), request("other")
    )
    assert statuses(summary) == {"oslo": "failed", "keystone": "blocked", "other": "built"}
    failed = next(r for r in summary.results if r.package == "oslo")
    assert (failed.reason, failed.hint, failed.input_hash) == ("nothing provides unicorn", "breed one", "")


def test_byte_identical_rebuild_does_not_rebuild_dependants(house: House) -> None:
    house.run(request("pbr"), request("oslo", "pbr"))
    same = house.run(request("pbr", comment="new words"), request("oslo", "pbr"))
    assert statuses(same) == {"pbr": "built", "oslo": "cached"}
    other = house.run(request("pbr", content="new bytes"), request("oslo", "pbr"))
    assert statuses(other) == {"pbr": "built", "oslo": "built"}


def test_cycle_is_bootstrapped_then_built_in_full(house: House) -> None:
    def cycle() -> RunSummary:
        return house.run(
            request("a", "b", check_requires=("b",), check_after=("b",)), request("b", "a"), request("c", "a")
        )

    assert statuses(cycle()) == {"a": "built", "b": "built", "c": "built"}
    built = house.builder.built()
    assert built[:2] == ["a:bootstrap", "b:bootstrap"]
    assert sorted(built[2:4]) == ["a", "b"]
    assert sorted(built) == ["a", "a:bootstrap", "b", "b:bootstrap", "c"]
    assert set(statuses(cycle()).values()) == {"cached"}


def test_failed_bootstrap_is_the_packages_own_failure(house: House) -> None:
    summary = house.with_builder(failing=frozenset({"a"})).run(
        request("a", "b", check_requires=("b",), check_after=("b",)), request("b", "a")
    )
    assert statuses(summary) == {"a": "failed", "b": "blocked"}


def test_damaged_artifact_is_built_again(house: House) -> None:
    artifact = house.run(request("pbr")).artifacts[0]
    file = house.store.path(artifact.sha256)
    file.chmod(0o644)
    file.write_text("rubbish")
    assert statuses(house.run(request("pbr"))) == {"pbr": "built"}
    assert house.store.path(artifact.sha256).read_text() == "pbr"


def test_interruption_keeps_what_is_finished(house: House) -> None:
    class Interrupted:
        slots = 1

        def __init__(self) -> None:
            from rdo.building.engine import InlineEngine

            self.inner, self.count, self.closed = InlineEngine(), 0, False
            self.submit = self.inner.submit

        def ended(self, timeout: float) -> object:
            self.count += 1
            if self.count == 2:
                raise KeyboardInterrupt
            return self.inner.ended(timeout)

        def close(self) -> None:
            self.closed = True

    engine = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        house.run(request("pbr"), request("oslo", "pbr"), request("nova", "oslo"), engine=engine)
    assert engine.closed
    run = house.state.last_run()
    assert run is not None and run.outcome == "interrupted"
    assert {build.package: build.status for build in run.builds} == {"pbr": "built", "oslo": "interrupted"}
    summary = house.run(request("pbr"), request("oslo", "pbr"), request("nova", "oslo"))
    assert statuses(summary) == {"pbr": "cached", "oslo": "built", "nova": "built"}


def test_what_was_never_compared_is_compared_and_not_built_again(house: House) -> None:
    requests = [request("oslo", "pbr"), request("pbr")]
    first = house.run(*requests)
    shutil.rmtree(house.store.folder / "expected")
    second = house.run(*requests)
    assert set(statuses(second).values()) == {"cached"}
    assert second.artifacts == first.artifacts
    assert len(house.builder.built()) == 2
    assert (house.builder.journal / "judged").read_text().split() == ["pbr", "oslo"]
    house.run(*requests)
    assert len((house.builder.journal / "judged").read_text().split()) == 2, "once is enough"


def test_an_old_result_that_is_refused_fails_and_blocks(house: House) -> None:
    requests = [request("oslo", "pbr"), request("pbr")]
    house.run(*requests)
    shutil.rmtree(house.store.folder / "expected")
    summary = house.with_builder(failing=frozenset({"pbr"})).run(*requests)
    assert statuses(summary) == {"pbr": "failed", "oslo": "blocked"}
    refused = summary.of("failed")[0]
    assert (refused.artifacts, refused.reason) == ((), "it made another package")
