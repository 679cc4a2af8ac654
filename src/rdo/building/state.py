"""What happened: runs and builds, in the installation's database.

Each change is one short transaction, so a run that is killed leaves everything up to its last finished build.
A run whose process is gone without having said how it ended counts as interrupted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from rdo.building.graph import Stage
from rdo.building.models import Artifact, BuildRequest, BuildResult, Value
from rdo.building.state_model import ArtifactRow, AskedRow, BlockedRow, BuildRow, RunRow
from rdo.common.installation import Installation, utc_now
from rdo.state.database import Database, sqlite_url

Outcome = Literal["running", "succeeded", "failed", "interrupted"]

_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
_STAGE: TypeAdapter[Stage] = TypeAdapter(Stage)


class BuildRecord(Value):
    """One step of a run as the state has it; ``status`` is a result's, or ``building``."""

    package: str
    version: str
    stage: Stage
    input_hash: str
    status: str
    started: datetime
    seconds: float
    reason: str | None
    hint: str | None
    log: str | None
    blocked_by: tuple[str, ...]
    artifacts: tuple[Artifact, ...]


class RunRecord(Value):
    """One run as the state has it. ``total`` counts its steps; times are UTC."""

    id: int
    release: str
    platform: str
    asked: tuple[str, ...]
    started: datetime
    finished: datetime | None
    outcome: Outcome
    total: int
    host: str
    pid: int
    builds: tuple[BuildRecord, ...] = Field(default=())


class State:
    """The state of one installation."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._clock = database, clock
        self._owner = (socket.gethostname(), os.getpid(), process_start(os.getpid()) or "")

    @classmethod
    def open(cls, installation: Installation) -> State:
        """Open an installation's state, make or migrate its tables: its database, else the SQLite file.

        :raises RdoError: the database can't be reached or is not ours
        """
        url = installation.settings.database or sqlite_url(installation.paths.database)
        return cls(Database.open(url), installation.clock)

    @classmethod
    def at(cls, url: str) -> State:
        """Open the database at a URL, make or migrate its tables (:class:`rdo.state.database.Database`).

        :raises RdoError: the database can't be reached or is not ours
        """
        return cls(Database.open(url))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def start_run(self, release: str, platform: str, asked: Sequence[str], total: int) -> int:
        """Record a run of this process and return its id. Earlier ones that died are marked interrupted."""
        host, pid, process_started = self._owner
        with self._database.writing() as session:
            for row in session.scalars(select(RunRow).where(RunRow.outcome == "running")):
                if _died(row):
                    _interrupt(session, row, self._now())
            run = RunRow(
                release=release,
                platform=platform,
                started=self._now(),
                outcome="running",
                total=total,
                host=host,
                pid=pid,
                process_started=process_started,
                asked=[AskedRow(position=i, name=name) for i, name in enumerate(asked)],
            )
            session.add(run)
            session.flush()
            return run.id

    def begin_build(self, run: int, request: BuildRequest, stage: Stage, input_hash: str) -> None:
        """Record that a step is being built now."""
        with self._database.writing() as session:
            session.add(_row(run, request, stage, input_hash, "building", self._now()))

    def finish_builds(self, run: int, ended: Iterable[tuple[BuildRequest, Stage, BuildResult]]) -> None:
        """Record how steps ended, whether they had begun or not, in one transaction."""
        with self._database.writing() as session:
            begun = {
                (row.package, row.stage): row
                for row in session.scalars(
                    select(BuildRow).where(BuildRow.run_id == run, BuildRow.status == "building")
                )
            }
            for request, stage, result in ended:
                row = begun.get((request.package, stage))
                if row is None:
                    row = _row(run, request, stage, result.input_hash, result.status, self._now())
                    session.add(row)
                row.status, row.seconds, row.input_hash = result.status, result.seconds, result.input_hash
                row.reason, row.hint, row.log = result.reason, result.hint, result.log
                row.blocked_by = [BlockedRow(package=name) for name in sorted(set(result.blocked_by))]
                row.artifacts = [
                    ArtifactRow(filename=a.filename, sha256=a.sha256, size=a.size) for a in result.artifacts
                ]

    def finish_run(self, run: int, outcome: Outcome) -> None:
        """Record how a run ended; what it was still building counts as interrupted."""
        with self._database.writing() as session:
            session.execute(
                update(RunRow).where(RunRow.id == run).values(outcome=outcome, finished=self._now())
            )
            going_on = update(BuildRow).where(BuildRow.run_id == run, BuildRow.status == "building")
            session.execute(going_on.values(status="interrupted"))

    def last_run(self, platform: str | None = None, release: str | None = None) -> RunRecord | None:
        """Return the newest run with its builds, of a platform and series if said; None if there is none."""
        query = select(RunRow).order_by(RunRow.id.desc()).limit(1).options(*_WHOLE)
        if platform is not None:
            query = query.where(RunRow.platform == platform)
        if release is not None:
            query = query.where(RunRow.release == release)
        with self._database.reading() as session:
            row = session.scalars(query).first()
            if row is None or row.outcome != "running" or not _died(row):
                return None if row is None else _run_record(row)
        with self._database.writing() as session:
            row = session.scalars(query).one()
            if row.outcome == "running" and _died(row):
                _interrupt(session, row, self._now())
                session.flush()
            return _run_record(row)

    def last_build(self, package: str) -> BuildRecord | None:
        """Return the newest step of a package that was really built or tried; None where there is none.

        Where it was only ever found in the store, that record is returned: it names the log as well.
        """
        tried = select(BuildRow).where(BuildRow.package == package).order_by(BuildRow.id.desc()).limit(1)
        with self._database.reading() as session:
            row = session.scalars(tried.where(BuildRow.log.is_not(None))).first()
            newest = session.scalars(tried).first()
            if newest is not None and newest.status in ("failed", "blocked"):
                row = newest
            return None if row is None else _build_record(row)

    def last_builds(self, platform: str, release: str) -> dict[str, BuildRecord]:
        """Return the newest full build of each package on a platform in a series, however it ended."""
        newest = (
            select(func.max(BuildRow.id))
            .join(RunRow, RunRow.id == BuildRow.run_id)
            .where(RunRow.platform == platform, RunRow.release == release, BuildRow.stage == "full")
            .group_by(BuildRow.package)
        )
        whole = (selectinload(BuildRow.blocked_by), selectinload(BuildRow.artifacts))
        with self._database.reading() as session:
            rows = session.scalars(select(BuildRow).where(BuildRow.id.in_(newest)).options(*whole))
            return {row.package: _build_record(row) for row in rows}

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(tzinfo=None)

    def packages(self) -> list[str]:
        """Return the names of all packages that any run had."""
        with self._database.reading() as session:
            return sorted(session.scalars(select(BuildRow.package).distinct()))

    def durations(self) -> dict[str, float]:
        """Return how many seconds each package's newest successful build took."""
        query = select(BuildRow.package, BuildRow.seconds).where(BuildRow.status == "built")
        with self._database.reading() as session:
            rows = session.execute(query.order_by(BuildRow.id))
            return {row.package: row.seconds for row in rows}


