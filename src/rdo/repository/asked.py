"""What a repository's publications were asked for, kept beside its snapshots as a JSON list of names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rdo.common.errors import InputError
from rdo.common.files import write_atomically

FILE = "asked.json"


def names_asked(repository: Path) -> tuple[str, ...]:
    """Return the names, in the order in which they came; none where nothing is published.

    :raises InputError: the file is damaged
    """
    file = repository / FILE
    if not file.exists():
        return ()
    try:
        names = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}:{error.lineno}: {error.msg}", hint="Remove it, and build all of it."
        ) from error
    return tuple(str(name) for name in names)


def remember(repository: Path, names: Iterable[str]) -> None:
    """Write the names that a repository's publication was asked for."""
    write_atomically(repository / FILE, json.dumps(list(names)) + "\n")
