"""Building packages once more from the same inputs, and comparing what comes out with what the store has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from rdo.building.builder import Builder, failed, identity
from rdo.building.graph import BuildGraph, Step
from rdo.building.models import Artifact, BuildRequest, BuildResult, Value
from rdo.building.roots import temporary
from rdo.building.rpm_differences import differing
from rdo.building.sealed import Sandbox
from rdo.building.store import Store
from rdo.common.errors import RdoError


class Verification(Value):
    """How a package's second build compares with its first one.

    ``first`` and ``second`` have file name -> SHA-256 of the RPMs, ``seconds`` is what the second build took;
    ``differences`` is empty where every bit is the same, ``reason`` says why the second build failed.
    """

    package: str
    version: str
    input_hash: str
    status: Literal["identical", "different", "failed"]
    first: Mapping[str, str]
    second: Mapping[str, str] = Field(default_factory=dict)
    differences: tuple[str, ...] = ()
    reason: str | None = None
    seconds: float = 0.0
    verified: datetime | None = Field(default=None, description="UTC")


@dataclass(frozen=True)
class Known:
    """A step that is in the store, and what was at hand when it was built."""

    request: BuildRequest
    result: BuildResult
    artifacts: tuple[Artifact, ...]


def known_builds(graph: BuildGraph, builder: Builder, store: Store) -> dict[Step, Known]:
    """Return every step that the store has of the inputs of today, by the order of the graph."""
    found: dict[Step, Known] = {}
    for step in graph.order:
        needs = graph.needs[step]
        if any(need not in found for need in needs):
            continue
        artifacts = tuple(a for need in needs for a in found[need].result.artifacts)
        try:
            result = store.recorded(identity(builder, store, graph.requests[step], artifacts))
        except RdoError:
            continue  # a build requirement that nothing satisfies today
        if result is not None:
            found[step] = Known(graph.requests[step], result, artifacts)
    return found


def build_again(builder: Builder, store: Store, scratch: Path, known: Known) -> BuildResult:
    """Build a package once more and put what comes out into the store, recorded as nothing's result.

    It is a task for an engine; its result says ``built`` or ``failed``.

    :param scratch: where its temporary folder is made
    """
    request, digest = known.request, known.result.input_hash
    with temporary(scratch) as folder:
        try:
            raw = builder.build(request, known.artifacts, store, folder)
        except RdoError as error:
            return failed(request, error, digest)
        return BuildResult(
            package=request.package,
            input_hash=digest,
            status="failed" if raw.reason else "built",
            artifacts=tuple(
                Artifact(filename=rpm.name, sha256=store.put(rpm), size=rpm.stat().st_size)
                for rpm in sorted(raw.rpms, key=lambda rpm: rpm.name)
            ),
            log=store.put(raw.log) if raw.log is not None and raw.log.exists() else None,
            seconds=raw.seconds,
            reason=raw.reason,
            hint=raw.hint,
        )


def compared(
    known: Known, again: BuildResult, store: Store, scratch: Path, tools: Callable[[], Sandbox], now: datetime
) -> Verification:
    """Return how a second build compares with the stored one.

    :param tools: makes a sandbox that has rpm, to show differences with
    :param now: the time, UTC
    """
    first = _hashes(known.result.artifacts)
    second = _hashes(again.artifacts)
    made = Verification(
        package=known.request.package,
        version=known.request.version,
        input_hash=known.result.input_hash,
        status="failed",
        first=first,
        second=second,
        reason=again.reason,
        seconds=again.seconds,
        verified=now,
    )
    if again.status == "failed":
        return made
    differences = [f"{name}: only the first build made it" for name in sorted(first.keys() - second)]
    differences += [f"{name}: only the second build made it" for name in sorted(second.keys() - first)]
    unlike = [name for name in sorted(first.keys() & second) if first[name] != second[name]]
    with temporary(scratch) as folder:
        for name in unlike:
            pair = (store.path(first[name]), store.path(second[name]))
            try:
                lines = differing(*pair, tools(), folder)
            except RdoError as error:
                lines = [f"not the same; where can't be shown: {error.what}"]
            differences += [f"{name}: {line}" for line in lines]
    status: Literal["identical", "different"] = "different" if differences else "identical"
    return made.model_copy(update={"status": status, "differences": tuple(differences)})


def _hashes(artifacts: Sequence[Artifact]) -> dict[str, str]:
    return {artifact.filename: artifact.sha256 for artifact in artifacts}
