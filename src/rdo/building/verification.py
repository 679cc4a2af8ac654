"""Verifying many packages: which are known, several at once, going on after failures, and kept as they come.

What was found is kept by the hash of a build's inputs, so a run that was interrupted goes on from there, and
one that comes later looks only at what was built anew since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from rdo.building.builder import Builder, failed
from rdo.building.engine import Ended, Engine, Task
from rdo.building.graph import BuildGraph
from rdo.building.models import Value
from rdo.building.sealed import Sandbox
from rdo.building.store import Store
from rdo.building.verifying import Known, Verification, build_again, compared, known_builds
from rdo.common.errors import InputError, RdoError
from rdo.common.files import write_atomically
from rdo.common.paths import Paths
from rdo.common.progress import Progress


class VerificationSummary(Value):
    """What a run of verifications found: one result a package, by name.

    ``unbuilt`` are packages of the build graph that the store has not got of today's inputs; ``kept`` counts
    the results that an earlier run had found.
    """

    results: tuple[Verification, ...]
    unbuilt: tuple[str, ...] = ()
    kept: int = 0

    @property
    def ok(self) -> bool:
        """Whether every package that was looked at came out bit by bit as before."""
        return all(result.status == "identical" for result in self.results)

    def counts(self) -> dict[str, int]:
        """Return how many packages were identical, different and failed, and how many are not built."""
        found = [result.status for result in self.results]
        counts = {status: found.count(status) for status in ("identical", "different", "failed")}
        return counts | {"not built": len(self.unbuilt)}


@dataclass(frozen=True)
class Verifiable:
    """Packages of a build graph that can be verified, by name, and those that have not been built yet."""

    known: Mapping[str, Known]
    unbuilt: tuple[str, ...]

    @classmethod
    def of(cls, graph: BuildGraph, builder: Builder, store: Store) -> Verifiable:
        """Look at every package of a graph: what the store has of today's inputs is known."""
        known = {s.package: k for s, k in known_builds(graph, builder, store).items() if s.stage == "full"}
        packages = {step.package for step in graph.order if step.stage == "full"}
        return cls(known, tuple(sorted(packages - known.keys())))

    def only(self, packages: Sequence[str]) -> Verifiable:
        """Return just some packages.

        :raises InputError: some are not built; all of these together
        """
        if unbuilt := sorted(set(packages) - self.known.keys()):
            raise InputError(
                f"Not built from today's inputs yet: {', '.join(unbuilt)}.", hint="Build them: rdo build"
            )
        return Verifiable({name: self.known[name] for name in packages}, ())


@dataclass
class VerificationRun:
    """Verifies packages on an engine.

    :param tools: makes a sandbox that has rpm, to show differences with
    :param seconds: what packages took to build before; the longest are begun first
    :param again: verify anew what an earlier run verified
    """

    builder: Builder
    store: Store
    engine: Engine
    paths: Paths
    progress: Progress
    tools: Callable[[], Sandbox]
    seconds: Mapping[str, float] = field(default_factory=dict)
    again: bool = False

    def verify(self, subjects: Verifiable) -> VerificationSummary:
        """Build packages again, as far as that was not done before, and return what was found.

        A package that fails stops no other. Interrupted, it stops the engine and lets the exception pass;
        what was found until then is kept. The engine is closed in any case.
        """
        known = subjects.known
        found = {} if self.again else self._kept(known)
        kept = len(found)
        waiting = sorted(known.keys() - found.keys(), key=lambda name: (self.seconds.get(name, 0.0), name))
        in_flight: dict[str, str] = {}
        try:
            with self.progress.task("Building again", total=len(known)) as shown:
                shown.advance(kept)
                while waiting or in_flight:
                    while waiting and len(in_flight) < self.engine.slots:
                        self._submit(known[waiting.pop()], in_flight)
                    shown.describe(", ".join(sorted(in_flight.values())))
                    for ended in self.engine.ended(timeout=1.0):
                        package = in_flight.pop(ended.key)
                        found[package] = self._finish(known[package], ended)
                        shown.advance()
        finally:
            self.engine.close()
        return VerificationSummary(
            results=tuple(found[name] for name in sorted(found)), unbuilt=subjects.unbuilt, kept=kept
        )

    def _submit(self, known: Known, in_flight: dict[str, str]) -> None:
        key = f"again-{known.request.package}-{known.result.input_hash}"
        in_flight[key] = known.request.package
        arguments = (self.builder, self.store, self._scratch, known)
        self.engine.submit(Task(key, build_again, arguments))

    def _finish(self, known: Known, ended: Ended) -> Verification:
        result = ended.result
        if result is None:
            # The task itself broke; that must not stop the others.
            error = ended.error
            cause = error if isinstance(error, RdoError) else RdoError(f"{type(error).__name__}: {error}")
            result = failed(known.request, cause, known.result.input_hash)
        made = compared(known, result, self.store, self._scratch, self.tools, datetime.now(UTC))
        if made.status != "failed":
            write_atomically(_place(self.paths, made.input_hash), made.model_dump_json(indent=1))
        self.progress.message(f"{made.package}: {made.status}{f', {made.reason}' if made.reason else ''}")
        return made

    def _kept(self, known: Mapping[str, Known]) -> dict[str, Verification]:
        found = {}
        for package, one in known.items():
            try:
                text = _place(self.paths, one.result.input_hash).read_bytes()
                kept = Verification.model_validate_json(text)
            except (FileNotFoundError, ValidationError):
                continue
            # A store that lost the first build has another one of the same inputs by now.
            if kept.first == {artifact.filename: artifact.sha256 for artifact in one.result.artifacts}:
                found[package] = kept
        return found

    @property
    def _scratch(self) -> Path:
        return self.paths.cache / "verify"


def _place(paths: Paths, input_hash: str) -> Path:
    return paths.state / "verifications" / input_hash[:2] / f"{input_hash}.json"
