"""Which packages must be there so that some requirements hold: libsolv over packages described by hand.

A :class:`Universe` is built once and asked many times; :func:`solve` is the short form for one question. A
universe belongs to one thread at a time. Nothing of libsolv's leaves it: what it hands out are plain values,
and solvers, jobs and problems, which point into the pool without keeping it alive, end with each question.

Weak dependencies play no part. Where several packages satisfy a requirement, a higher ``priority`` wins, then
the newer version of the same name; the answer is the same in every process.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import solv

from rdo.building.rpminfo import RpmInfo

_OPERATORS = {
    "<": solv.REL_LT,
    "<=": solv.REL_LT | solv.REL_EQ,
    "=": solv.REL_EQ,
    ">=": solv.REL_GT | solv.REL_EQ,
    ">": solv.REL_GT,
}
_PLAIN = re.compile(r"^(?P<name>\S+)(?:\s+(?P<operator><=|>=|<|>|=)\s+(?P<evr>\S+))?$")
_ARCHITECTURES = ("noarch", "src")


@dataclass(frozen=True)
class Unsatisfied:
    """An unsatisfied requirement, or a conflict; ``needed_by`` is None where it was asked for itself."""

    requirement: str
    needed_by: str | None
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Selection:
    """What must be installed, by name; empty where there are problems."""

    packages: tuple[RpmInfo, ...] = ()
    problems: tuple[Unsatisfied, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether everything can be satisfied."""
        return not self.problems


