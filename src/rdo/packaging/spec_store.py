"""The last generated spec of each package, and what has changed since."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rdo.common.files import write_atomically
from rdo.packaging.spec_model import GeneratedSpec

_DEPENDENCY_TAG = re.compile(r"(BuildRequires|Requires|Recommends)(?:\([^)]*\))?:\s+(\S.*)")


@dataclass(frozen=True)
class RequirementChange:
    """One dependency that came (``before`` is None), went (``after`` is None) or changed its version."""

    kind: str
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.kind} {self.after}"
        if self.after is None:
            return f"- {self.kind} {self.before}"
        return f"~ {self.kind} {self.before} -> {self.after}"


@dataclass(frozen=True)
class SpecDifference:
    """What is different between two specs of a package: a unified diff, and the dependencies."""

    text: str
    requirements: tuple[RequirementChange, ...]


class SpecStore:
    """A folder of specs of one platform and series: ``<folder>/<package>.spec``.

    :param folder: made when something is first written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, specs: Path, platform: str, series: str) -> SpecStore:
        """Open the specs of a platform and series below ``Paths.specs``."""
        return cls(specs / f"{platform}-{series}")

    def last(self, package: str) -> str | None:
        """Return the spec that was generated last, None where there was none."""
        try:
            return (self.folder / f"{package}.spec").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def save(self, spec: GeneratedSpec) -> None:
        """Keep a spec as the last one; a file that has the same text already is left alone."""
        if self.last(spec.package) != spec.text:
            write_atomically(self.folder / f"{spec.package}.spec", spec.text, durable=False)


def write_sources(spec: GeneratedSpec, folder: Path) -> list[Path]:
    """Write a spec and its files to a folder, as rpmbuild wants them; return what was written.

    Upstream's own archive is linked where the folder's file system allows, else copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{spec.package}.spec"]
    write_atomically(written[0], spec.text)
    for source in spec.sources:
        target = folder / source.filename
        if source.content is not None:
            write_atomically(target, source.content)
        elif source.path is not None:
            write_atomically(target, source.path.read_bytes())
        else:
            continue
        written.append(target)
    return written


def difference(package: str, before: str, after: str) -> SpecDifference:
    """Compare two specs of a package."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"{package}.spec (last)",
        f"{package}.spec",
    )
    return SpecDifference("".join(lines), tuple(_changes(_dependencies(before), _dependencies(after))))


def _dependencies(text: str) -> dict[tuple[str, str], list[str]]:
    """Return dependencies by their tag and the name that they begin with, those on the spec itself apart."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in text.splitlines():
        match = _DEPENDENCY_TAG.fullmatch(line.strip())
        if match and "%{version}" not in line:
            name = match.group(2).lstrip("(").split()[0]
            found.setdefault((match.group(1), name), []).append(match.group(2).strip())
    return found


def _changes(
    before: dict[tuple[str, str], list[str]], after: dict[tuple[str, str], list[str]]
) -> Iterable[RequirementChange]:
    for kind, name in sorted({*before, *after}):
        old, new = before.get((kind, name), []), after.get((kind, name), [])
        gone = [item for item in old if item not in new]
        come = [item for item in new if item not in old]
        for index in range(max(len(gone), len(come))):
            yield RequirementChange(
                kind,
                name,
                gone[index] if index < len(gone) else None,
                come[index] if index < len(come) else None,
            )
