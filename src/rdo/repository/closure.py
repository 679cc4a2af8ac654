"""Whether a repository is closed and free of conflicts: everything that its users would else find out.

Each package must be installable by itself from the repository and the platform's own packages; no two
packages that can be installed together may own one path with different contents; no NEVRA may be there twice.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.solver import Universe, Unsatisfied
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.models import Platform
from rdo.repository.findings import Finding
from rdo.repository.metadata import Described, Entry, RpmFile
from rdo.repository.publish import published_rpms
from rdo.repository.snapshot_writer import Check

_NEAR = 5
_BARE = re.compile(r"[^\s()]+\([^()]*\)(?:\([^()]*\))?|[^\s()]+")
_WORDS = {"if", "unless", "else", "and", "or", "with", "without", "<", "<=", "=", ">=", ">"}


def check(
    rpms: Sequence[RpmInfo],
    platform_records: Sequence[RpmInfo],
    contents: Mapping[str, Sequence[Entry]] | None = None,
    *,
    architecture: str = "x86_64",
) -> list[Finding]:
    """Return what is not clean about a set of packages on a platform, in a stable order.

    Source packages are left aside: what they need is needed for building only.

    :param platform_records: what the platform offers by itself
    :param contents: the paths that packages own, by the SHA-256 of the package; without it, file conflicts
        are not looked for
    """
    binaries = [info for info in rpms if info.arch != "src"]
    findings = _duplicates(binaries)
    universe = Universe(architecture)
    universe.add(_relevant(binaries, platform_records))
    universe.add(binaries, priority=1)
    broken = universe.uninstallable(binaries)
    if broken:
        offers = _Offers([*binaries, *platform_records])
        for info in binaries:
            if info.nevra in broken:
                findings += _explain(info, broken[info.nevra], universe, offers)
    if contents:
        findings += _file_conflicts(binaries, contents, universe)
    return sorted(set(findings))


def checker(platform_records: Sequence[RpmInfo], paths: Paths, *, architecture: str = "x86_64") -> Check:
    """Return the check that :func:`rdo.repository.publish.publish` makes before it publishes anything."""

    def run(described: Sequence[Described], files: Sequence[RpmFile]) -> list[Finding]:
        infos, contents = _read(described, files, paths)
        return check(infos, platform_records, contents, architecture=architecture)

    return run


def platform_checker(
    platform: Platform, installation: Installation, progress: Progress | None = None
) -> Check:
    """Return a check against all that a platform offers, which is looked up when the check is made.

    What of the platform was never fetched is known by name only; where something seems to be missing, the
    platform's packages that may have it are fetched and looked into before that is said.
    """

    def run(described: Sequence[Described], files: Sequence[RpmFile]) -> list[Finding]:
        infos, contents = _read(described, files, installation.paths)
        planner = RootPlanner(platform, installation, progress)
        findings = check(infos, planner.records, contents, architecture=platform.architecture)
        known = len(planner.records)
        for requirement in {finding.requirement for finding in findings if finding.kind == "missing"}:
            with suppress(UnsatisfiedError):
                planner.plan([requirement])
        if findings and len(planner.records) != known:
            return check(infos, planner.records, contents, architecture=platform.architecture)
        return findings

    return run


def published_infos(snapshot: Path, paths: Paths) -> list[RpmInfo]:
    """Return what the packages of a published snapshot say of themselves, source packages left out."""
    cache = paths.metadata / "rpms"
    infos = [read_rpm(f.path, sha256=f.sha256, cache=cache) for f in published_rpms(snapshot)]
    return [info for info in infos if info.arch != "src"]


def _read(
    described: Sequence[Described], files: Sequence[RpmFile], paths: Paths
) -> tuple[list[RpmInfo], dict[str, Sequence[Entry]]]:
    cache = paths.metadata / "rpms"
    infos = [read_rpm(file.path, sha256=file.sha256, cache=cache) for file in files]
    return infos, {one.sha256: one.files for one in described}


def _relevant(binaries: Sequence[RpmInfo], platform_records: Sequence[RpmInfo]) -> list[RpmInfo]:
    """Return the platform's packages that the requirements lead to by name: a fraction of a whole system."""
    by_name: dict[str, list[RpmInfo]] = defaultdict(list)
    for info in platform_records:
        for name in {info.name, *(p.partition(" ")[0] for p in info.provides), *info.files}:
            by_name[name].append(info)
    wanted = [requirement for info in binaries for requirement in info.requires]
    names: set[str] = set()
    found: dict[int, RpmInfo] = {}
    while wanted:
        fresh = {name for requirement in set(wanted) for name in _names(requirement)} - names
        names |= fresh
        news = {id(info): info for name in fresh for info in by_name.get(name, ())}
        wanted = [r for key, info in news.items() if key not in found for r in info.requires]
        found |= news
    return [info for info in platform_records if id(info) in found]


