"""What goes into a build and what comes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """Base of the building room's values; they cross process borders."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
