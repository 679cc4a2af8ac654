"""Binary packages that a series no longer has: ``releases/<series>.obsoletes``, by ``rdo upgrade-path``.

A line is a package and the last version of it, ``name epoch:version``, as another series had it. Hosts that
have it at this version or a lower one lose it when they are upgraded: nobody keeps it up any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rdo.common.errors import DataError, Problem

_HEADER = "# package epoch:version; written by `rdo upgrade-path`"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*\Z")
_VERSION = re.compile(r"\d+:[\w.+~^]+\Z")


def load_obsoletes(path: Path) -> dict[str, str]:
    """Read the file; one that is not there names none.

    :returns: ``epoch:version`` by name
    :raises DataError: all mistakes in it
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) != 2 or not _NAME.match(fields[0]) or not _VERSION.match(fields[1]):
            problems.append(Problem(path, number, f"{line!r}: 'package epoch:version' is expected"))
        elif fields[0] in found:
            problems.append(Problem(path, number, f"{fields[0]} is named a second time"))
        else:
            found[fields[0]] = fields[1]
    if problems:
        raise DataError(problems)
    return found


def render_obsoletes(packages: Mapping[str, str]) -> str:
    """Write the text of the file."""
    return "\n".join([_HEADER, *(f"{name} {version}" for name, version in sorted(packages.items()))]) + "\n"
