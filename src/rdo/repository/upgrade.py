"""Whether hosts get from one series to the next by plain ``dnf upgrade``.

A host may have every package of the old repository. Each must be upgraded to a higher version or have the
same one still; else another package must take its place (Obsoletes), or the platform have one of its name.
None may stay behind because something that it needs went away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import Universe
from rdo.repository.findings import Finding
from rdo.repository.release_rpm import OBSOLETE

_INSTALLED = -10


@dataclass(frozen=True)
class UpgradePath:
    """What becomes of the packages of one repository with the next one.

    ``upgraded`` and ``replaced`` are pairs of NEVRAs, old and new; ``same`` have one version in both, and
    ``left`` stay for the platform to renew, which has packages of these names; ``findings`` say what goes
    wrong.
    """

    upgraded: tuple[tuple[str, str], ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    same: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def upgrade_path(
    old: Sequence[RpmInfo],
    new: Sequence[RpmInfo],
    platform_records: Sequence[RpmInfo],
    *,
    architecture: str = "x86_64",
) -> UpgradePath:
    """Work out what becomes of each binary package of ``old`` when ``new`` takes the repository's place.

    :param platform_records: what the platform offers by itself
    """
    before = sorted((info for info in old if info.arch != "src"), key=lambda info: info.nevra)
    after = [info for info in new if info.arch != "src"]
    before = [info for info in before if info.name != OBSOLETE]
    unchanged = {info.nevra for info in before} & {info.nevra for info in after}
    same = sorted(unchanged)
    before = [info for info in before if info.nevra not in unchanged]
    if not before:
        return UpgradePath(same=tuple(same))
    universe = Universe(architecture)
    universe.add(platform_records)
    universe.add(after, priority=1)
    universe.add(before, priority=_INSTALLED)
    newest: dict[str, RpmInfo] = {}
    for info in after:
        if info.name not in newest or universe.compare(info, newest[info.name]) > 0:
            newest[info.name] = info
    obsoleted = universe.obsoleted(before)
    theirs = {info.name for info in platform_records}
    findings: list[Finding] = []
    upgraded, replaced, left = [], [], []
    for info in before:
        successor = newest.get(info.name)
        if successor is not None and universe.compare(successor, info) > 0:
            upgraded.append((info.nevra, successor.nevra))
        elif info.nevra in obsoleted:
            replaced.append((info.nevra, obsoleted[info.nevra].nevra))
        elif successor is not None:
            findings.append(_lower(info, successor))
        elif info.name in theirs:
            left.append(info.nevra)
        else:
            findings.append(_orphan(info))
    stay = {*left, *(finding.package for finding in findings)}
    for info in universe.held_back(before):
        if info.nevra not in stay:
            findings.append(_held_back(info, newest.get(info.name), universe))
    return UpgradePath(tuple(upgraded), tuple(replaced), tuple(same), tuple(left), tuple(sorted(findings)))


def _lower(old: RpmInfo, new: RpmInfo) -> Finding:
    reason = f"the new repository has {new.evr}, which is not higher than {old.evr}; raise epoch or release"
    return Finding(old.nevra, "lower-version", old.name, reason, (new.nevra,))


def _orphan(old: RpmInfo) -> Finding:
    reason = "the new repository has no such package, and none that takes its place (Obsoletes)"
    return Finding(old.nevra, "orphan", old.name, reason)


def _held_back(old: RpmInfo, new: RpmInfo | None, universe: Universe) -> Finding:
    said = () if new is None else universe.solve((), install=(new,)).problems
    why = "; ".join(str(problem) for problem in said) or "its successor conflicts with what else is there"
    return Finding(old.nevra, "held-back", old.name, f"it would not be upgraded: {why}")