def process_start(pid: int) -> str | None:
    """Return what tells a process from later ones of its number, its start in this boot; None if gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may have spaces
    return None if fields[0] == "Z" else f"{boot}/{fields[19]}"


_WHOLE = (
    selectinload(RunRow.asked),
    selectinload(RunRow.builds).selectinload(BuildRow.blocked_by),
    selectinload(RunRow.builds).selectinload(BuildRow.artifacts),
)


def _row(
    run: int, request: BuildRequest, stage: Stage, input_hash: str, status: str, started: datetime
) -> BuildRow:
    return BuildRow(
        run_id=run,
        package=request.package,
        version=request.version,
        stage=stage,
        input_hash=input_hash,
        status=status,
        started=started,
        seconds=0.0,
    )


def _died(row: RunRow) -> bool:
    return row.host == socket.gethostname() and process_start(row.pid) != row.process_started


def _interrupt(session: Session, row: RunRow, now: datetime) -> None:
    row.outcome, row.finished = "interrupted", now
    for build in row.builds:
        if build.status == "building":
            build.status = "interrupted"


def _run_record(row: RunRow) -> RunRecord:
    return RunRecord(
        id=row.id,
        release=row.release,
        platform=row.platform,
        asked=tuple(asked.name for asked in row.asked),
        started=row.started,
        finished=row.finished,
        outcome=_OUTCOME.validate_python(row.outcome),
        total=row.total,
        host=row.host,
        pid=row.pid,
        builds=tuple(_build_record(build) for build in row.builds),
    )


def _build_record(row: BuildRow) -> BuildRecord:
    return BuildRecord(
        package=row.package,
        version=row.version,
        stage=_STAGE.validate_python(row.stage),
        input_hash=row.input_hash,
        status=row.status,
        started=row.started,
        seconds=row.seconds,
        reason=row.reason,
        hint=row.hint,
        log=row.log,
        blocked_by=tuple(blocked.package for blocked in row.blocked_by),
        artifacts=tuple(Artifact(filename=a.filename, sha256=a.sha256, size=a.size) for a in row.artifacts),
    )