class Universe:
    """Packages among which requirements are satisfied."""

    def __init__(self, architecture: str = "x86_64") -> None:
        self._pool = solv.Pool()
        self._pool.setdisttype(solv.Pool.DISTTYPE_RPM)
        self._pool.setarch(architecture)
        self._repos: dict[int, Any] = {}
        self._records: dict[int, RpmInfo] = {}
        self._ids: dict[str, int] = {}
        self._deps: dict[str, Any] = {}
        self._wanted_files: set[str] = set()
        self._files: dict[str, list[int]] = {}
        self._stale = True

    def add(
        self, packages: Iterable[RpmInfo], *, priority: int = 0, only: Collection[str] | None = None
    ) -> None:
        """Add packages; one whose ``sha256`` (where it has one) is there already is left out.

        :param only: the names of those capabilities that questions can lead to; what else the packages
            provide is left out then, which saves most of the time
        """
        repo = self._repos.get(priority)
        if repo is None:
            repo = self._repos[priority] = self._pool.add_repo(f"priority {priority}")
            repo.priority = priority
        for info in packages:
            if (info.sha256 or info.nevra) in self._ids:
                continue
            self._add(repo, info, only)
            self._stale = True

    def __contains__(self, info: RpmInfo) -> bool:
        return (info.sha256 or info.nevra) in self._ids

    def solve(
        self,
        wanted: Sequence[str],
        *,
        install: Sequence[RpmInfo] = (),
        considered: Iterable[RpmInfo] | None = None,
    ) -> Selection:
        """Return what must be installed so that all ``wanted`` requirements hold.

        :param install: packages that must be among them
        :param considered: the only packages that may be used; all where None
        """
        self._prepare([*wanted, *(r for info in install for r in info.requires)])
        pool = self._pool
        if self._stale or considered is None:
            self._consider(self._records)
        if self._stale:
            pool.createwhatprovides()
            self._stale = False
        if considered is not None:
            self._consider(self._ids[info.sha256 or info.nevra] for info in considered)
        jobs = [
            pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE_PROVIDES, self._dep(w).id)
            for w in wanted
            if not w.startswith("rpmlib(")
        ]
        jobs += [
            pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, self._ids[i.sha256 or i.nevra])
            for i in install
        ]
        solver = pool.Solver()
        solver.set_flag(solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 1)
        problems = solver.solve(jobs)
        if problems:
            return Selection(problems=tuple(dict.fromkeys(self._explain(p) for p in problems)))
        chosen = [self._records[s.id] for s in solver.transaction().newsolvables()]
        return Selection(packages=tuple(sorted(chosen, key=lambda info: (info.name, info.evr))))

    def uninstallable(self, packages: Sequence[RpmInfo]) -> dict[str, tuple[Unsatisfied, ...]]:
        """Return which of the packages can't be installed, each by itself, and why, by NEVRA."""
        if self.solve((), install=packages).ok:
            return {}
        answers = {info.nevra: self.solve((), install=(info,)).problems for info in packages}
        return {nevra: problems for nevra, problems in answers.items() if problems}

    def compare(self, first: RpmInfo, second: RpmInfo) -> int:
        """Compare versions of two packages that were added, as rpm does: below 0, 0, or above 0."""
        solvables = [self._pool.id2solvable(self._ids[i.sha256 or i.nevra]) for i in (first, second)]
        return int(solvables[0].evrcmp(solvables[1]))

    def obsoleted(self, packages: Sequence[RpmInfo]) -> dict[str, RpmInfo]:
        """Return, by NEVRA, which of the packages another package takes the place of, and which one does."""
        self._refresh()
        found: dict[str, RpmInfo] = {}
        mine = {info.sha256 or info.nevra for info in packages}
        others = (r for r in self._records.values() if (r.sha256 or r.nevra) not in mine)
        for record in others:
            for text in record.obsoletes:
                dep = self._dep(text)
                for info in packages:
                    solvable = self._pool.id2solvable(self._ids[info.sha256 or info.nevra])
                    if info.name == text.partition(" ")[0] and solvable.matchesdep(solv.SOLVABLE_NAME, dep):
                        found.setdefault(info.nevra, record)
        return found

    def held_back(self, installed: Sequence[RpmInfo]) -> list[RpmInfo]:
        """Return what of the packages stays as it is when a host that has all of them is upgraded.

        They must have been added, in a priority of their own.
        """
        self._refresh()
        mine = {self._ids[info.sha256 or info.nevra] for info in installed}
        self._pool.installed = self._pool.id2solvable(next(iter(mine))).repo
        try:
            solver = self._pool.Solver()
            solver.set_flag(solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 1)
            job = self._pool.Job(solv.Job.SOLVER_UPDATE | solv.Job.SOLVER_SOLVABLE_ALL, 0)
            solver.solve([job])
            kept = [self._records[s.id] for s in solver.transaction().keptsolvables() if s.id in mine]
        finally:
            self._pool.installed = None
        return sorted(kept, key=lambda info: info.nevra)

    def _refresh(self) -> None:
        self._prepare(r for info in self._records.values() for r in (*info.requires, *info.obsoletes))
        self._consider(self._records)
        self._pool.createwhatprovides()
        self._stale = False

    def _consider(self, identities: Iterable[int]) -> None:
        # The bindings size their map of considered packages only once and would write past its end after
        # packages were added. Disabling nothing frees the map, so that a new one is made in the right size.
        self._pool.set_disabled_list([])
        self._pool.set_considered_list(list(identities))

    def _add(self, repo: Any, info: RpmInfo, only: Collection[str] | None) -> None:
        provides: Iterable[str] = info.provides
        files: Iterable[str] = info.files
        if only is not None:
            provides = (text for text in info.provides if text.partition(" ")[0] in only)
            files = (path for path in info.files if path in only)
        solvable = repo.add_solvable()
        solvable.name, solvable.evr, solvable.arch = info.name, info.evr, info.arch
        itself = self._pool.rel2id(solvable.nameid, solvable.evrid, solv.REL_EQ)
        solvable.add_deparray(solv.SOLVABLE_PROVIDES, itself)
        for kind, capabilities in (
            (solv.SOLVABLE_PROVIDES, provides),
            (solv.SOLVABLE_REQUIRES, info.requires),
            (solv.SOLVABLE_CONFLICTS, info.conflicts),
            (solv.SOLVABLE_OBSOLETES, info.obsoletes),
        ):
            for capability in capabilities:
                if not capability.startswith("rpmlib("):
                    solvable.add_deparray(kind, self._dep(capability))
        self._records[solvable.id] = info
        self._ids[info.sha256 or info.nevra] = solvable.id
        for path in files:
            self._files.setdefault(path, []).append(solvable.id)
            if path in self._wanted_files:
                solvable.add_deparray(solv.SOLVABLE_PROVIDES, self._dep(path))

    def _dep(self, text: str) -> Any:
        known = self._deps.get(text)
        if known is None:
            known = self._deps[text] = self._parse(text)
            if text.startswith("/"):
                self._want_file(text)
            elif text.startswith("("):
                for path in re.findall(r"(?<=[\s(])/[^\s()]+", text):
                    self._want_file(path)
        return known

    def _parse(self, text: str) -> Any:
        if text.startswith("("):
            dep = self._pool.parserpmrichdep(text)
            if dep is None:
                raise ValueError(f"no rich dependency: {text!r}")
            return dep
        match = _PLAIN.match(text)
        if match is None:
            raise ValueError(f"no dependency: {text!r}")
        name = self._pool.Dep(match["name"])
        if not match["operator"]:
            return name
        return name.Rel(_OPERATORS[match["operator"]], self._pool.Dep(match["evr"]))

    def _want_file(self, path: str) -> None:
        """Give a file's owners a provide of its path: libsolv then needs no file lists."""
        if path in self._wanted_files:
            return
        self._wanted_files.add(path)
        for identity in self._files.get(path, ()):
            self._pool.id2solvable(identity).add_deparray(solv.SOLVABLE_PROVIDES, self._pool.Dep(path))
            self._stale = True

    def _prepare(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._dep(text)

    def _explain(self, problem: Any) -> Unsatisfied:
        rule = problem.findproblemrule()
        for candidate in problem.findallproblemrules():
            if candidate.info().type in (
                solv.Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP,
                solv.Solver.SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP,
            ):
                rule = candidate
                break
        info = rule.info()
        requirement = str(info.dep) if info.dep is not None else ""
        needed_by = str(info.solvable) if info.solvable is not None else None
        if info.type == solv.Solver.SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP:
            return Unsatisfied(requirement, None, f"nothing provides {requirement}")
        if info.type == solv.Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
            return Unsatisfied(
                requirement, needed_by, f"nothing provides {requirement}, needed by {needed_by}"
            )
        return Unsatisfied(requirement, needed_by, info.problemstr())


def capability_names(requirement: str) -> set[str]:
    """Return the names that a requirement is about; of a rich one, all words that may be names."""
    if not requirement.startswith("("):
        return {requirement.partition(" ")[0]}
    found = set()
    for word in requirement.split():
        word = word.lstrip("(")
        while word.count(")") > word.count("("):
            word = word.removesuffix(")")
        found.add(word)
    return found


def solve(
    wanted: Sequence[str],
    available: Sequence[RpmInfo],
    *,
    install: Sequence[RpmInfo] = (),
    architecture: str = "x86_64",
) -> Selection:
    """Return what of ``available`` must be installed so that all ``wanted`` requirements hold."""
    universe = Universe(architecture)
    universe.add(available)
    universe.add(install)
    return universe.solve(wanted, install=install)
