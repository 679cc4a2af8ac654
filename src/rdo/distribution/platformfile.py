"""The files of a platform: ``platforms/<name>.yaml`` and what its Python packages offer, ``.provides``.

A line of ``.provides`` is ``dist version package``: canonical index name, version, the platform's package.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from rdo.common.errors import DataError, Problem
from rdo.distribution.models import Data, DebootstrapRoot, DnfRoot, Platform, Provided
from rdo.distribution.names import DistName, VersionText, check_dist, check_version


class PlatformFile(Data):
    """A platform as its file has it; see :class:`rdo.distribution.models.Platform`."""

    name: str
    title: str
    architecture: str
    python: str = Field(pattern=r"^\d+\.\d+$")
    python_version: VersionText
    dist: str = Field(pattern=r"^\.[a-z0-9._]+$")
    tested: bool
    note: str | None = None
    root: DebootstrapRoot | DnfRoot = Field(discriminator="kind")
    host_packages: tuple[str, ...] = ()
    native: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    build_tools: tuple[DistName, ...] = ()
    older_than_pin: Literal["taken", "replaced"] = "taken"

    def platform(
        self, provides: Mapping[str, Provided], macros: Path | None, own: frozenset[str] = frozenset()
    ) -> Platform:
        """Make the platform of its files; ``own`` are the index names of all releases' projects."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Platform(**values, provides=dict(provides), macros=macros, own=own)


class VariantFile(Data):
    """A platform that is another one offering less, to see what has to be built where there is less.

    It offers the Python distributions that a third platform offers, at its own versions; the others are
    hidden from RPM, as if they weren't there.
    """

    name: str
    title: str
    like: str = Field(description="the platform that it is otherwise")
    offers_as: str = Field(description="the platform whose .provides says what is left")
    kept: dict[DistName, str] = Field(
        default_factory=dict,
        description="canonical index name -> why it is left although that one lacks it: it can't be built",
    )
    note: str | None = None

    def platform(self, base: Platform, offered: Collection[str]) -> Platform:
        """Make the platform of the one that it is like.

        :param offered: canonical index names that are left
        """
        left = {
            dist: found
            for dist, found in base.provides.items()
            if dist in offered or dist in self.kept or not found.package.startswith("python3-")
        }
        hidden = base.provides.keys() - left.keys()
        changed = {"name": self.name, "title": self.title, "note": self.note, "provides": left}
        return base.model_copy(update=changed | {"own": base.own | hidden})


def parse_provides(text: str, path: Path) -> dict[str, Provided]:
    """Read the text of a ``.provides`` file.

    :raises DataError: all mistakes in it
    """
    provides: dict[str, Provided] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            dist, version, package = line.split()
        except ValueError:
            problems.append(Problem(path, number, "'dist version package' is expected"))
            continue
        try:
            check_dist(dist)
            check_version(version)
        except ValueError as error:
            problems.append(Problem(path, number, str(error)))
            continue
        if dist in provides:
            problems.append(Problem(path, number, f"{dist} is there a second time"))
        # The text was checked above; constructing without validation keeps 5,000 lines quick.
        provides[dist] = Provided.model_construct(version=version, package=package)
    if problems:
        raise DataError(problems)
    return provides


def load_provides(path: Path) -> dict[str, Provided]:
    """Read a ``.provides`` file; one that is not there provides nothing.

    :raises DataError: all mistakes in it
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return parse_provides(text, path)


def render_provides(provides: Mapping[str, Provided], header: str) -> str:
    """Write a ``.provides`` file's text, sorted by name; each line of ``header`` becomes a comment."""
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    lines += [f"{dist} {found.version} {found.package}" for dist, found in sorted(provides.items())]
    return "\n".join(lines) + "\n"
