"""The migrations: one process at a time brings a database to the newest one, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from rdo.common.errors import RdoError
from rdo.common.files import locked
from rdo.state.engine import PATIENCE, WRITES
from rdo.state.half_made import remove_half_made

VERSION_TABLE = "alembic_version"

# Any number that others don't use; it is the advisory lock's name in PostgreSQL.
_ADVISORY_LOCK = 0x52444F5354415445


@dataclass(frozen=True)
class History:
    """The migrations in a folder: ``env.py``, and ``versions``, modules ``v<number>_<name>.py``."""

    folder: Path = Path(__file__).parent / "migrations"

    @property
    def head(self) -> str:
        """The newest migration's number; alembic, whose import takes longer than all else, is not asked."""
        return max(file.name[1:5] for file in (self.folder / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))

    def bring_up(self, engine: Engine) -> None:
        """Make or migrate the tables of a database; does nothing where it is at the newest migration.

        A process that dies in the middle leaves the database as it was.

        :raises RdoError: the database is not ours, or a newer rdo's
        """
        with _file_lock(engine, shared=True), engine.connect() as connection:
            if version_of(connection) == self.head:
                return
        with _file_lock(engine), _exclusive(engine) as connection:
            version = version_of(connection)
            if version == self.head:
                return  # another process was quicker
            if version is None:
                remove_half_made(connection, self.migrate)
            self.migrate(connection)

    def migrate(self, connection: Connection, revision: str = "head") -> None:
        """Run the missing migrations in the connection's transaction.

        :raises RdoError: the database's version is not in the history
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise RdoError(
                f"The state's database can't be migrated: {error}",
                hint="It may be a newer rdo's; use that one.",
            ) from error


def version_of(connection: Connection) -> str | None:
    """Return the migration that a database is at; None where it bears no version."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return version


def _file_lock(engine: Engine, *, shared: bool = False) -> AbstractContextManager[None]:
    """Lock an SQLite file against others that open it; its own locks don't cover the journal's mode."""
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:" or file.startswith("file:"):
        return nullcontext()
    path = Path(file)
    return locked(path.with_name(path.name + ".lock"), shared=shared, limit=PATIENCE)


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that one process at a time is in; commit it at the end."""
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
                connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _ADVISORY_LOCK})
                yield connection
            return
        # Neither of the two can be changed inside of a transaction. A table that a migration remakes must not
        # take the rows with it that refer to it; references to nothing are looked for at the end.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA journal_mode=WAL")
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                    raise RdoError(
                        f"A migration of the state's database would lose what {broken[0][0]} refers to."
                    )
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
