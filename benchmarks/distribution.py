"""A whole series from an empty store, and what one changed line of one description costs then."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Row, Sample, row
from benchmarks.places import Bench
from benchmarks.rerun import command, printed
from rdo.building.session import default_jobs
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.progress import Progress

TITLE = (
    "`rdo build --all`: a series with nothing built, and again after one line of Nova's description changed"
)

_CHANGED = "openstack-nova"
_SUMMARY = "summary: "


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Build the newest series once, then change a line ``rounds`` times; each command publishes."""
    build = ("build", "--release", bench.release.series, "--platform", bench.platform.name, "--all")
    with bench.apart(("roots", "sources", "layers", "metadata")) as paths:
        distribution = paths.state.parent / "distribution"
        shutil.copytree(paths.distribution, distribution)
        paths = replace(paths, distribution=distribution)
        progress.message("the whole series")
        first = command(paths, *build)
        built = _built(paths)
        changes: list[Sample] = []
        for number in range(rounds):
            progress.message(f"a line of Nova's description, {number + 1} of {rounds}")
            _change(distribution / "packages/nova/package.yaml", number)
            changes.append(command(paths, *build))
            if (again := set(_built(paths))) != {_CHANGED}:
                raise RdoError(f"After the change these were built: {', '.join(sorted(again))}.")
        nothing = command(paths, *build)
    jobs = default_jobs()
    inside = sum(built.values())
    outside = 1 - inside / (jobs * first.wall)
    rows = [
        row(f"{len(built)} packages, {jobs} jobs", [first], goal=480.0, goal_is="seconds"),
        Row(
            what="of that outside builds' roots",
            seconds=first.wall - inside / jobs,
            ratio=outside,
            against="all of it",
            goal=0.2,
            note=f"{inside:.0f} s in roots, all builds together",
        ),
        row("one line changed", changes, base=[first], against="the series", goal=15.0, goal_is="seconds"),
        row("nothing changed", [nothing], base=[first], against="the series"),
    ]
    return rows, [
        "Whole commands: resolution, specs, builds, signing, checks, publication. Sources, metadata, the "
        "base root and the platform's layers are there before."
    ]


def _built(paths: Paths) -> dict[str, float]:
    """Return what the last run built: package -> its seconds in its root, by the clock."""
    builds = json.loads(printed(paths, "build", "--status", "--json"))["builds"]
    return {build["package"]: build["seconds"] for build in builds if build["status"] == "built"}


def _change(description: Path, number: int) -> None:
    lines = description.read_text().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith(_SUMMARY))
    lines[place] = f"{_SUMMARY}OpenStack Compute service, changed {number + 1} times\n"
    description.write_text("".join(lines))
