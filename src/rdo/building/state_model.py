"""The tables of the state: runs, what was asked, builds, who blocked them, their artifacts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rdo.state.tables import Base


class RunRow(Base):
    """One run. ``outcome`` is ``running`` until it ends; times are UTC, without a zone."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    release: Mapped[str]
    platform: Mapped[str]
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    outcome: Mapped[str]
    total: Mapped[int]
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[str]
    asked: Mapped[list[AskedRow]] = relationship(cascade="all, delete-orphan", order_by="AskedRow.position")
    builds: Mapped[list[BuildRow]] = relationship(cascade="all, delete-orphan", order_by="BuildRow.id")


class AskedRow(Base):
    """One name that the user asked for in a run."""

    __tablename__ = "run_asked"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class BuildRow(Base):
    """One step of a run. ``status`` is a result's, or ``building`` while it goes on."""

    __tablename__ = "builds"
    __table_args__ = (
        UniqueConstraint("run_id", "package", "stage", name="uq_builds_step"),
        Index("ix_builds_package", "package"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    package: Mapped[str]
    version: Mapped[str]
    stage: Mapped[str]
    input_hash: Mapped[str]
    status: Mapped[str]
    started: Mapped[datetime]
    seconds: Mapped[float]
    reason: Mapped[str | None]
    hint: Mapped[str | None]
    log: Mapped[str | None]
    blocked_by: Mapped[list[BlockedRow]] = relationship(
        cascade="all, delete-orphan", order_by="BlockedRow.package"
    )
    artifacts: Mapped[list[ArtifactRow]] = relationship(
        cascade="all, delete-orphan", order_by="ArtifactRow.filename"
    )


class BlockedRow(Base):
    """One failed package that kept a build from being tried."""

    __tablename__ = "build_blocked_by"

    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id"), primary_key=True)
    package: Mapped[str] = mapped_column(primary_key=True)


class ArtifactRow(Base):
    """One RPM that a build made, or that an earlier build of the same inputs had made."""

    __tablename__ = "artifacts"

    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id"), primary_key=True)
    filename: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    size: Mapped[int]
