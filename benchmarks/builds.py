"""Twelve packages from pbr to nova: our sealed builds against plain rpmbuild with EL's macros."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks.closure import Closure, built_closure, built_now, cold_build
from benchmarks.el_way import ReadyRoot
from benchmarks.measure import Row, Sample, row
from benchmarks.places import Bench
from benchmarks.same import Comparison, compare
from rdo.building.run import RunSummary
from rdo.common.errors import RdoError
from rdo.common.progress import Progress

TITLE = "Twelve packages from pbr to nova, roots included, against plain rpmbuild in a ready root"

_SHARED = ("roots", "sources", "layers", "metadata")
_GOALS = {1: 0.5, 2: 0.3}


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Measure both ways by turns; compare what they made.

    Ours is a process of its own each time, from its start to its end: planning, layers of the RPMs just
    built, roots, builds, storing. It finds nothing of the twelve in its store. EL's is rpmbuild's time alone.
    """
    closure = built_closure(bench, progress)
    theirs: list[Sample] = []
    mine: dict[int, list[Sample]] = {jobs: [] for jobs in _GOALS}
    inside: dict[int, list[float]] = {jobs: [] for jobs in _GOALS}
    with bench.folder() as folder:
        ready = ReadyRoot.make(bench, closure, folder / "el")
        comparison = Comparison()
        for number in range(rounds):
            progress.message(f"round {number + 1} of {rounds}: EL's way")
            each, out, _ = ready.build(closure.measured, f"round-{number}", el=True)
            theirs.append(
                Sample(sum(one.wall for one in each.values()), sum(one.cpu for one in each.values()))
            )
            for jobs, samples in mine.items():
                progress.message(f"round {number + 1} of {rounds}: ours, {jobs} at a time")
                made = folder / f"ours-{number}-{jobs}"
                sample, seconds = _ours(bench, closure, jobs, made)
                samples.append(sample)
                inside[jobs].append(seconds)
            if number == 0:
                comparison = compare(bench, made, out, folder / "compared")
    rows = [row("EL's way, one after the other", theirs, note="rpmbuild alone; its root is ready")]
    for jobs, samples in mine.items():
        name = f"ours, {jobs} job{'s'[: jobs > 1]}"
        note = f"{statistics.median(inside[jobs]):.1f} s in roots, all builds together"
        rows.append(row(name, samples, base=theirs, against="EL's way", goal=_GOALS[jobs], note=note))
    remarks = [comparison.text, *comparison.differences[:20]]
    if comparison.bytecode:
        remarks.append("Byte-code that differs: " + ", ".join(comparison.bytecode))
    return rows, remarks


def _ours(bench: Bench, closure: Closure, jobs: int, target: Path) -> tuple[Sample, float]:
    """Measure one cold build; the RPMs of the chosen packages come to ``target``.

    :returns: what it took, and the sum of the wall seconds that builds spent in their roots
    """
    with bench.apart(_SHARED, closure.others) as paths:
        sample, summary = cold_build(bench, closure, paths, jobs)
        _require_cold(closure, summary)
        target.mkdir()
        for result in summary.results:
            for artifact in result.artifacts if result.package in closure.chosen else ():
                digest = artifact.sha256
                os.link(paths.store / "content" / digest[:2] / digest, target / artifact.filename)
    return sample, sum(result.seconds for result in summary.of("built"))


def _require_cold(closure: Closure, summary: RunSummary) -> None:
    """See to it that exactly the chosen packages were built.

    :raises RdoError: others were too, or some were found: then the figure means something else
    """
    built = built_now(summary)
    if odd := built ^ {request.package for request in closure.measured}:
        raise RdoError(f"What was built is not what was to be measured: {', '.join(sorted(odd))}.")
