"""The state in a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from rdo.building.state import State
from rdo.common.errors import RdoError
from rdo.state.database import Database
from rdo.state.history import History
from rdo.state.tables import Base
from tests.installation import Installation
from tests.integration.postgresql import postgresql_server
from tests.unit.building import state_checks
from tests.unit.state.opening import die_opening, open_at_once, usable, version_and_tables
from tests.unit.state.small_history import small_history


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    return empty(server, "test")


def empty(server: str, name: str) -> str:
    """Return the URL of a database without tables."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def test_state_keeps_what_it_promises(url: str) -> None:
    state_checks.run_comes_back_as_recorded(State.at(url))


def test_last_build_prefers_what_has_a_log(url: str) -> None:
    state_checks.last_build_prefers_what_has_a_log(State.at(url))


def test_dead_process_leaves_an_interrupted_run(url: str) -> None:
    state_checks.dead_process_leaves_an_interrupted_run(url)


def test_processes_that_meet_on_a_new_database(url: str) -> None:
    assert open_at_once(url, 8) == []
    state = State.at(url)
    run = state.last_run()
    state.close()
    assert run is not None and run.id == 8 * 2


def test_death_at_each_statement_leaves_nothing_or_all(server: str) -> None:
    for statement in range(200):
        url = empty(server, "dying")
        died = die_opening(url, statement)
        assert version_and_tables(url) in ((None, []), (History().head, sorted(Base.metadata.tables)))
        assert usable(url)
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert statement > 10


def test_death_at_each_statement_of_a_migration_loses_nothing(server: str, tmp_path: Path) -> None:
    history = small_history(tmp_path / "history")
    for statement in range(200):
        url = empty(server, "migrating")
        engine = create_engine(url)
        with engine.begin() as connection:
            history.migrate(connection, "0001")
            columns = "id, release, platform, started, outcome, total, host, pid, process_started"
            run = "(1, '2026.1', 'debian13', '2026-01-01', 'failed', 7, 'host', 1, 'x')"
            connection.execute(text(f"INSERT INTO runs ({columns}) VALUES {run}"))
        engine.dispose()
        died = die_opening(url, statement, history)
        assert version_and_tables(url)[0] in ("0001", "0003")
        assert usable(url, history)
        with engine.connect() as connection:
            assert tuple(connection.execute(text("SELECT steps, reason FROM runs")).one()) == (7, "migrated")
        engine.dispose()
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert statement > 10


def test_migrations_lead_to_the_models_tables(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    assert usable(url)
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_tables_of_somebody_else_are_left_alone(url: str) -> None:
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE builds (id INTEGER PRIMARY KEY)"))
    with pytest.raises(RdoError, match="not ours"):
        Database.open(url)
    assert version_and_tables(url) == (None, ["builds"])


def test_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RdoError, match="can't be used") as caught:
        Database.open(f"postgresql+psycopg://rdo:opensesame@/rdo?host={tmp_path}")
    assert "opensesame" not in caught.value.diagnostics()


def test_command_uses_the_database_that_it_is_told(url: str, tmp_path: Path) -> None:
    state = State.at(url)
    run = state.start_run("2026.1", "debian13", ["keystone"], 1)
    state.finish_run(run, "succeeded")
    state.close()
    installation = Installation.at(tmp_path / "home", RDO_DATABASE=url)
    shown = installation.rdo("build", "--status", "--json")
    assert json.loads(shown.stdout)["outcome"] == "succeeded", shown.stderr
    assert not (installation.state / "rdo.sqlite").exists()