class _Offers:
    """What there is by name, for saying what was nearly found. Made only where something is missing."""

    def __init__(self, infos: Sequence[RpmInfo]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for info in infos:
            self._by_name[info.name].append(f"{info.nevra} ({info.name} = {info.evr})")
            for capability in info.provides:
                name = capability.partition(" ")[0]
                if name != info.name:
                    self._by_name[name].append(f"{info.nevra} ({capability})")

    def of(self, requirement: str) -> tuple[str, ...]:
        """Return who offers the names in a requirement, in whatever version."""
        found = [offer for name in _names(requirement) for offer in self._by_name.get(name, ())]
        return tuple(dict.fromkeys(found))

    def near(self, requirement: str) -> tuple[str, ...]:
        """Return names alike to those in a requirement that nobody offers."""
        close: list[str] = []
        for name in _names(requirement):
            if name not in self._by_name:
                kind = name.partition("(")[0] if "(" in name else ""
                alike = [n for n in self._by_name if (n.partition("(")[0] if "(" in n else "") == kind]
                close += difflib.get_close_matches(name, alike, n=_NEAR, cutoff=0.75)
        return tuple(dict.fromkeys(close))[:_NEAR]


def _names(requirement: str) -> list[str]:
    """Return the capability names in a requirement: one of a plain one, several of a rich one."""
    if not requirement.startswith("("):
        return [requirement.partition(" ")[0]]
    words = _BARE.findall(requirement)
    names, skip = [], False
    for word in words:
        if word in _WORDS:
            skip = word[0] in "<=>"
            continue
        if not skip:
            names.append(word)
        skip = False
    return names


def _duplicates(binaries: Sequence[RpmInfo]) -> list[Finding]:
    by_nevra: dict[str, set[str]] = defaultdict(set)
    for info in binaries:
        by_nevra[info.nevra].add(info.sha256)
    return [
        Finding(nevra, "duplicate", nevra, f"there are {len(hashes)} different packages of this name")
        for nevra, hashes in by_nevra.items()
        if len(hashes) > 1
    ]


def _explain(
    info: RpmInfo, problems: Sequence[Unsatisfied], universe: Universe, offers: _Offers
) -> list[Finding]:
    """Say why a package can't be installed: its own requirements that nothing satisfies, or else the rest."""
    missing = []
    for requirement in info.requires:
        if requirement.startswith("rpmlib("):
            continue
        alone = universe.solve((requirement,)).problems
        if any(
            problem.needed_by is None and problem.message.startswith("nothing provides") for problem in alone
        ):
            missing.append(_missing(info, requirement, offers))
    if missing:
        return missing
    return [
        Finding(
            package=info.nevra,
            kind="uninstallable",
            requirement=problem.requirement,
            reason=f"can't be installed: {problem.message}.",
            providers=offers.of(problem.requirement) if problem.requirement else (),
        )
        for problem in problems
    ]


def _missing(info: RpmInfo, requirement: str, offers: _Offers) -> Finding:
    providers = offers.of(requirement)
    if providers:
        reason = f"nothing provides {requirement}; there is {', '.join(providers[:_NEAR])}."
    else:
        reason = f"nothing provides {requirement}, in any version."
    return Finding(info.nevra, "missing", requirement, reason, providers, offers.near(requirement))


def _file_conflicts(
    binaries: Sequence[RpmInfo], contents: Mapping[str, Sequence[Entry]], universe: Universe
) -> list[Finding]:
    owners: dict[str, list[tuple[RpmInfo, Entry]]] = defaultdict(list)
    for info in binaries:
        for entry in contents.get(info.sha256, ()):
            owners[entry.path].append((info, entry))
    together: dict[tuple[str, str], bool] = {}
    findings = []
    for path, owned in owners.items():
        if len({(entry.kind, entry.digest) for _, entry in owned}) < 2:
            continue
        for (one, mine), (other, theirs) in combinations(owned, 2):
            if one.name == other.name or not _differ(mine, theirs):
                continue
            pair = (one.nevra, other.nevra)
            if pair not in together:
                together[pair] = universe.solve((), install=(one, other)).ok
            if together[pair]:
                reason = f"{path} is also in {other.nevra}, with another content, and both can be installed."
                findings.append(Finding(one.nevra, "file-conflict", path, reason, (other.nevra,)))
    return findings


def _differ(one: Entry, other: Entry) -> bool:
    if one.kind == "dir" and other.kind == "dir":
        return False
    if one.kind == "ghost" or other.kind == "ghost":
        # A ghost has no content of its own; rpm lets it stand beside any file but not beside a folder.
        return "dir" in (one.kind, other.kind)
    return one.kind != other.kind or one.digest != other.digest
