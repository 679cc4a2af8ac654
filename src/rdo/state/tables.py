"""What the tables of all rooms have in common."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Base of the tables of all rooms.

    A room defines its tables with it, and adds the migration that makes them to ``migrations/versions``.
    """
