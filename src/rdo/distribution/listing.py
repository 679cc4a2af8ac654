"""What this room asks of a Python index. The client itself is in the room to the right (``upstream``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from packaging.version import Version


@dataclass(frozen=True)
class Listed:
    """One file of an index name.

    ``size`` is in bytes and ``uploaded`` in UTC; both are None where the index does not say.
    """

    filename: str
    version: Version
    sdist: bool
    sha256: str | None
    size: int | None
    uploaded: datetime | None
    requires_python: str | None = None
    yanked: bool = False


class Listing(Protocol):
    """A Python index, or what stands for one in a test. Used by several threads at once."""

    def files(self, dist: str) -> Sequence[Listed]:
        """Return the files of a canonical index name, in any order; none for a name that is not there."""
