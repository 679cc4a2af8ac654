"""Databases that an earlier rdo left half-made: it was killed before it stamped the tables' version.

That rdo made the tables of the first migration one by one. Today's makes all or none.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, create_engine, inspect, text

from rdo.common.errors import RdoError

#: A table's columns: name -> (may be NULL, is part of the primary key).
Columns = dict[str, tuple[bool, bool]]

_FIRST = "0001"


def remove_half_made(connection: Connection, migrate: Callable[[Connection, str], None]) -> None:
    """Drop the empty tables that a killed rdo left in a database without a version, if any.

    :param migrate: makes the tables of a migration in an empty database

    :raises RdoError: there are tables of our names that have rows, or that are not as we made them
    """
    present = _columns(connection)
    if not present:
        return
    ours, first = _tables(migrate, "head"), _tables(migrate, _FIRST)
    left = sorted(present.keys() & ours.keys())
    for name in left:
        if present[name] != first.get(name):
            raise _strange(f"a table {name!r} that is not as rdo makes it")
        if connection.scalar(text(f'SELECT 1 FROM "{name}" LIMIT 1')) is not None:
            raise _strange(f"rows in {name!r}")
    if left and connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP TABLE " + ", ".join(f'"{name}"' for name in left))
    elif left:
        for name in left:
            connection.exec_driver_sql(f'DROP TABLE "{name}"')


def _tables(migrate: Callable[[Connection, str], None], revision: str) -> dict[str, Columns]:
    with create_engine("sqlite://").begin() as connection:
        migrate(connection, revision)
        found = _columns(connection)
    return {name: columns for name, columns in found.items() if name != "alembic_version"}


def _columns(connection: Connection) -> dict[str, Columns]:
    inspector = inspect(connection)
    found: dict[str, Columns] = {}
    for table in inspector.get_table_names():
        keys = inspector.get_pk_constraint(table)["constrained_columns"]
        found[table] = {
            column["name"]: (bool(column["nullable"]) and column["name"] not in keys, column["name"] in keys)
            for column in inspector.get_columns(table)
        }
    return found


def _strange(what: str) -> RdoError:
    return RdoError(
        f"The state's database bears no version of rdo's, but has {what}: it is not ours, or was damaged.",
        hint="Name another database (RDO_DATABASE), or put a good copy of this one in its place.",
    )
