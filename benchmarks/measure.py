"""Measuring: wall and processor seconds of calls and commands, medians, and the machine they are of."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


@dataclass
class Sample:
    """Seconds: ``wall`` by the clock, ``cpu`` of this process and its children, user and system together."""

    wall: float = 0.0
    cpu: float = 0.0


class Row(BaseModel):
    """One measured thing. ``ratio`` is to what ``against`` names, measured in the same run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    seconds: float | None = Field(default=None, description="median of the wall clock")
    cpu: float | None = Field(default=None, description="median of the processors' seconds")
    samples: tuple[float, ...] = Field(default=(), description="wall seconds, in the order they were taken")
    ratio: float | None = None
    against: str = ""
    goal: float | None = None
    goal_is: Literal["ratio", "seconds"] = "ratio"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        value = self.ratio if self.goal_is == "ratio" else self.seconds
        return None if self.goal is None or value is None else value <= self.goal


class Machine(BaseModel):
    """What the figures were measured on, and how busy it was with other things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processors: int
    model: str
    memory_gib: float
    kernel: str
    system: str
    load_before: float = Field(description="load average over a minute when the benchmark began")
    load_after: float

    @property
    def conditions(self) -> str:
        """How busy the machine was, in words. Our own work alone brings the load to one a job."""
        return (
            f"load {self.load_before:.1f} before, {self.load_after:.1f} after, {self.processors} processors"
        )


class Result(BaseModel):
    """What one benchmark found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    date: str
    commit: str
    machine: Machine
    rounds: int
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


@contextmanager
def measured() -> Iterator[Sample]:
    """Measure a block; the sample is filled in at its end."""
    sample = Sample()
    before, began = _cpu(), time.perf_counter()
    try:
        yield sample
    finally:
        sample.wall = time.perf_counter() - began
        sample.cpu = _cpu() - before


def repeated(call: Callable[[], object], times: int) -> list[Sample]:
    """Measure a call several times."""
    samples = []
    for _ in range(times):
        with measured() as sample:
            call()
        samples.append(sample)
    return samples


def wall(samples: Iterable[Sample]) -> float:
    """Return the median of the wall clock."""
    return statistics.median(sample.wall for sample in samples)


def cpu(samples: Iterable[Sample]) -> float:
    """Return the median of the processors' seconds."""
    return statistics.median(sample.cpu for sample in samples)


def row(
    what: str,
    samples: list[Sample],
    *,
    base: list[Sample] | None = None,
    against: str = "",
    goal: float | None = None,
    goal_is: Literal["ratio", "seconds"] = "ratio",
    note: str = "",
) -> Row:
    """Return the row of some samples.

    :param base: samples that the ratio is to, taken in the same run; ``against`` names them
    """
    return Row(
        what=what,
        seconds=wall(samples),
        cpu=cpu(samples),
        samples=tuple(round(sample.wall, 4) for sample in samples),
        ratio=None if base is None else wall(samples) / wall(base),
        against=against,
        goal=goal,
        goal_is=goal_is,
        note=note,
    )


def load() -> float:
    """Return the load average over the last minute."""
    return os.getloadavg()[0]


def machine(load_before: float) -> Machine:
    """Return what this machine is; it was that busy when the benchmark began."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processors=len(os.sched_getaffinity(0)),
        model=_field(Path("/proc/cpuinfo"), "model name", ":") or platform.machine(),
        memory_gib=round(pages / (1 << 30), 1),
        kernel=platform.release(),
        system=_field(Path("/etc/os-release"), "PRETTY_NAME", "=").strip('"'),
        load_before=load_before,
        load_after=load(),
    )


def today() -> str:
    """Return the date and time, UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def accounted() -> Iterator[None]:
    """Move this process into a control group of its own, which knows what all its descendants used.

    Without one, what sandboxes used is not seen: their first process does not wait for the others.
    """
    global _group
    before = next((base / _own_group() for base in _UNIFIED if (base / "cgroup.procs").exists()), None)
    group = None if before is None else before / f"rdo-benchmarks-{os.getpid()}"
    try:
        if before is not None and group is not None:
            _sweep(before)
            group.mkdir()
            (group / "cgroup.procs").write_text(str(os.getpid()))
            _group = group if (group / "cpu.stat").exists() else None
    except OSError:
        group = None
    try:
        yield
    finally:
        _group = None
        if before is not None and group is not None:
            (before / "cgroup.procs").write_text(str(os.getpid()))
            with suppress(OSError):
                group.rmdir()


def _sweep(parent: Path) -> None:
    """Remove groups of earlier benchmarks; the kernel keeps those that still have processes."""
    for left in parent.glob("rdo-benchmarks-*"):
        with suppress(OSError):
            left.rmdir()


_UNIFIED = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_group: Path | None = None


def _own_group() -> str:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")


def _cpu() -> float:
    if _group is not None:
        return int(_field(_group / "cpu.stat", "usage_usec", " ")) / 1e6
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _field(file: Path, name: str, separator: str) -> str:
    if file.exists():
        for line in file.read_text(errors="replace").splitlines():
            key, found, value = line.partition(separator)
            if found and key.strip() == name:
                return value.strip()
    return ""
