"""What a build is expected to make: all of it is decided before any code of upstream's runs.

It comes from the request (spec, sources, pin) and from what rpm reads in the spec, in a root where nothing of
upstream's is. It is recorded with the build's result: what is signed must be what was expected.
"""

from __future__ import annotations

from rdo.building.rpm_facts import RpmFacts
from rdo.building.spec_sections import FileRule
from rdo.building.values import Value

#: Counted up when more is expected than before; results that were judged by less are judged again.
FORMAT = 1


class ExpectedPackage(Value):
    """One binary package: what rpm says of it, its ``%files``, and the lists that the build adds to them."""

    facts: RpmFacts
    rules: tuple[FileRule, ...] = ()
    lists: tuple[str, ...] = ()


class Expectation(Value):
    """All that a build may make.

    ``dist`` and ``version`` are the pin's; empty where no Python distribution is in it. ``sources`` are what
    the source RPM has, by file name: SHA-256. ``accounts`` are the lines of our own files of sysusers.d.
    """

    format: int = FORMAT
    package: str
    dist: str = ""
    version: str = ""
    packages: tuple[ExpectedPackage, ...]
    sources: dict[str, str]
    accounts: tuple[tuple[str, ...], ...] = ()
