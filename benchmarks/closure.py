"""The packages that are built over and over: some chosen ones, and around them what only has to be there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample, measured
from benchmarks.places import Bench, installation_of
from rdo.building.graph import build_graph
from rdo.building.models import BuildRequest, BuildResult
from rdo.building.pipeline import prepare
from rdo.building.rpmbuild import RootBuilder
from rdo.building.run import RunContext, RunSummary, build_all
from rdo.building.session import default_jobs, make_engine, run_session
from rdo.building.state import State
from rdo.building.store import LocalStore
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.models import Platform

#: From the smallest to the largest of OpenStack's packages; the names are those of source packages.
TWELVE = (
    "python-pbr",
    "python-stevedore",
    "python-oslo-i18n",
    "python-oslo-context",
    "python-oslo-config",
    "python-oslo-utils",
    "python-oslo-serialization",
    "python-oslo-log",
    "python-keystoneauth1",
    "python-openstacksdk",
    "openstack-keystone",
    "openstack-nova",
)

ASKED = ("keystone", "nova")


@dataclass(frozen=True)
class Closure:
    """A closure that has been built: requests in an order that respects their needs, and their results."""

    asked: tuple[str, ...]
    chosen: tuple[str, ...]
    requests: tuple[BuildRequest, ...]
    results: Mapping[str, BuildResult]

    @property
    def measured(self) -> tuple[BuildRequest, ...]:
        """The requests of the chosen packages, in order."""
        return tuple(request for request in self.requests if request.package in self.chosen)

    @property
    def others(self) -> tuple[BuildResult, ...]:
        """The results of the rest."""
        return tuple(result for name, result in self.results.items() if name not in self.chosen)


def built_closure(
    bench: Bench,
    progress: Progress,
    asked: Sequence[str] = ASKED,
    chosen: Sequence[str] = TWELVE,
) -> Closure:
    """Build a closure with the installation's cache, as far as it is not there, and return it.

    :raises RdoError: a package can't be built
    """
    with run_session(bench.paths, bench.platform.name, bench.release.series, progress):
        found = prepare(
            bench.distribution, bench.release, bench.platform, asked, installation_of(bench.paths), progress
        )
        context = RunContext(bench.release.series, tuple(asked), bench.paths)
        builder = RootBuilder.make(bench.platform, installation_of(bench.paths), progress)
        engine = make_engine(default_jobs(), None, bench.paths)
        summary = build_all(
            found.requests,
            builder,
            bench.store,
            State.open(installation_of(bench.paths)),
            engine,
            progress,
            context,
        )
    require_ok(summary)
    graph = build_graph(found.requests)
    ordered = [graph.requests[step] for step in graph.order if step.stage == "full"]
    results = {result.package: result for result in summary.results}
    return Closure(tuple(asked), tuple(chosen), tuple(ordered), results)


def cold_build(bench: Bench, closure: Closure, paths: Paths, jobs: int) -> tuple[Sample, RunSummary]:
    """Build a closure in another installation, in a process of its own, from its start to its end.

    :raises RdoError: it failed
    """
    order = paths.state / "order.json"
    order.parent.mkdir(parents=True, exist_ok=True)
    order.write_text(
        json.dumps(
            {
                "paths": [str(paths.state), str(paths.cache), str(paths.distribution)],
                "platform": bench.platform.model_dump(mode="json"),
                "series": bench.release.series,
                "jobs": jobs,
                "requests": [request.model_dump(mode="json") for request in closure.requests],
            }
        )
    )
    command = [sys.executable, "-m", "benchmarks.closure", str(order)]
    with measured() as sample:
        done = subprocess.run(
            command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=False
        )
    if done.returncode:
        raise RdoError(f"The build that was to be measured failed (exit {done.returncode}).")
    return sample, RunSummary.model_validate_json(done.stdout)


def built_now(summary: RunSummary) -> set[str]:
    """Return what a run really built."""
    return {result.package for result in summary.of("built")}


def require_ok(summary: RunSummary) -> None:
    """Do nothing where all packages are there.

    :raises RdoError: some are not; says which, and why
    """
    if not summary.ok:
        raise RdoError("Not everything could be built:\n" + "\n".join(_failures(summary)))


def _failures(summary: RunSummary) -> Iterator[str]:
    for result in (*summary.of("failed"), *summary.of("blocked")):
        yield f"  {result.package}: {result.reason}"


def _main() -> None:
    """Run an order of :func:`cold_build`; a process of its own has nothing in its memory yet."""
    order = json.loads(Path(sys.argv[1]).read_text())
    state, cache, distribution = map(Path, order["paths"])
    paths = Paths(state=state, cache=cache, distribution=distribution)
    platform = Platform.model_validate(order["platform"])
    requests = [BuildRequest.model_validate(one) for one in order["requests"]]
    summary = build_all(
        requests,
        RootBuilder.make(platform, installation_of(paths)),
        LocalStore(paths.store),
        State.open(installation_of(paths)),
        make_engine(order["jobs"], None, paths),
        SilentProgress(),
        RunContext(order["series"], (), paths),
    )
    require_ok(summary)
    print(summary.model_dump_json())


if __name__ == "__main__":
    _main()
