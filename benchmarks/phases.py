"""Where a build's time goes: oslo.config, keystone and nova, phase by phase, in our way and in EL's."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.closure import Closure, built_closure
from benchmarks.el_way import ReadyRoot
from benchmarks.measure import Row, measured
from benchmarks.places import Bench, installation_of
from rdo.building.models import BuildRequest
from rdo.building.rpmbuild import RootBuilder
from rdo.common.errors import RdoError
from rdo.common.progress import Progress

TITLE = "Where a build's time goes"

PACKAGES = ("python-oslo-config", "openstack-keystone", "openstack-nova")

_STAMP = Path(__file__).with_name("stamp.py")

# The phase that begins with a line of rpmbuild's output; the first pattern that is found counts. Lines with a
# plus are what the shell is about to run.
_BEGINS = (
    (r"Executing\(%prep\)", "unpacking"),
    (r"Executing\(%(build|generate_buildrequires)\)", "%build, the rest"),
    (r"\+ .*(pyproject_wheel\.py|-m pip wheel)", "wheel"),
    (r"Executing\(%install\)", "%install, the rest"),
    (r"\+ .*(pyproject_install\.py|import main; sys\.exit\(main)", "install"),
    (r"\+ (oslo-config-generator|oslopolicy-)", "sample configuration"),
    (r"\+ .*(compileall|finish\.py)", "bytecode"),
    (r"\+ (/usr/lib/rpm/(brp-|redhat/|debian/)|find .*-perm /111)", "passes over the files"),
    (r"\+ ", "%install, the rest"),
    (r"Executing\(%check\)", "%check"),
    (r"Processing files:", "file classes and dependencies"),
    (r"Checking for unpackaged file", "payload"),
    (r"Executing\((rmbuild|%clean)", "cleaning up"),
)
_ORDER: tuple[str, ...] = (
    "start and spec",
    "unpacking",
    "wheel",
    "%build, the rest",
    "install",
    "%install, the rest",
)
_ORDER += ("sample configuration", "passes over the files", "bytecode", "%check")
_ORDER += ("file classes and dependencies", "payload", "cleaning up")

_IN_INSTALL = {"install", "bytecode", "passes over the files", "sample configuration", "%install, the rest"}

Phases = dict[str, dict[str, float]]


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Build the three by turns, in both ways, in one ready root; then each in a sealed root of its own."""
    built = built_closure(bench, progress)
    closure = Closure(built.asked, PACKAGES, built.requests, built.results)
    seen: dict[bool, list[Phases]] = {False: [], True: []}
    sealed: dict[str, list[float]] = defaultdict(list)
    with bench.folder() as folder:
        ready = ReadyRoot.make(bench, closure, folder / "root")
        for number in range(rounds):
            for el in (True, False):
                progress.message(f"round {number + 1} of {rounds}: {'EL' if el else 'our'} macros")
                _, _, log = ready.build(closure.measured, f"{number}-{el}", el=el, stamp=_STAMP)
                seen[el].append(phases(log))
            for request in closure.measured:
                progress.message(f"round {number + 1} of {rounds}: {request.package} in a root of its own")
                place = folder / f"{number}-{request.package}"
                sealed[request.package].append(_sealed(bench, closure, request, place))
    rows = []
    for package in PACKAGES:
        rows += _rows(package, _medians(package, seen[False]), _medians(package, seen[True]))
        alone = statistics.median(sealed[package])
        rpmbuild = statistics.median(sum(one[package].values()) for one in seen[False])
        rows.append(
            Row(
                what=f"{package}: in a sealed root of its own",
                seconds=alone,
                ratio=alone / rpmbuild,
                against=f"rpmbuild in the ready root, {rpmbuild:.2f} s",
            )
        )
    remarks = [
        "Bytecode in our way includes stripping, shebangs and manual pages, done in the same walk.",
        "A sealed root of its own: with planning, mounts, telling the rpmdb what is there, copying out; "
        "without stamps on each line of output.",
    ]
    return rows, remarks


def phases(log: str) -> Phases:
    """Return seconds by package and phase, from a log with stamps."""
    found: Phases = {}
    phase, since = "", 0.0
    for line in log.splitlines():
        if match := re.fullmatch(r"bench: (\S+)", line):
            here: dict[str, float] = defaultdict(float)
            found[match[1]] = here
            phase, since = "start and spec", 0.0
        elif match := re.match(r"at ([\d.]+) (.*)", line):
            begins = _phase(match[2], phase)
            if begins != phase or match[2] == "end":
                here[phase] += float(match[1]) - since
                phase, since = begins, float(match[1])
    return found


def _phase(line: str, now: str) -> str:
    for pattern, phase in _BEGINS:
        if re.match(pattern, line):
            if pattern == r"\+ ":
                return phase if now in _IN_INSTALL else "%build, the rest" if now == "wheel" else now
            return phase
    return now


def _sealed(bench: Bench, closure: Closure, request: BuildRequest, folder: Path) -> float:
    """Build one package as a run does and return the wall seconds; all layers are there."""
    builder = RootBuilder.make(bench.platform, installation_of(bench.paths))
    artifacts = [one for name in request.after for one in closure.results[name].artifacts]
    builder.infos(artifacts, bench.store)
    folder.mkdir()
    with measured() as sample:
        made = builder.build(request, artifacts, bench.store, folder)
    if made.reason:
        raise RdoError(f"{request.package}: {made.reason}")
    return sample.wall


def _medians(package: str, seen: Sequence[Phases]) -> dict[str, float]:
    return {phase: statistics.median(one[package].get(phase, 0.0) for one in seen) for phase in _ORDER}


def _rows(package: str, mine: dict[str, float], theirs: dict[str, float]) -> list[Row]:
    rows = []
    for phase in _ORDER:
        if max(mine[phase], theirs[phase]) >= 0.005:
            rows.append(_row(f"{package}: {phase}", mine[phase], theirs[phase]))
    return [_row(f"{package}: rpmbuild in all", sum(mine.values()), sum(theirs.values())), *rows]


def _row(what: str, mine: float, theirs: float) -> Row:
    ratio = mine / theirs if theirs >= 0.005 else None
    return Row(what=what, seconds=mine, ratio=ratio, against=f"EL's way, {theirs:.2f} s")
