"""One installation: its settings, its folders, its clock, and what rooms make of them once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from rdo.common.paths import Paths
from rdo.common.settings import Settings

Part = TypeVar("Part")


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Installation:
    """What use cases are given instead of looking around by themselves.

    Rooms bring what is made of it: ``installation.part(open_store)`` is its artifact store,
    ``installation.part(State.open)`` its state, ``installation.part(Index.open)`` its package index.

    :param clock: returns the time with its zone
    :param parts: what to use instead of what a room would make, by the function that would make it
    """

    settings: Settings
    clock: Callable[[], datetime] = utc_now
    parts: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def paths(self) -> Paths:
        """Its folders."""
        return self.settings.paths

    def part(self, make: Callable[[Installation], Part]) -> Part:
        """Return what a function makes of this installation; it is called once."""
        if make not in self.parts:
            self.parts[make] = make(self)
        part: Part = self.parts[make]
        return part

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers on other machines get it too. Parts are of one process, and no worker needs the database.
        return Installation, (self.settings.model_copy(update={"database": None}), self.clock)
