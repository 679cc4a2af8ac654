from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from rdo.building.models import Artifact, BuildResult
from rdo.building.state import State, process_start
from rdo.building.state_model import HEAD, Base
from rdo.common.errors import RdoError
from tests.unit.building.fakes import request

ARTIFACT = Artifact(filename="pbr-1.rpm", sha256="a" * 64, size=3)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.at(f"sqlite:///{tmp_path}/rdo.sqlite")


def built(package: str, **more: object) -> BuildResult:
    values = {"package": package, "input_hash": "h" * 64, "status": "built", "seconds": 2.5, **more}
    return BuildResult.model_validate(values)


def test_run_comes_back_as_recorded(state: State) -> None:
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
    assert state.last_run("el10") is None
    assert state.last_run("debian13", "2025.2") is None
    state.start_run("2025.2", "debian13", ["nova"], 1)
    assert state.last_run("debian13", "2026.1") == ended


def test_last_build_prefers_what_has_a_log(state: State) -> None:
    first = state.start_run("2026.1", "debian13", [], 1)
    state.finish_builds(first, [(request("pbr"), "full", built("pbr", log="b" * 64))])
    second = state.start_run("2026.1", "debian13", [], 1)
    blocked = BuildResult(package="pbr", input_hash="", status="blocked", blocked_by=("x",))
    state.finish_builds(second, [(request("pbr"), "full", blocked)])
    found = state.last_build("pbr")
    assert found is not None and found.status == "blocked"
    assert state.last_build("nobody") is None


def test_dead_process_leaves_an_interrupted_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/rdo.sqlite"
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
    run = State.at(url).last_run()
    assert run is not None
    assert run.outcome == "interrupted"
    assert [build.status for build in run.builds] == ["interrupted"]


def test_process_is_told_from_a_later_one_of_its_number() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(2**22 + 1) is None


def test_migrations_lead_to_the_models_tables(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from rdo.building import state as module

    old = create_engine(f"sqlite:///{tmp_path}/old.sqlite")
    with old.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
    State.at(f"sqlite:///{tmp_path}/old.sqlite").close()
    with old.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_new_file_needs_no_alembic(tmp_path: Path) -> None:
    script = f"""
import sys
from rdo.building.state import State
State.at("sqlite:///{tmp_path}/rdo.sqlite")
sys.exit("alembic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    names = inspect(create_engine(f"sqlite:///{tmp_path}/rdo.sqlite")).get_table_names()
    assert "alembic_version" in names


def test_database_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "rdo.sqlite").write_text("this is no database, for certain" * 100)
    with pytest.raises(RdoError, match="can't be used"):
        State.at(f"sqlite:///{tmp_path}/rdo.sqlite")
    with pytest.raises(RdoError, match="can't be used"):
        State.at("nonsense://x")
