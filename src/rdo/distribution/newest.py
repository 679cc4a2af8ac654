"""The versions of a series' projects as the index has them, where upstream's own data are older.

A series' deliverables say which versions belong to it; a copy of them from before the series came out says
less than the index does. What belongs to the series is then read from times and numbers:

* the newest final version that was uploaded up to the day when the series came out begins it. A project
  without a release in the deliverables must have uploaded it after the series before came out: else it has
  none;
* point releases come later. Those that belong to the series have the beginning's major number, where the
  project makes one release a cycle (``cycle-with-rc``), else its major and minor number.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from packaging.version import Version

from rdo.distribution.listing import Listed, Listing


@dataclass(frozen=True)
class NewestOnIndex:
    """Chooses the newest version of a project that belongs to a series.

    :param opened: the day when the series before came out
    :param released: the day when the series came out
    """

    listing: Listing
    opened: date
    released: date

    def version(self, dist: str, stated: Collection[str], *, one_release_a_cycle: bool) -> str | None:
        """Return the newest version, which is none of ``stated`` only where it is newer than all of them.

        :param dist: canonical index name
        :param stated: the series' versions by its deliverable; may be empty
        :returns: None where the index has nothing newer of the series
        """
        files = [file for file in self.listing.files(dist) if _usable(file)]
        early = [file for file in files if _day(file) <= self.released]
        begun = max(early, key=lambda file: file.version, default=None)
        if begun is None or (not stated and _day(begun) <= self.opened):
            return None
        length = 1 if one_release_a_cycle else 2
        line = begun.version.release[:length]
        newest = max(file.version for file in files if file.version.release[:length] == line)
        if any(Version(text) >= newest for text in stated):
            return None
        return str(newest)


def _usable(file: Listed) -> bool:
    return file.sdist and not file.yanked and not file.version.is_prerelease and file.uploaded is not None


def _day(file: Listed) -> date:
    assert file.uploaded is not None
    return file.uploaded.date()
