"""A run: many builds in the order of their graph, each only where its inputs have never been built before.

What is in the store already is found first, in this process and without any engine. The rest is built as its
needs finish, longest chain first. A package whose dependency came out byte for byte as before keeps its
identity, so it is not built again. A failure stops only what needs it.
"""

from __future__ import annotations

import heapq
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rdo.building.builder import Builder, execute, failed, identity
from rdo.building.engine import Ended, Engine, Task
from rdo.building.estimate import Estimate
from rdo.building.graph import BuildGraph, Step, build_graph
from rdo.building.models import Artifact, BuildRequest, BuildResult, Value
from rdo.building.state import Outcome, State
from rdo.building.store import DamagedError, MissingError, Store
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.common.progress import Task as Shown


class RunSummary(Value):
    """What a run did: one result a package, by name. ``seconds`` is the run's own time."""

    run: int
    platform: str
    release: str
    results: tuple[BuildResult, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every package is there now."""
        return all(result.status in ("built", "cached") for result in self.results)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The RPMs of all packages that are there."""
        return tuple(artifact for result in self.results for artifact in result.artifacts)

    def of(self, status: str) -> tuple[BuildResult, ...]:
        """Return the results of one status."""
        return tuple(result for result in self.results if result.status == status)

    def counts(self) -> dict[str, int]:
        """Return how many packages were built, cached, failed and blocked."""
        return {status: len(self.of(status)) for status in ("built", "cached", "failed", "blocked")}


@dataclass(frozen=True)
class RunContext:
    """What a run is for, and where it keeps things."""

    release: str
    asked: tuple[str, ...]
    paths: Paths


def build_all(
    requests: Iterable[BuildRequest],
    builder: Builder,
    store: Store,
    state: State,
    engine: Engine,
    progress: Progress,
    context: RunContext,
) -> RunSummary:
    """Build what is not built yet, and return how every package ended.

    Interrupted (Ctrl-C, SIGTERM as KeyboardInterrupt), it stops the engine, records that and lets the
    exception pass; what had finished is kept. The engine is closed in any case.

    :raises CycleError: the packages can't be ordered
    """
    graph = build_graph(requests)
    started = time.monotonic()
    number = state.start_run(context.release, builder.platform, context.asked, len(graph.order))
    outcome: Outcome = "interrupted"
    try:
        with progress.task("Building", total=len(graph.order)) as shown:
            builder.prefetch(graph.requests.values(), progress)
            run = _Run(graph, builder, store, state, engine, progress, shown, context, number)
            run.go()
        packages = sorted(step.package for step in graph.order if step.stage == "full")
        summary = RunSummary(
            run=number,
            platform=builder.platform,
            release=context.release,
            results=tuple(run.results[Step(package)] for package in packages),
            seconds=time.monotonic() - started,
        )
        outcome = "succeeded" if summary.ok else "failed"
        return summary
    finally:
        engine.close()
        state.finish_run(number, outcome)


@dataclass
class _Run:
    """One run while it goes on."""

    graph: BuildGraph
    builder: Builder
    store: Store
    state: State
    engine: Engine
    progress: Progress
    shown: Shown
    context: RunContext
    number: int
    results: dict[Step, BuildResult] = field(default_factory=dict)
    hashes: dict[Step, str] = field(default_factory=dict)
    in_flight: dict[str, Step] = field(default_factory=dict)
    pending: list[tuple[float, Step]] = field(default_factory=list)

    def go(self) -> None:
        """Do all of it."""
        seconds = self.state.durations()
        self.priorities = self.graph.priorities(seconds)
        self.estimate = Estimate(seconds, self.graph)
        self._settle(self.graph.order)
        while self.pending or self.in_flight:
            while self.pending and len(self.in_flight) < self.engine.slots:
                self._submit(heapq.heappop(self.pending)[1])
            self._show()
            for ended in self.engine.ended(timeout=1.0):
                self._finish(ended)

    def _settle(self, steps: Sequence[Step]) -> None:
        """Take those steps, in order, whose needs are over: found in the store, blocked, or to be built."""
        settled: list[Step] = []
        waiting = [step for step in steps if step not in self.hashes and step not in self.results]
        for step in waiting:
            if any(need not in self.results for need in self.graph.needs[step]):
                continue
            result = self._blocked(step) or self._known(step)
            if result is None:
                heapq.heappush(self.pending, (-self.priorities[step], step))
            else:
                self._end(step, result)
                settled.append(step)
        if settled:
            ended = [(self.graph.requests[step], step.stage, self.results[step]) for step in settled]
            self.state.finish_builds(self.number, ended)

    def _blocked(self, step: Step) -> BuildResult | None:
        request = self.graph.requests[step]
        blockers: set[str] = set()
        for need in self.graph.needs[step]:
            result = self.results[need]
            if result.status == "failed":
                if need.package == step.package:
                    return result  # its own bootstrap: the package itself is what failed
                blockers.add(need.package)
            elif result.status == "blocked":
                blockers.update(result.blocked_by)
        if not blockers:
            return None
        names = tuple(sorted(blockers))
        reason = f"blocked by {', '.join(names)}"
        return BuildResult(
            package=request.package, input_hash="", status="blocked", blocked_by=names, reason=reason
        )

    def _known(self, step: Step) -> BuildResult | None:
        """Give the step its identity; return what the store has of it, or the error that leaves it none."""
        request = self.graph.requests[step]
        try:
            digest = identity(self.builder, self.store, request, self._available(step))
        except RdoError as error:
            self.hashes[step] = ""
            return failed(request, error)
        self.hashes[step] = digest
        found = self.store.recorded(digest)
        # What was never compared with what it should be goes to the engine, for that alone.
        if found is None or not found.judged:
            return None
        return found.model_copy(update={"status": "cached"})

    def _available(self, step: Step) -> tuple[Artifact, ...]:
        """Return the artifacts that may go into the step's root."""
        return tuple(a for need in self.graph.needs[step] for a in self.results[need].artifacts)

    def _submit(self, step: Step) -> None:
        request, digest = self.graph.requests[step], self.hashes[step]
        key = f"{request.package}-{step.stage}-{digest}-{self.number}"
        self.in_flight[key] = step
        self.state.begin_build(self.number, request, step.stage, digest)
        scratch = self.context.paths.cache / "builds"
        arguments = (self.builder, self.store, scratch, request, self._available(step))
        self.engine.submit(Task(key, execute, arguments))
        self.estimate.begin(step)

    def _finish(self, ended: Ended) -> None:
        step = self.in_flight.pop(ended.key)
        request = self.graph.requests[step]
        result = ended.result
        if result is None:
            # The task itself broke: a defect of ours, or its workers died. That must not stop the others.
            error = ended.error
            cause = error if isinstance(error, RdoError) else RdoError(f"{type(error).__name__}: {error}")
            result = failed(request, cause, self.hashes[step])
        self.estimate.end(step, result.seconds)
        self._end(step, result)
        self.state.finish_builds(self.number, [(request, step.stage, result)])
        self._settle(self._downstream(step))

    def _downstream(self, step: Step) -> list[Step]:
        """Return everything that comes after a step, in order: what it unblocks may unblock more at once."""
        reached = {step}
        for other in self.graph.order:
            if any(need in reached for need in self.graph.needs[other]):
                reached.add(other)
        return [other for other in self.graph.order if other in reached and other != step]

    def _end(self, step: Step, result: BuildResult) -> None:
        self.results[step] = result
        self.hashes.setdefault(step, result.input_hash)
        self.estimate.done(step)
        self.shown.advance()
        if result.log is not None and result.status != "cached":
            with suppress(MissingError, DamagedError):
                publish_log(self.context.paths, result, self.store)
        if result.status == "built":
            self.progress.message(f"built {step} in {result.seconds:.1f} s")
        elif result.status == "failed":
            self.progress.message(f"FAILED {step}: {_first_line(result.reason)}")
        elif result.status == "blocked":
            self.progress.message(f"{step} is {result.reason}")

    def _show(self) -> None:
        now = ", ".join(sorted(str(step) for step in self.in_flight.values()))
        left = self.estimate.left(self.engine.slots)
        self.shown.describe(f"{now} · about {_duration(left)} left")


def log_place(paths: Paths, package: str, input_hash: str) -> Path:
    """Return where the log of a build lies for people to read."""
    return paths.logs / "builds" / package / f"{input_hash}.log"


def publish_log(paths: Paths, result: BuildResult, store: Store) -> Path:
    """Put a build's log where people look for it, with a link ``latest`` to it, and return its path."""
    assert result.log is not None
    target = log_place(paths, result.package, result.input_hash)
    folder = target.parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{target.name}.new"
    shutil.copyfile(store.path(result.log), temporary)
    temporary.replace(target)
    link = folder / ".latest.new"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(folder / "latest")
    return target


def _first_line(text: str | None) -> str:
    lines = (text or "for no reason that is known").strip().splitlines()
    return lines[0] if lines else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
