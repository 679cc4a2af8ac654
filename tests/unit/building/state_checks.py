"""What the state promises with any database; SQLite and PostgreSQL both keep it."""

from __future__ import annotations

import subprocess
import sys

from rdo.building.models import Artifact, BuildResult
from rdo.building.state import State
from tests.unit.building.fakes import request

ARTIFACT = Artifact(filename="pbr-1.rpm", sha256="a" * 64, size=3)


def built(package: str, **more: object) -> BuildResult:
    values = {"package": package, "input_hash": "h" * 64, "status": "built", "seconds": 2.5, **more}
    return BuildResult.model_validate(values)


def run_comes_back_as_recorded(state: State) -> None:
    run = state.start_run("2026.1", "debian13", ["keystone", "openstackclient"], 3)
    state.begin_build(run, request("pbr"), "full", "h" * 64)
    going = state.last_run()
    assert going is not None and going.outcome == "running"
    assert [build.status for build in going.builds] == ["building"]
    blocked = BuildResult(package="nova", input_hash="", status="blocked", blocked_by=("oslo", "a"))
    state.finish_builds(
        run,
        [
            (request("pbr"), "full", built("pbr", artifacts=(ARTIFACT,), log="b" * 64)),
            (request("nova"), "full", blocked),
        ],
    )
    state.finish_run(run, "failed")
    ended = state.last_run()
    assert ended is not None and ended.finished is not None
    assert (ended.outcome, ended.asked, ended.total) == ("failed", ("keystone", "openstackclient"), 3)
    pbr, nova = ended.builds
    assert (pbr.status, pbr.artifacts, pbr.seconds) == ("built", (ARTIFACT,), 2.5)
    assert nova.blocked_by == ("a", "oslo")
    assert state.durations() == {"pbr": 2.5}
    assert state.packages() == ["nova", "pbr"]
    assert state.last_builds("debian13", "2026.1").keys() == {"nova", "pbr"}
    assert state.last_run("el10") is None
    assert state.last_run("debian13", "2025.2") is None
    state.start_run("2025.2", "debian13", ["nova"], 1)
    assert state.last_run("debian13", "2026.1") == ended


def last_build_prefers_what_has_a_log(state: State) -> None:
    first = state.start_run("2026.1", "debian13", [], 1)
    state.finish_builds(first, [(request("pbr"), "full", built("pbr", log="b" * 64))])
    second = state.start_run("2026.1", "debian13", [], 1)
    blocked = BuildResult(package="pbr", input_hash="", status="blocked", blocked_by=("x",))
    state.finish_builds(second, [(request("pbr"), "full", blocked)])
    found = state.last_build("pbr")
    assert found is not None and found.status == "blocked"
    assert state.last_build("nobody") is None


def dead_process_leaves_an_interrupted_run(url: str) -> None:
    script = f"""
import os
from rdo.building.state import State
from tests.unit.building.fakes import request
state = State.at({url!r})
run = state.start_run("2026.1", "debian13", ["keystone"], 2)
state.begin_build(run, request("pbr"), "full", "h")
os.kill(os.getpid(), 9)
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -9
    state = State.at(url)
    run = state.last_run()
    state.close()
    assert run is not None
    assert run.outcome == "interrupted"
    assert [build.status for build in run.builds] == ["interrupted"]
