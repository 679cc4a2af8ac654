"""What goes into a build and what comes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rdo.building.expectation import FORMAT, Expectation
from rdo.building.values import Value as Value


class SourceFile(Value):
    """A file that rpmbuild finds in SOURCES."""

    filename: str
    sha256: str
    path: Path


class BuildRequest(Value):
    """One package to build: everything that is decided before its root exists.

    ``build_requires`` are the spec's, as RPM dependency strings; the root gets what satisfies them and
    nothing else. ``after`` are the packages whose artifacts may be used to satisfy them.
    """

    package: str
    version: str
    release: str
    spec: str
    sources: tuple[SourceFile, ...]
    build_requires: tuple[str, ...]
    after: tuple[str, ...] = ()
    check_requires: tuple[str, ...] = Field(
        default=(), description="those of build_requires that only %check needs"
    )
    check_after: tuple[str, ...] = Field(default=(), description="those of after that only %check needs")
    with_check: bool = True
    timeout: float = Field(default=900.0, description="seconds")
    memory: int | None = Field(default=None, description="bytes; None: the machine's default")
    replaces: tuple[str, ...] = Field(
        default=(), description="names that the platform has for something else, and that are ours on purpose"
    )
    dist: str = Field(
        default="", description="canonical index name of what is in it; empty: nothing of Python's"
    )
    upstream_version: str = Field(default="", description="the pin of that, as upstream writes it")


class Artifact(Value):
    """One RPM in the store, unsigned as rpmbuild wrote it."""

    filename: str
    sha256: str
    size: int


Status = Literal["built", "cached", "failed", "blocked", "interrupted"]


class BuildResult(Value):
    """How a build ended. ``input_hash`` is empty where the build never got as far as having one."""

    package: str
    input_hash: str
    status: Status
    artifacts: tuple[Artifact, ...] = ()
    log: str | None = Field(default=None, description="SHA-256 of its log in the store")
    seconds: float = 0.0
    reason: str | None = Field(default=None, description="why it failed, in the log's own decisive lines")
    hint: str | None = None
    blocked_by: tuple[str, ...] = ()
    expected: Expectation | None = Field(
        default=None,
        exclude=True,
        description="what the artifacts were compared with, kept beside the result; None: they never were",
    )

    @property
    def judged(self) -> bool:
        """Whether the artifacts were compared with all that is expected of them today, or by a newer rdo."""
        return self.expected is not None and self.expected.format >= FORMAT
