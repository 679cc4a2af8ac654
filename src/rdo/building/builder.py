"""What makes a build out of a request: the interface that runs are written against, and one task of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rdo.building.expectation import Expectation
from rdo.building.identity import input_hash
from rdo.building.models import Artifact, BuildRequest, BuildResult
from rdo.building.roots import temporary
from rdo.building.store import Store
from rdo.common.errors import RdoError
from rdo.common.files import UMASK
from rdo.common.progress import Progress


@dataclass(frozen=True)
class RawBuild:
    """A build that has ended, its files still where it wrote them.

    ``reason`` is None where it succeeded; else it says why not, and ``rpms`` is empty.
    """

    rpms: tuple[Path, ...]
    log: Path | None
    seconds: float
    reason: str | None = None
    hint: str | None = None
    expected: Expectation | None = None


class Builder(Protocol):
    """Builds packages on one platform. Builders cross process borders, so they hold plain values only."""

    @property
    def platform(self) -> str:
        """The platform's name."""

    @property
    def macros(self) -> str:
        """Digest of the RPM macros in the root."""

    def prefetch(self, requests: Iterable[BuildRequest], progress: Progress | None = None) -> None:
        """Fetch in one go what the platform has of the requests' build requirements, unless it is there.

        :raises RdoError: it could not be fetched
        """

    def plan(self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store) -> tuple[str, ...]:
        """Return the ids of the layers of the request's root, in overlay order, without making any.

        :param artifacts: what of ours may be used to satisfy the build requirements
        :raises RdoError: a build requirement can't be satisfied
        """

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        """Build a request in a root of exactly those layers; write into ``folder`` only.

        :raises RdoError: the root could not be made
        """

    def judge(
        self,
        request: BuildRequest,
        artifacts: Sequence[Artifact],
        made: Sequence[Artifact],
        store: Store,
        folder: Path,
    ) -> RawBuild:
        """Compare what was built before with what a request leads to expect; write into ``folder`` only.

        :param made: what a build of the same inputs made, when nothing was compared yet
        :raises RdoError: the root could not be made
        """


def execute(
    builder: Builder,
    store: Store,
    scratch: Path,
    request: BuildRequest,
    artifacts: Sequence[Artifact],
) -> BuildResult:
    """Build, store and record: the task that engines run. Its result says ``built`` or ``failed``.

    What was built before there were expectations is not built again, only compared: it is ``cached``.

    A task that an engine repeats (its worker died) finds what its first try had finished. Everything is in
    the store before the task returns.

    :param scratch: where its temporary folder is made; the folder bears its owner's mark
    """
    # A worker may have been started by hand, with any umask; a build's user is another than this one.
    os.umask(UMASK)
    # The identity is worked out where the root is made: a result is recorded for what really went in.
    try:
        digest = identity(builder, store, request, artifacts)
    except RdoError as error:
        return failed(request, error)
    known = store.recorded(digest)
    if known is not None and known.judged:
        return known
    with temporary(scratch) as folder:
        try:
            if known is not None:
                return _judged(builder, store, request, artifacts, known, folder)
            raw = builder.build(request, artifacts, store, folder)
        except RdoError as error:
            return failed(request, error, digest)
        log = store.put(raw.log) if raw.log is not None and raw.log.exists() else None
        result = BuildResult(
            package=request.package,
            input_hash=digest,
            status="failed" if raw.reason else "built",
            artifacts=tuple(
                Artifact(filename=rpm.name, sha256=store.put(rpm), size=rpm.stat().st_size)
                for rpm in sorted(raw.rpms, key=lambda rpm: rpm.name)
            ),
            log=log,
            seconds=raw.seconds,
            reason=raw.reason,
            hint=raw.hint,
            expected=raw.expected,
        )
        if result.status == "built":
            store.record(result)
        return result


def _judged(
    builder: Builder,
    store: Store,
    request: BuildRequest,
    artifacts: Sequence[Artifact],
    known: BuildResult,
    folder: Path,
) -> BuildResult:
    """Judge a recorded build; record it anew with what was expected of it."""
    raw = builder.judge(request, artifacts, known.artifacts, store, folder)
    if raw.reason is not None:
        changes = {"status": "failed", "artifacts": (), "reason": raw.reason, "hint": raw.hint}
        return known.model_copy(update=changes)
    judged = known.model_copy(update={"expected": raw.expected})
    store.record(judged)
    return judged.model_copy(update={"status": "cached"})


def identity(builder: Builder, store: Store, request: BuildRequest, artifacts: Sequence[Artifact]) -> str:
    """Return the input hash that a request has with these artifacts at hand.

    :raises RdoError: a build requirement can't be satisfied
    """
    layers = builder.plan(request, artifacts, store)
    return input_hash(request, layers, platform=builder.platform, macros=builder.macros)


def failed(request: BuildRequest, error: RdoError, digest: str = "") -> BuildResult:
    """Return the result of a build that an error of ours ended."""
    return BuildResult(
        package=request.package, input_hash=digest, status="failed", reason=error.what, hint=error.hint
    )
