"""The database of an installation, with the tables that this version of the code knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from rdo.common.files import make_folder
from rdo.state.engine import WRITES, make_engine, unusable
from rdo.state.history import History


class Database:
    """An open database; its tables are at the newest migration.

    Each transaction is short, so that several processes may use one database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite's transactions see one state anyhow.
        one_state = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        self._reading = engine.execution_options(**one_state)
        self._writing = engine.execution_options(**{WRITES: True})

    @classmethod
    def open(cls, url: str, history: History | None = None) -> Database:
        """Open the database at a URL, and make or migrate its tables.

        :param history: the migrations; those of this code by default
        :raises InputError: the URL can't be used
        :raises RdoError: the database can't be reached, is not ours, or is a newer rdo's
        """
        engine = make_engine(url)
        try:
            (history or History()).bring_up(engine)
        except SQLAlchemyError as error:
            raise (unusable(error) or error) from error
        return cls(engine)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Return a session whose queries see one state of the database; it changes nothing."""
        with _translated(), Session(self._reading) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Return a session in a transaction; it is committed at the end, and undone with any exception.

        :raises RdoError: the database can't be reached, is full, or another process holds it for too long
        """
        with _translated(), Session(self._writing) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file, and make its folder."""
    make_folder(file.parent)
    return f"sqlite:///{file}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise (unusable(error) or error) from error
