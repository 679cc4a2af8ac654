"""Processes that open a database: many at once, and such as are killed at a statement.

They are forked, since starting Python for each statement takes minutes; who forks has no connection open.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier

import alembic.command
import alembic.config  # noqa: F401 - loaded once for all that are forked
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import Engine

from rdo.building.state import State
from rdo.state.database import Database
from rdo.state.history import VERSION_TABLE, History
from tests.unit.building.fakes import request

_FORK = multiprocessing.get_context("fork")
_LIMIT = 300  # seconds


def open_at_once(url: str, processes: int) -> list[int]:
    """Have processes open a database at once and write two runs each; return the statuses of failed ones."""
    barrier = _FORK.Barrier(processes)
    children = [_started(lambda: _open_and_write(url, barrier)) for _ in range(processes)]
    return [status for child in children if (status := _status(child)) != 0]


def migrate_at_once(url: str, history: History, processes: int) -> list[int]:
    """Have processes open an old database at once; return the statuses of failed ones."""
    barrier = _FORK.Barrier(processes)

    def migrate() -> None:
        barrier.wait(_LIMIT)
        Database.open(url, history).close()

    children = [_started(migrate) for _ in range(processes)]
    return [status for child in children if (status := _status(child)) != 0]


def die_opening(url: str, statement: int, history: History | None = None) -> bool:
    """Open a database in a process that is killed at a statement or commit; say whether it came to that."""
    status = _status(_started(lambda: _open_and_die(url, statement, history)))
    assert status in (0, -signal.SIGKILL)
    return status != 0


def version_and_tables(url: str) -> tuple[str | None, Sequence[str]]:
    """Return what a database says that it is, and which tables it has beside that."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = sorted(inspect(connection).get_table_names())
        known = VERSION_TABLE in tables
        version = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) if known else None
    engine.dispose()
    return version, [name for name in tables if name != VERSION_TABLE]


def usable(url: str, history: History | None = None) -> bool:
    """Return True if a database can be opened, is at the newest migration, and can be read."""
    database = Database.open(url, history)
    with database.reading() as session:
        version = session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    database.close()
    return bool(version == (history or History()).head)


def _open_and_write(url: str, barrier: Barrier) -> None:
    barrier.wait(_LIMIT)
    state = State.at(url)
    for _ in range(2):
        run = state.start_run("2026.1", "debian13", ["keystone"], 1)
        state.begin_build(run, request("pbr"), "full", "h")
        state.finish_run(run, "succeeded")
    state.close()


def _open_and_die(url: str, statement: int, history: History | None) -> None:
    left = statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    Database.open(url, history).close()


def _started(work: Callable[[], None]) -> BaseProcess:
    child = _FORK.Process(target=work)
    child.start()
    return child


def _status(child: BaseProcess) -> int:
    child.join(_LIMIT)
    assert child.exitcode is not None, "it did not end"
    return child.exitcode
