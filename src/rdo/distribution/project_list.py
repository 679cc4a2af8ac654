"""Another distribution's list of projects, as JSON: what RDO's users know, with names and components.

A list of objects with ``project``, and if known ``source_package``, ``kind``, ``component`` and ``upstream``
(the repository's address); further keys are passed over.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, RootModel

from rdo.common.errors import DataError, Problem
from rdo.distribution.yamlfile import parse_yaml, validate


class ListedProject(BaseModel):
    """One entry of such a list. Its ``project`` may be a name that only that distribution uses."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    project: str = Field(min_length=1)
    source_package: str | None = None
    kind: str | None = None
    component: str | None = None
    upstream: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it may have in a release: its upstream repository's base name, and its own."""
        base = (self.upstream or "").rstrip("/").removesuffix(".git").rpartition("/")[2]
        return tuple(dict.fromkeys(filter(None, (base, self.project))))


class _ProjectList(RootModel[tuple[ListedProject, ...]]):
    pass


def load_project_list(path: Path) -> tuple[ListedProject, ...]:
    """Read a list of projects.

    :raises DataError: it can't be read, is no JSON, or all its entries that are wrong, with their lines
    """
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        raise DataError([Problem(path, 0, f"can't be read: {error.strerror}")]) from error
    except json.JSONDecodeError as error:
        raise DataError([Problem(path, error.lineno, f"no JSON: {error.msg}")]) from error
    except UnicodeDecodeError as error:
        raise DataError([Problem(path, 0, "can't be read: it is not UTF-8")]) from error
    # JSON has no lines once it is read; YAML's reader knows them, and takes JSON but for tabs between values
    file = parse_yaml(text.replace("\t", " "), path)
    found = validate(file, _ProjectList).root
    names = [entry.project for entry in found]
    again = [number for number, name in enumerate(names) if name in names[:number]]
    if again:
        raise DataError(file.problem((n,), f"{names[n]} is listed a second time") for n in again)
    return found
