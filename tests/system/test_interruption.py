"""Builds that are killed, interrupted or fail: nothing finished is lost, nothing half-done is seen."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdo.building.cleanup import abandoned
from tests.flows.flow import FACTORY_ROOMS, Flow
from tests.installation import EndedEarlyError, Installation, Process, Running, users_of, wait_for_end

pytestmark = pytest.mark.timeout(1800)

FLOWS = (
    Flow(
        "interruption",
        "test_interruption",
        # `rdo repo` can also try packages on a host, which this flow doesn't
        rooms=(*FACTORY_ROOMS, "cloud/trial.py", "cli"),
        minutes=4,
    ),
)

ASKED = "oslo.serialization"
BUILD = ("build", ASKED, "oslo.context", "--release", "2026.1", "--jobs", "2")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that was left to build and publish in peace."""
    installation = Installation.at(tmp_path_factory.mktemp("undisturbed") / "home")
    made = installation.json(*BUILD)
    assert made["counts"]["built"] == len(made["results"]) >= 4
    assert made["repository"]["changed"] and installation.snapshot() is not None
    return installation


def test_interrupted_at_any_moment_it_carries_on(tmp_path: Path, undisturbed: Installation) -> None:
    """One run after the other, each going on where the one before it ended."""
    installation = Installation.at(tmp_path / "home", like=undisturbed)
    finished: dict[str, str] = {}
    rounds = 0
    for number, everybody, moment in (
        (signal.SIGKILL, False, _says(r"Resolving|Generating")),
        (signal.SIGKILL, False, _building(1)),
        (signal.SIGINT, True, _building(2)),
        (signal.SIGKILL, False, _built(2)),
        (signal.SIGTERM, False, _built(3)),
        (signal.SIGKILL, False, _says(r"Signing|Publishing")),
    ):
        running = installation.start(*BUILD)
        try:
            running.wait_until(lambda: moment(installation, running))  # noqa: B023  # called in this round only
        except EndedEarlyError:
            finished |= installation.built()
            break  # a quick machine was done before: there is nothing left to interrupt
        children = running.end(number, everybody=everybody)
        rounds += 1
        _nothing_runs(installation, children)
        if number != signal.SIGKILL:
            assert running.process.returncode == 130, running.messages.read_text()
            assert "what was finished is kept" in running.messages.read_text()
            assert _leftovers(installation) == [], "it had the time to tidy up"
        _no_repetition(installation.builds(), finished)
        finished |= installation.built()
        assert installation.published() in ({}, undisturbed.published())
    assert rounds >= 1
    made = installation.json(*BUILD)
    _no_repetition(made["results"], finished)
    assert made["counts"]["cached"] >= len(finished) >= 1
    assert installation.published() == undisturbed.published(), "bit for bit what an undisturbed run makes"
    assert _leftovers(installation) == []
    assert users_of(installation.home) == []
    assert installation.rdo("repo", "check").returncode == 0


def _says(pattern: str) -> Callable[[Installation, Running], bool]:
    return lambda _, running: re.search(pattern, running.messages.read_text()) is not None


def _building(count: int) -> Callable[[Installation, Running], bool]:
    def ready(installation: Installation, running: Running) -> bool:
        return installation.running_builds(running.process.pid).count("building") >= count

    return ready


def _built(count: int) -> Callable[[Installation, Running], bool]:
    """The moment at which that many packages are there, made in this run or before."""

    def ready(installation: Installation, running: Running) -> bool:
        states = installation.running_builds(running.process.pid)
        return states.count("built") + states.count("cached") >= count

    return ready


def _nothing_runs(installation: Installation, children: list[Process]) -> None:
    assert wait_for_end(children) == []
    assert [line for line in users_of(installation.home) if "mount" in line] == []


def _no_repetition(builds: list[dict[str, Any]], finished: dict[str, str]) -> None:
    again = {b["package"] for b in builds if b["status"] in ("built", "building", "failed")} & finished.keys()
    assert again == set(), "built a second time"
    for build in builds:
        if build["package"] in finished:
            assert build["input_hash"] == finished[build["package"]]


def _leftovers(installation: Installation) -> list[Path]:
    """Return the temporary folders of dead processes, in the installation's own cache."""
    cache = installation.home / "cache"
    own = [entry for entry in cache.iterdir() if not entry.is_symlink()]
    return [path for entry in own for path in (entry, *entry.rglob("*")) if abandoned(path.name)]


def test_failure_stops_only_what_needs_it_and_publishes_nothing(
    tmp_path: Path, undisturbed: Installation
) -> None:
    installation = Installation.at(
        tmp_path / "home", like=undisturbed, RDO_STORE=str(undisturbed.home / "cache/store")
    )
    installation.json(*BUILD)
    served = installation.snapshot()
    assert installation.published() == undisturbed.published() != {}
    distribution = installation.own_distribution()
    _describe(distribution, "oslo.utils", "patches: [wrong.patch]")
    (distribution / "packages/oslo.utils/wrong.patch").write_text(
        "--- a/oslo_utils/nowhere.py\n+++ b/oslo_utils/nowhere.py\n@@ -1 +1 @@\n-never\n+ever\n"
    )
    _describe(distribution, "oslo.context", "check: [\"python3 -c 'import yaml'\"]")
    made = installation.json(*BUILD, status=1)
    results = {result["package"]: result for result in made["results"]}
    assert {package: r["status"] for package, r in results.items() if r["status"] != "cached"} == {
        "python-oslo-utils": "failed",
        "python-oslo-serialization": "blocked",
        "python-oslo-context": "failed",
    }
    assert "nowhere.py" in results["python-oslo-utils"]["reason"]
    assert "python-oslo-utils" in results["python-oslo-serialization"]["reason"]
    assert results["python-oslo-context"]["reason"] == "ModuleNotFoundError: No module named 'yaml'"
    assert results["python-oslo-context"]["hint"] == "Add the build requirement python3dist(pyyaml)."
    assert made["repository"] is None
    assert installation.snapshot() == served
    said = installation.rdo(*BUILD)
    assert said.returncode == 1
    assert "python3dist(pyyaml)" in said.stdout
    assert "Nothing was published" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr
    assert "nowhere.py" in installation.rdo("log", "oslo.utils").stdout
    del installation.variables["RDO_DISTRIBUTION"]
    mended = installation.json(*BUILD)
    assert mended["counts"]["cached"] == len(mended["results"]) == len(results)
    assert installation.snapshot() == served


def _describe(distribution: Path, project: str, text: str) -> None:
    folder = distribution / "packages" / project
    folder.mkdir()
    (folder / "package.yaml").write_text(f"project: {project}\n{text}\n")
