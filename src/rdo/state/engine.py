"""Engines for the two databases that we know: SQLite and PostgreSQL.

Both have transactions that hold changes of tables as well, so that a migration is done whole or not at all.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, SQLAlchemyError

from rdo.common.errors import InputError, RdoError

#: Seconds that a statement waits for the locks of other processes.
PATIENCE = 60
#: Execution option of connections that are going to write.
WRITES = "rdo_writes"

_CONNECT_LIMIT = 15  # seconds


def make_engine(url: str) -> Engine:
    """Return an engine for a database; nothing is reached yet.

    :raises InputError: the URL can't be read, or is not of SQLite or PostgreSQL
    """
    hint = "For example postgresql+psycopg://rdo@db.example.org/rdo, or sqlite:////var/lib/rdo/rdo.sqlite"
    try:
        parsed = make_url(url)
        if (backend := parsed.get_backend_name()) not in ("sqlite", "postgresql"):
            raise InputError(
                f"The database's URL names {backend}; only SQLite and PostgreSQL can be used.", hint=hint
            )
        if backend == "sqlite":
            engine = create_engine(parsed)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(parsed, pool_pre_ping=True, connect_args=_postgresql_options(dict(parsed.query)))
    except ImportError as error:
        raise InputError(f"The database's driver is not installed: {error}.", hint=hint) from error
    except (SQLAlchemyError, ValueError) as error:
        # A port that is no number is a ValueError. Its text may show the URL, which may have a password.
        raise InputError("The database's URL can't be read.", hint=hint) from error


def unusable(error: SQLAlchemyError) -> RdoError | None:
    """Return rdo's error for a database that can't be used; None for a defect of rdo."""
    if isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError:
        cause = (str(error.orig).splitlines() or ["no reason said"])[0]
        return RdoError(f"The state's database can't be used: {cause}")
    return None


def _postgresql_options(query: dict[str, Any]) -> dict[str, Any]:
    options = {"connect_timeout": _CONNECT_LIMIT, "application_name": "rdo"}
    return {name: value for name, value in options.items() if name not in query}


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, but not before statements that change tables.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={PATIENCE * 1000}", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and asks for the lock later is refused at once where another has written.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
