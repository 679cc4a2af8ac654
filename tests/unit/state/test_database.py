from __future__ import annotations

import importlib
import pkgutil
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import rdo
from rdo.building.state import State
from rdo.common.errors import InputError, RdoError
from rdo.state.database import Database
from rdo.state.history import History
from rdo.state.tables import Base
from tests.unit.building.fakes import request
from tests.unit.state.opening import die_opening, migrate_at_once, open_at_once, usable, version_and_tables
from tests.unit.state.small_history import small_history


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/rdo.sqlite"


@pytest.mark.slow
def test_processes_that_meet_on_a_new_file(url: str, tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        place = f"sqlite:///{tmp_path}/{number}/rdo.sqlite"
        assert open_at_once(place, 8) == []
        state = State.at(place)
        run = state.last_run()
        assert run is not None and run.id == 8 * 2
        state.close()


def test_processes_that_meet_on_an_old_file(url: str, tmp_path: Path) -> None:
    history = small_history(tmp_path / "history")
    with create_engine(url).begin() as connection:
        history.migrate(connection, "0001")
    assert migrate_at_once(url, history, 8) == []
    with create_engine(url).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM notes")) == 2


@pytest.mark.slow
def test_death_at_each_statement_leaves_nothing_or_all(tmp_path: Path) -> None:
    for statement in range(200):
        url = f"sqlite:///{tmp_path}/{statement}.sqlite"
        died = die_opening(url, statement)
        assert version_and_tables(url) in ((None, []), (History().head, sorted(Base.metadata.tables)))
        assert usable(url)
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert statement > 10


@pytest.mark.slow
def test_death_at_each_statement_of_a_migration_loses_nothing(tmp_path: Path) -> None:
    history = small_history(tmp_path / "history")
    old = tmp_path / "old.sqlite"
    with create_engine(f"sqlite:///{old}").begin() as connection:
        history.migrate(connection, "0001")
        for number in (1, 2):
            run = f"({number}, '2026.1', 'debian13', '2026-01-01', 'failed', 7, 'host', 1, 'x')"
            columns = "id, release, platform, started, outcome, total, host, pid, process_started"
            connection.execute(text(f"INSERT INTO runs ({columns}) VALUES {run}"))
            connection.execute(text(f"INSERT INTO run_asked VALUES ({number}, 0, 'nova')"))
    for statement in range(300):
        file = tmp_path / f"{statement}.sqlite"
        shutil.copy(old, file)
        url = f"sqlite:///{file}"
        died = die_opening(url, statement, history)
        assert version_and_tables(url)[0] in ("0001", "0003")
        assert usable(url, history)
        with create_engine(url).connect() as connection:
            rows = connection.execute(text("SELECT steps, reason FROM runs")).fetchall()
            assert [tuple(row) for row in rows] == [(7, "migrated")] * 2
            assert connection.scalar(text("SELECT count(*) FROM run_asked")) == 2
            assert connection.scalar(text("SELECT count(*) FROM notes")) == 2
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert statement > 15


def statements_of_the_past() -> Iterator[str]:
    """Yield how rdo made its tables before migrations did it, each statement committed by itself."""
    history = Path(__file__).with_name("first_tables.sql").read_text()
    yield from (statement.strip() for statement in history.split(";") if statement.strip())


PAST = list(statements_of_the_past())


@pytest.mark.parametrize("done", range(len(PAST) + 1))
def test_database_that_a_killed_rdo_left_half_made_heals(url: str, tmp_path: Path, done: int) -> None:
    connection = sqlite3.connect(tmp_path / "rdo.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    for statement in PAST[:done]:
        connection.execute(statement)
    connection.close()
    assert usable(url)
    State.at(url).start_run("2026.1", "debian13", ["keystone"], 1)


def test_database_of_the_past_is_taken_over(url: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "rdo.sqlite", isolation_level=None)
    for statement in PAST:
        connection.execute(statement)
    values = "1, '2026.1', 'debian13', '2026-01-01 00:00:00', NULL, 'failed', 1, 'host', 1, 'x'"
    connection.execute(f"INSERT INTO runs VALUES ({values})")
    connection.close()
    run = State.at(url).last_run()
    assert run is not None and (run.id, run.outcome) == (1, "failed")


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE runs (id INTEGER PRIMARY KEY, name VARCHAR)"],
        ["CREATE TABLE artifacts (id INTEGER PRIMARY KEY)"],
        [*PAST[:-1], "INSERT INTO run_asked VALUES (1, 1, 'nova')"],
    ],
)
def test_tables_of_somebody_else_are_left_alone(url: str, tmp_path: Path, statements: list[str]) -> None:
    connection = sqlite3.connect(tmp_path / "rdo.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    before = list(connection.iterdump())
    with pytest.raises(RdoError, match="not ours"):
        Database.open(url)
    assert list(connection.iterdump()) == before


def test_tables_of_other_names_are_no_hindrance(url: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "rdo.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE recipes (id INTEGER PRIMARY KEY)")
    assert usable(url)
    assert connection.execute("SELECT count(*) FROM recipes").fetchone() == (0,)


def test_migrations_lead_to_the_tables_of_all_rooms(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    for module in pkgutil.walk_packages(rdo.__path__, "rdo."):
        if ".migrations" not in module.name and module.name.endswith("_model"):
            importlib.import_module(module.name)
    assert usable(url)
    with create_engine(url).connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_are_one_line() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(History().folder))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [History().head]
    assert [revision.revision for revision in script.walk_revisions()] == sorted(
        (file.name[1:5] for file in (History().folder / "versions").glob("v*.py")), reverse=True
    )


def test_open_database_needs_no_alembic(url: str) -> None:
    Database.open(url).close()
    script = "import sys; from rdo.state.database import Database; Database.open(sys.argv[1])"
    check = f"{script}; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check, url], check=False).returncode == 0


def test_database_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "rdo.sqlite").write_text("this is no database, for certain" * 100)
    with pytest.raises(RdoError, match="can't be used"):
        Database.open(f"sqlite:///{tmp_path}/rdo.sqlite")


def test_database_of_a_newer_rdo(url: str, tmp_path: Path) -> None:
    Database.open(url, small_history(tmp_path / "history")).close()
    with pytest.raises(RdoError, match=r"can't be migrated[\s\S]*0003") as caught:
        Database.open(url)
    assert caught.value.hint is not None and "newer" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "nonsense://x",
            "mysql://root:opensesame@h/x",
            "opensesame",
            "postgresql+opensesame://x",
            "oracle://",
        ),
        "postgresql://root:opensesame@h:port/x",
    ],
)
def test_url_that_can_not_be_used(wrong: str) -> None:
    with pytest.raises(InputError) as caught:
        Database.open(wrong)
    assert "sqlite" in caught.value.diagnostics()
    assert ":opensesame" not in caught.value.diagnostics()


def test_what_another_process_holds_is_said(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdo.state.engine.PATIENCE", 0.2)
    state = State.at(url)
    run = state.start_run("2026.1", "debian13", ["nova"], 1)
    other = sqlite3.connect(tmp_path / "rdo.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RdoError, match="locked"):
        state.begin_build(run, request("pbr"), "full", "h")
    other.execute("ROLLBACK")
    state.begin_build(run, request("pbr"), "full", "h")
