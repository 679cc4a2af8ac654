"""Whether built RPMs are what was expected: judged outside of the seal, after a build and before signing.

Nothing that a build claims is believed. Each difference is refused and named with its package. Only rpm's own
dependency generators may add something: what they make of the package's files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from rdo.building.accounts import account, may_make
from rdo.building.expectation import Expectation, ExpectedPackage
from rdo.building.file_rules import file_problems
from rdo.building.rpm_facts import FileFact, RpmFacts, facts_of, files_of
from rdo.building.rpm_header import RpmHeaderError, read_whole
from rdo.building.spec_sections import FileRule
from rdo.common.text import printable
from rdo.packaging.versions import dependency_version

_PYTHON_DIST = re.compile(r"python3(?:\.\d+)?dist\(([^()\[\]]+)(?:\[[^()\[\]]+\])?\) = (\S+)")
_ACCOUNT = re.compile(r"(user|group|groupmember)\(([^()]+)\)(?: = (\S+))?")
_LIBRARY = re.compile(r"([^()\s]+)\(([^()]*)\)\(64bit\)")
# Capabilities that generators make of a file, and the end of that file's path.
_OF_FILES = {"pkgconfig": ".pc", "cmake": ".cmake", "application": ".desktop", "metainfo": ".xml"}
_DEBUG = re.compile(r"(.+)-(debuginfo|debugsource)")
_DEBUG_FILES = {
    "rules": tuple(FileRule(glob=place) for place in ("/usr/lib/debug", "/usr/src/debug")),
    "lists": (),
}


def problems_of(expected: Expectation, rpms: Mapping[str, Path]) -> list[str]:
    """Return everything in which built RPMs are not what was expected; nothing is good.

    :param rpms: by the file name that they claim
    """
    found = []
    made: set[str] = set()
    packages = {one.facts.filename: one for one in expected.packages}
    source = expected.packages[0].facts.source
    for filename, path in sorted(rpms.items()):
        try:
            tags = read_whole(path)
            facts, files = facts_of(tags), files_of(tags)
        except RpmHeaderError as error:
            found.append(f"{printable(filename)} {error.what}")
            continue
        if facts.filename != filename:
            found.append(f"{printable(filename)} calls itself {printable(facts.filename)}")
        elif filename == source:
            found += _of_source(expected, facts, files)
        elif filename in packages:
            made.add(filename)
            found += _of_package(expected, packages[filename], facts, files)
        elif (origin := _debugged(facts, expected)) is not None:
            found += _of_debugging(origin, facts, files)
        else:
            found.append(
                f"{printable(filename)} was made besides, which {expected.package}.spec doesn't have"
            )
    optional = {name for name, one in packages.items() if _DEBUG.fullmatch(one.facts.name)}
    missing = {source, *packages} - set(rpms) - optional
    return [*found, *(f"{name} was not made" for name in sorted(missing))]


def _of_package(
    expected: Expectation, package: ExpectedPackage, facts: RpmFacts, files: list[FileFact]
) -> Iterator[str]:
    name = facts.name
    yield from _differing(package.facts, facts)
    yield from _relations(package.facts, facts)
    for capability in sorted(set(facts.provides) - set(package.facts.provides)):
        if _PYTHON_DIST.fullmatch(capability) and not _may_provide(capability, facts, files, expected):
            yield f"{name} provides {printable(capability)}; the pin is {expected.dist} {expected.version}"
        elif not _may_provide(capability, facts, files, expected):
            yield f"{name} provides {printable(capability)}, which isn't in its spec nor made of its files"
    for capability in sorted(set(package.facts.provides) - set(facts.provides)):
        yield f"{name} doesn't provide {printable(capability)}"
    for line in facts.sysusers:
        if account(line) not in expected.accounts:
            yield f"{name} makes the account {printable(line)}, which isn't in its spec's sysusers files"
    yield from file_problems(package, files)


def _differing(expected: RpmFacts, facts: RpmFacts) -> Iterator[str]:
    """Compare what must be the same to the letter."""
    name = facts.name
    for what in ("epoch", "version", "release", "arch", "source", "licence"):
        wanted, got = getattr(expected, what), getattr(facts, what)
        if wanted != got:
            yield f"{name}: its {what} is {printable(got) or 'not said'}, not {wanted or 'left out'}"
    for section in sorted(expected.scripts.keys() | facts.scripts.keys()):
        wanted, got = expected.scripts.get(section), facts.scripts.get(section)
        if wanted is None:
            yield f"{name} has a {section} that its spec doesn't have: {printable(got or '')}"
        elif wanted != got:
            yield f"{name}: its {section} isn't the spec's: {printable(got or 'there is none')}"
    for trigger in facts.triggers:
        if trigger not in expected.triggers:
            yield f"{name} has a trigger that its spec doesn't have: {printable(trigger)}"
    for trigger in expected.triggers:
        if trigger not in facts.triggers:
            yield f"{name} lacks the trigger {printable(trigger)}"
    if facts.prefixes != expected.prefixes:
        yield f"{name} can be moved to other places, which its spec doesn't say"


def _relations(expected: RpmFacts, facts: RpmFacts) -> Iterator[str]:
    for word in sorted(expected.relations.keys() | facts.relations.keys()):
        wanted, got = set(expected.relations.get(word, ())), set(facts.relations.get(word, ()))
        if more := got - wanted:
            yield f"{facts.name} {word}: {printable(', '.join(sorted(more)))}, which its spec doesn't say"
        if less := wanted - got:
            yield f"{facts.name} lacks {word}: {printable(', '.join(sorted(less)))}"
    if less := set(expected.requires) - set(facts.requires):
        yield f"{facts.name} lacks Requires: {printable(', '.join(sorted(less)))}"


def _may_provide(capability: str, facts: RpmFacts, files: list[FileFact], expected: Expectation) -> bool:
    """Return whether rpm's generators make a capability of a package with these files."""
    if match := _PYTHON_DIST.fullmatch(capability):
        return bool(expected.dist) and (
            canonicalize_name(match[1]) == expected.dist and match[2] == dependency_version(expected.version)
        )
    if match := _ACCOUNT.fullmatch(capability):
        return may_make(match[1], match[2], match[3], expected.accounts)
    if match := _LIBRARY.fullmatch(capability):
        return facts.arch != "noarch" and any(file.path.endswith(f"/{match[1]}") for file in files)
    if capability == f"config({facts.name}) = {facts.evr}":
        return any(file.path.startswith("/etc/") for file in files)
    if rest := facts.name.removeprefix("python3-") if facts.name.startswith("python3-") else "":
        other = re.fullmatch(r"(python(?:3\.\d+)?)-(.+) = (\S+)", capability)
        if other is not None and (other[2], other[3]) == (rest, facts.evr):
            return True
    kind = re.match(r"([a-z]+)\(", capability)
    end = _OF_FILES.get(kind[1]) if kind else None
    return end is not None and any(file.path.endswith(end) for file in files)


