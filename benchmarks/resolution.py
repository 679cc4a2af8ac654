"""Resolution of the quickstart's closure: with everything known, and with less and less of it."""

from __future__ import annotations

from collections.abc import Collection

from benchmarks.measure import Row, Sample, repeated, row
from benchmarks.places import Bench, installation_of
from benchmarks.rerun import ASKED, command
from rdo.common.progress import Progress
from rdo.distribution.load import Distribution
from rdo.packaging.closure import resolve_closure

TITLE = "Resolution of keystone and python-openstackclient"


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Resolve within this process, and with the whole command."""

    def within() -> None:
        distribution = Distribution.load(bench.paths.distribution)
        release, platform = distribution.release(bench.release.series), distribution.platform("debian13")
        resolve_closure(distribution, release, platform, ASKED, installation_of(bench.paths))

    within()
    progress.message("warm, within a process")
    inside = repeated(within, rounds)
    progress.message("warm, the command")
    warm = _commands(bench, ("sources", "metadata"), rounds, fresh=False)
    progress.message("sources known, metadata not")
    reading = _commands(bench, ("sources",), min(rounds, 3), fresh=True)
    progress.message("nothing known, sources come from the index")
    cold = _commands(bench, (), 1, fresh=True)
    rows = [
        row("warm, data loaded anew", inside),
        row("warm, `rdo resolve`", warm, goal=1.0, goal_is="seconds"),
        row("sources there, metadata read anew", reading, base=warm, against="warm"),
        row("cold: sources fetched from the index", cold, base=warm, against="warm"),
    ]
    return rows, ["The cold figure is the network's more than ours; it is taken once."]


def _commands(bench: Bench, shared: Collection[str], times: int, *, fresh: bool) -> list[Sample]:
    """Measure the command in an installation that shares these folders; in a new one each time if fresh."""
    samples = []
    for _ in range(times if fresh else 1):
        with bench.apart(shared) as paths:
            if not fresh:
                command(paths, "resolve", *ASKED)
            samples += [command(paths, "resolve", *ASKED) for _ in range(1 if fresh else times)]
    return samples
