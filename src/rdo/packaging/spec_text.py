"""Reads a generated spec back: its binary packages with their dependencies and lists of files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rdo.packaging.spec_quoting import meant

_SECTION = re.compile(
    r"%(package|description|files|prep|build|install|check|pre|post|preun|postun|posttrans|changelog)\b(.*)"
)
_TAG = re.compile(r"(Summary|Requires|Recommends|Provides|Obsoletes):\s+(\S.*)")


@dataclass
class SpecPackage:
    """One binary package as a spec has it: the values of its tags, and the lines of %files."""

    name: str
    summary: str = ""
    requires: list[str] = field(default_factory=list)
    recommends: list[str] = field(default_factory=list)
    provides: list[str] = field(default_factory=list)
    obsoletes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def binary_packages(text: str) -> list[SpecPackage]:
    """Return the binary packages of a generated spec: those with a %files section, in its order.

    A list of files that the build writes (``-f``) is the first of a package's files.
    """
    source = re.search(r"^Name:\s+(\S+)", text, re.M)
    main = source[1] if source else ""
    packages: dict[str, SpecPackage] = {}
    for section, arguments, line in _lines(text):
        name = _named(arguments, main)
        package = packages.setdefault(name, SpecPackage(name))
        if section in ("", "package"):
            _take_tag(package, line)
        elif section == "files" and not line:
            listed = re.search(r"-f (\S+)", arguments)
            package.files = [listed[1]] if listed else []
        elif section == "files":
            package.files.append(line)
    return [packages[name] for name in _with_files(text, main)]


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (section, its arguments, line); the beginning of a section as an empty line."""
    section = arguments = ""
    for line in text.splitlines():
        match = _SECTION.fullmatch(line)
        if match:
            section, arguments = match[1], match[2]
            yield section, arguments, ""
        elif line.strip():
            yield section, arguments, line.strip()


def _named(arguments: str, main: str) -> str:
    name = re.search(r"-n (\S+)", arguments)
    return name[1] if name else main


def _with_files(text: str, main: str) -> list[str]:
    return [_named(found, main) for found in re.findall(r"^%files(.*)$", text, re.M)]


def _take_tag(package: SpecPackage, line: str) -> None:
    match = _TAG.fullmatch(line)
    if match is None:
        return
    if match[1] == "Summary":
        package.summary = meant(match[2])
    else:
        getattr(package, match[1].lower()).append(match[2])