def _of_source(expected: Expectation, facts: RpmFacts, files: list[FileFact]) -> Iterator[str]:
    what = f"{facts.name}'s source package"
    first = expected.packages[0].facts
    if (facts.name, facts.epoch, facts.version) != (expected.package, first.epoch, first.version):
        yield f"{what} calls itself {printable(facts.name)} {printable(facts.evr)}"
    for section in sorted(facts.scripts):
        yield f"{what} has a {section}"
    if facts.triggers:
        yield f"{what} has triggers"
    inside = {file.path: file.digest for file in files}
    for name in sorted(inside.keys() | expected.sources.keys()):
        if name not in expected.sources:
            yield f"{what} has the file {printable(name)}, which was not given to it"
        elif inside.get(name) != expected.sources[name]:
            yield f"{what}: {printable(name)} isn't the file that was given to it"


def _debugged(facts: RpmFacts, expected: Expectation) -> ExpectedPackage | None:
    """Return the package whose debug symbols rpm split off into this one, or None if there is none."""
    match = _DEBUG.fullmatch(facts.name)
    names = {expected.package, *(one.facts.name for one in expected.packages)}
    if match is None or match[1] not in names:
        return None
    return next((one for one in expected.packages if one.facts.arch == facts.arch != "noarch"), None)


def _of_debugging(origin: ExpectedPackage, facts: RpmFacts, files: list[FileFact]) -> Iterator[str]:
    plain = origin.facts.model_copy(
        update={"scripts": {}, "triggers": (), "relations": {}, "requires": (), "prefixes": ()}
    )
    yield from _differing(plain, facts)
    if extra := set(facts.relations) - {"Recommends"}:
        yield f"{facts.name} has {', '.join(sorted(extra))}, which its spec doesn't say"
    for capability in facts.provides:
        if not _of_symbols(capability, facts):
            yield f"{facts.name} provides {printable(capability)}, which symbols don't"
    for line in facts.sysusers:
        yield f"{facts.name} makes the account {printable(line)}"
    yield from file_problems(origin.model_copy(update={"facts": facts, **_DEBUG_FILES}), files)


def _of_symbols(capability: str, facts: RpmFacts) -> bool:
    """Return whether rpm has a package of symbols provide something: its own name, and those of its files."""
    own = re.fullmatch(rf"{re.escape(facts.name)}(\([^()\s]+\))? = {re.escape(facts.evr)}", capability)
    others = r"debuginfo\(build-id\) = [0-9a-f]+|[^()\s]+\.debug\([^()]*\)\(64bit\)"
    return bool(own) or re.fullmatch(others, capability) is not None
